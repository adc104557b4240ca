"""Servers come up, or say why not, and never stay behind."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from classifier.errors import UserError
from proxy.bench import servers
from proxy.bench.servers import Place


def command(*given: str) -> Callable[[Place], list[str]]:
    return lambda _: list(given)


def test_stock_is_compared_with_first() -> None:
    assert list(servers.VARIANTS) == ["stock", "core", "scored", "scored_cached", "crs"]


@pytest.mark.parametrize(("name", "cache"), [("scored", "cache = 0\n"), ("scored_cached", "")])
def test_the_scored_variants_are_the_proxy_as_shipped(tmp_path: Path, name: str, cache: str) -> None:
    given = servers.VARIANTS[name](Place(tmp_path, 1, 2, tmp_path / "own"))
    assert given[3] == "run"
    assert "--mode" not in given
    assert (tmp_path / "sluice.toml").read_text() == f'[model]\nregistry = "{tmp_path / "own"}"\n{cache}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((sys.executable, "-c", "raise SystemExit('first\\nport in use')"), "odd does not serve: port in use"),
        ((sys.executable, "-c", ""), "odd does not serve: it says nothing"),
        (("/no/such/program",), "cannot start /no/such/program: No such file or directory"),
    ],
)
def test_a_server_that_does_not_come_up_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], said: str
) -> None:
    monkeypatch.setitem(servers.VARIANTS, "odd", command(*given))
    with pytest.raises(UserError, match=said), servers.running("odd", tmp_path, None, "127.0.0.1:9"):
        pass


def test_a_process_that_ignores_the_signal_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STOP", 0.2)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    began = time.monotonic()
    with servers.stopping(process), process.stdout:
        process.stdout.readline()
    assert process.returncode == -9
    assert time.monotonic() - began < 60
