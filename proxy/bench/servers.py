"""The variants that are compared, each as a running process on a loopback port.

`stock` is mitmdump of this environment with its default addons; `core` is our master without the filter; `scored` is
`sluice run` with its defaults (request and response scored, captures and metrics on) but nothing remembered of a
verdict; `scored_cached` is the same with its defaults; `crs` is nginx with ModSecurity, where it is installed.
"""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from classifier.errors import UserError
from proxy.bench import crs

START: Final = 60.0
"""Seconds that a server may take until it answers; a loaded machine needs several to import everything."""
STOP: Final = 15.0


@dataclass(frozen=True)
class Place:
    """Where a server lives: a folder of its own, its ports, and the state whose releases are served (None: shipped).

    `origin` is HOST:PORT of the only origin, for those that must know.
    """

    folder: Path
    port: int
    admin: int
    releases: Path | None
    origin: str = ""


@dataclass(frozen=True)
class Server:
    """A running variant."""

    name: str
    place: Place
    pid: int


def _stock(place: Place) -> list[str]:
    mitmdump = Path(sys.executable).with_name("mitmdump")
    listen = ["--listen-host", "127.0.0.1", "--listen-port", str(place.port)]
    return [str(mitmdump), "-q", *listen, "--set", f"confdir={place.folder}"]


def _core(place: Place) -> list[str]:
    return [sys.executable, "-m", "proxy.bench.unscored", str(place.port), str(place.folder)]


def _scored(place: Place) -> list[str]:
    return _run(place, "cache = 0\n")


def _run(place: Place, cache: str = "") -> list[str]:
    config = place.folder / "sluice.toml"
    registry = f"registry = {json.dumps(str(place.releases.resolve()))}\n" if place.releases else ""
    config.write_text(f"[model]\n{registry}{cache}", "utf-8")
    ports = ["--listen", f"127.0.0.1:{place.port}", "--admin", f"127.0.0.1:{place.admin}"]
    state = ["--config", str(config), "--state", str(place.folder / "state")]
    return [sys.executable, "-m", "classifier.cli", "run", *state, *ports]


def _crs(place: Place) -> list[str]:
    return crs.command(place.folder, place.port, place.origin)


VARIANTS: Final[dict[str, Callable[[Place], list[str]]]] = {
    "stock": _stock, "core": _core, "scored": _scored, "scored_cached": _run, "crs": _crs,
}  # fmt: skip
"""Name -> its command. The first is what the others are compared with."""


def available() -> list[str]:
    """The variants that can run here."""
    return [name for name in VARIANTS if name != "crs" or not crs.missing()]


@contextlib.contextmanager
def running(name: str, folder: Path, releases: Path | None, authority: str) -> Iterator[Server]:
    """Run a variant until the block ends. Raises UserError when it does not pass requests on to `authority`."""
    own = folder / name
    own.mkdir()
    place = Place(own, free_port(), free_port(), releases, authority)
    command = VARIANTS[name](place)
    try:
        with (own / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}; set the environment up anew") from None
    with stopping(process):
        _wait(name, process, place, authority)
        yield Server(name, place, process.pid)


@contextlib.contextmanager
def stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process with the block, whatever it takes."""
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP)
        process.kill()
        process.wait()


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(port: int, target: str) -> tuple[int, str]:
    """GET `target` from a port of loopback; status and body. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _wait(name: str, process: subprocess.Popen[bytes], place: Place, authority: str) -> None:
    """Until it answers a request as the origin does."""
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if fetch(place.port, f"http://{authority}/collect")[0] == 204:
                return
        time.sleep(0.1)
    said = (place.folder / "log").read_text("utf-8", "replace").strip().splitlines()
    raise UserError(f"{name} does not serve: {said[-1] if said else 'it says nothing'}")
