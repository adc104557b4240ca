"""Our own ends of connections to our own ports: by them the proxy and the admin port know who comes through the proxy.

A client that is filtered must not borrow the proxy's loopback address to reach the admin port, nor send the proxy round
in circles to itself. Any worker may have opened such a connection and any other process of ours be at its other end, so
that they are kept in a folder that all share, as symbolic links: those hold the worker's number without a block of a
disk that may be full. There are few, and other connections leave no trace.
"""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the supervisor asks too, and does without mitmproxy
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData

FOLDER: Final = "ends"

End = tuple[str, int]


class Ends:
    """A mitmproxy addon that keeps the ends of this worker's connections to `ports`, and a container of everybody's."""

    name = "sluice-ends"

    def __init__(self, scratch: Path, worker: int, ports: Collection[int]) -> None:
        self._folder, self._worker, self._ports = scratch / FOLDER, worker, ports

    def __contains__(self, end: object) -> bool:
        """Whether an address and port are the near end of such a connection."""
        match end:
            case (str(host), int(port)):
                return os.path.lexists(_file(self._folder, (host, port)))
        return False

    def server_connected(self, data: "ServerConnectionHookData") -> None:
        """Nothing has been sent yet: who is asked will find it."""
        if (end := self._own(data)) is not None:
            self._folder.mkdir(exist_ok=True)
            with contextlib.suppress(FileExistsError):
                _file(self._folder, end).symlink_to(str(self._worker))

    def server_disconnected(self, data: "ServerConnectionHookData") -> None:
        """Another program may get the port now."""
        if (end := self._own(data)) is not None:
            _file(self._folder, end).unlink(missing_ok=True)

    def _own(self, data: "ServerConnectionHookData") -> End | None:
        near, far = data.server.sockname, data.server.peername
        return (near[0], near[1]) if near and far and far[1] in self._ports else None


def forget(scratch: Path, worker: int) -> None:
    """Remove what a dead worker left."""
    for file in (scratch / FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            if str(file.readlink()) == str(worker):
                file.unlink()


def _file(folder: Path, end: End) -> Path:
    return folder / f"{end[0]} {end[1]}"
