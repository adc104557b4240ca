"""A release as one file, for sites without a network: an uncompressed tar of its files under a signed manifest.

What is read from a parcel is bytes in memory under plain names: nothing is unpacked before the registry has checked
the signature and every digest (`Registry.adopt`).
"""

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from classifier.disk import replace
from classifier.errors import UserError

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of all files together: a hundred times the shipped release, and far from filling a memory."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Put `files` into a parcel at `path`; the same files give the same bytes. Raises UserError."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as parcel:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            parcel.addfile(entry, io.BytesIO(content))
    try:
        replace(path, buffer.getvalue())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def read(path: Path) -> dict[str, bytes]:
    """The files of a parcel by name. Raises UserError for what is no parcel or holds anything but plain files."""
    files: dict[str, bytes] = {}
    left = LARGEST
    try:
        with tarfile.open(path, mode="r:") as parcel:
            for entry in parcel:
                left -= entry.size
                content = parcel.extractfile(entry) if entry.isreg() and _NAME.fullmatch(entry.name) else None
                if content is None or entry.name in files or left < 0:
                    raise UserError(f"{path}: {entry.name[:100]!r} does not belong into a release; was it exported?")
                files[entry.name] = content.read()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except tarfile.TarError as error:
        raise UserError(f"{path} is no release made by `sluice model export` ({error})") from None
    return files
