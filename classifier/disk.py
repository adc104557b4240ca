"""Writing files so that a crash or a second writer leaves the old content or the new, never a part."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from classifier.errors import UserError


def write_new(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Create `path` with `mode` from the first moment and force it to disk. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step that lasts."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(draft, content)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def append(path: Path, line: bytes) -> None:
    """Add a line by a single write, and force it to disk.

    It starts with a newline too, so that a line which a crash has torn does not spoil this one.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, b"\n" + line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Force a folder's entries to disk: without it a rename may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A folder that cannot be written or a disk that is full is the operator's to mend: raises UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or folder}: cannot be written ({error.strerror})") from None
