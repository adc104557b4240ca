"""Ports, clock, limits and routes, on loopback."""

import datetime
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.doctor import machine
from proxy.values import Address

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


@pytest.fixture
def busy() -> Iterator[Address]:
    """An address where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Address(*server.getsockname()[:2])


def test_a_port_that_is_taken_is_in_the_way(busy: Address) -> None:
    found = machine.port("proxy port", busy, "--listen")
    assert (found.level, found.what) == ("fail", f"cannot listen on {busy}: Address already in use")
    assert "--listen" in found.fix
    assert machine.port("proxy port", Address("127.0.0.1", 0), "--listen").level == "ok"


def test_what_answers_unlike_a_proxy_is_none(busy: Address) -> None:
    assert machine.running(Address("127.0.0.1", 1)) is None


def test_an_origin_answers_or_not(busy: Address) -> None:
    assert machine.reach(busy).level == "ok"
    found = machine.reach(Address("127.0.0.1", 1))
    assert (found.level, found.what) == ("fail", "127.0.0.1:1 cannot be reached (Connection refused)")


def test_a_clock_before_the_release_was_made_is_wrong(tmp_path: Path) -> None:
    assert machine.clock(NOW, NOW + datetime.timedelta(days=1), tmp_path).level == "fail"
    assert machine.clock(NOW, NOW, tmp_path).level == "ok"


def test_captures_of_the_future_are_odd(tmp_path: Path) -> None:
    (tmp_path / "capture").touch()
    os.utime(tmp_path / "capture", (NOW.timestamp() + 7200,) * 2)
    assert machine.clock(NOW, NOW, tmp_path).level == "warn"


@pytest.mark.parametrize(
    ("limits", "level", "fix"),
    [
        ((1024, 1 << 20), "warn", "ulimit -n 65536"),
        ((1024, 2048), "warn", "raise LimitNOFILE"),
        ((8192, 8192), "ok", ""),
    ],
)
def test_open_files(monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], level: str, fix: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    found = machine.files()
    assert found.level == level
    assert found.fix.startswith(fix)


def test_a_route_is_looked_for_without_sending_anything() -> None:
    assert machine.route().level in ("ok", "warn")
