"""The private nginx: up with its rules, on loopback only, and gone afterwards, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import needs
from classifier.errors import UserError
from classifier.training.evaluation import nginx
from classifier.training.evaluation.wire import Wire

LOOPBACK = "0100007F"
"""127.0.0.1 as /proc/net/tcp writes it."""
GET = b"GET %s HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.1.2\r\nAccept: */*\r\n\r\n"
ATTACK = GET % b"/?q=1%27%20or%20%271%27=%271%27%20--%20"


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    needs.crs()


def test_rules_block_at_two_ports_and_the_third_has_none() -> None:
    with nginx.running() as server:
        for port, status in ((server.judged, 403), (server.timed, 403), (server.plain, 200)):
            with contextlib.closing(Wire(port)) as wire:
                assert wire.ask(GET % b"/?q=hello") == 200
                assert wire.ask(ATTACK) == status
        assert b"Total Score: " in server.log.read_bytes()
        assert server.processor_time() > 0


def test_it_listens_and_speaks_on_loopback_only() -> None:
    with nginx.running() as server:
        with contextlib.closing(Wire(server.judged)) as wire:
            assert wire.ask(GET % b"/?u=//203.0.113.9/a") == 200
            addresses = sockets(server.pid)
        assert {address.split(":")[0] for address in addresses} <= {LOOPBACK, "00000000"}
        assert {int(address.split(":")[1], 16) for address in addresses if address.startswith(LOOPBACK)} >= {
            server.judged,
            server.timed,
            server.plain,
        }
        assert all(address == "00000000:0000" for address in addresses if not address.startswith(LOOPBACK))


def test_it_ends_with_the_block_and_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), nginx.running() as server:
        raise ZeroDivisionError
    assert not Path(f"/proc/{server.pid}").exists()
    assert not server.log.parent.exists()


def test_it_ends_with_a_process_that_is_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    script = (
        "import time; from classifier.training.evaluation import nginx\n"
        "with nginx.running() as server: print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script]
    left = os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("k"))}  # short: it holds a socket file
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=needs.ROOT, env=left) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def test_the_version_is_that_of_the_rules() -> None:
    assert nginx.version()[0].isdigit()


@pytest.mark.parametrize("name", ["MODULE", "ENGINE", "SETUP"])
def test_what_is_missing_is_said_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, name, Path("/nowhere"))
    with pytest.raises(UserError, match=r"no /nowhere.*apt-get install nginx .*modsecurity-crs") as caught:
        nginx.installed()
    assert "\n" not in str(caught.value)


def sockets(pid: int) -> list[str]:
    """Local and remote internet addresses of a process, as /proc/net has them."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(handle).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "udp", "raw"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                found += fields[1:3]
    for table in ("tcp6", "udp6", "raw6"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            assert not any(line.split()[9] in inodes for line in lines)
    return found


def _alive(pid: int) -> bool:
    """Whether it runs: a container without a reaper keeps the dead as zombies."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
