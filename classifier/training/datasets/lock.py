"""`datasets.lock.json`: what was read, so that a later run notices when a source is no longer the same.

The digests of the sources are not known beforehand: they are trusted at first sight, written down, and held against
every later run. A digest is over the files that a source selects (SHA-256 over one line a file, `DIGEST  PATH`, by
path, as `sha256sum` writes them), so a folder and an archive of one commit have the same. It changes with the globs.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from classifier import disk
from classifier.errors import UserError
from classifier.training.datasets.manifest import Pin, Source

NAME: Final = "datasets.lock.json"


class Entry(msgspec.Struct, frozen=True):
    """What one source had of one repository."""

    commit: str
    files: int
    sha256: str


class Lock:
    """The lock of an output folder. Raises UserError for a file that is none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._entries: dict[str, Entry] = {}
        try:
            self._entries = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Entry])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(f"{self._path}: cannot be read ({error}); remove it to trust the sources anew") from None

    def check(self, source: Source, pin: Pin, digests: dict[str, str]) -> bool:
        """Hold the files (path → SHA-256) against manifest and lock; True when they were known before.

        Raises UserError (exit code 1) when they differ.
        """
        found = Entry(pin.commit, len(digests), digest(digests))
        key = f"{source.name} {pin}"
        known = self._entries.get(key)
        wanted = source.sha256.get(str(pin)) or (known.sha256 if known and known.commit == pin.commit else "")
        if wanted and wanted != found.sha256:
            where = "the manifest" if source.sha256.get(str(pin)) else f"{self._path} (remove its entry to trust anew)"
            raise UserError(
                f"{source.name}: {pin} has the digest {found.sha256[:16]}…, not {wanted[:16]}… as in {where}",
                exit_code=1,
            )
        self._entries[key] = found
        return bool(wanted)

    def write(self) -> None:
        """Put the lock beside the tables."""
        disk.replace(self._path, msgspec.json.format(msgspec.json.encode(dict(sorted(self._entries.items())))) + b"\n")


def digest(digests: dict[str, str]) -> str:
    """One digest for files given as path → SHA-256."""
    return _sha256(f"{value}  {path}\n".encode() for path, value in sorted(digests.items()))


def _sha256(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()
