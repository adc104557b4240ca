"""`sluice capture` from outside, on the loopback interface."""

import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import needs
from classifier import importers, store
from classifier.records import FlowRecord

GET = b"GET /in?password=hunter2hunter HTTP/1.1\r\nHost: shop.example\r\n\r\n"
COMMAND = (sys.executable, "-m", "classifier.cli", "capture")


@contextmanager
def watching(*options: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    """The command at work on the port of a server."""
    needs.listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = subprocess.Popen(
            [*COMMAND, "--live", "lo", "--filter", f"tcp port {port}", *options], stderr=subprocess.PIPE, text=True
        )
        try:
            _until_open(process.pid)
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(GET)
                yield process, port
        finally:
            process.kill()
            process.communicate()


def _until_open(process: int) -> None:
    """Until a process listens on an interface."""
    for _ in range(600):
        sockets = {link.readlink().name for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
        inodes = {line.split()[-1] for line in Path("/proc/net/packet").read_text().splitlines()[1:]}
        if any(f"socket:[{inode}]" in sockets for inode in inodes):
            time.sleep(0.5)  # until its signals are handled too
            return
        time.sleep(0.1)
    raise TimeoutError("sluice capture did not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_seen_masked_and_private(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "seen.jsonl"
    with watching("--out", str(out)) as (process, port):
        time.sleep(1)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and said.startswith("sluice: ") and "1 flows" in said
    (record,) = importers.read(out)
    assert isinstance(record, FlowRecord)
    assert (record.host, record.port, record.path) == ("shop.example", port, "/in?password=xxxxxx0xxxxxx")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_time_is_up_and_captures_are_written(tmp_path: Path) -> None:
    with watching("--state", str(tmp_path), "--seconds", "4") as (process, _):
        process.communicate(timeout=60)
    assert process.returncode == 0
    (row,) = store.read(tmp_path / "captures")
    assert row.record.host == "shop.example"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "captures").rglob("*.parquet"))
    assert kept and b"hunter2" not in kept


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    needs.listening()
    (tmp_path / "x").write_text("mine")
    done = subprocess.run([*COMMAND, "--live", "lo", "--out", str(tmp_path / "x")], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "does not exist yet" in done.stderr
    assert (tmp_path / "x").read_text() == "mine"


def test_an_unknown_interface_is_one_line() -> None:
    done = subprocess.run([*COMMAND, "--live", "nope"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("sluice: no interface nope")
