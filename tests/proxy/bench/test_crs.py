"""The peer judges with the packaged rules, passes everything on, and says what it lacks."""

from pathlib import Path

import pytest

from proxy.bench import crs, servers
from proxy.bench.origin import __name__ as origin_module
from proxy.bench.run import _line, _process


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(crs, "nginx", lambda: "/bin/true")
    for name in ("MODULE", "ENGINE", "SETUP", "RULES"):
        monkeypatch.setattr(crs, name, tmp_path)
    assert crs.missing() == ""
    monkeypatch.setattr(crs, "SETUP", tmp_path / "none.conf")
    assert crs.missing() == str(tmp_path / "none.conf")
    monkeypatch.setattr(crs, "nginx", lambda: None)
    assert crs.missing() == "nginx"


def test_the_engine_judges_and_stops_nothing(tmp_path: Path) -> None:
    crs.command(tmp_path, 1, "127.0.0.1:2")
    assert "SecRuleEngine DetectionOnly" in (tmp_path / "rules.conf").read_text()
    assert "listen 127.0.0.1:1" in (tmp_path / "nginx.conf").read_text()


@pytest.mark.skipif(bool(crs.missing()), reason="ModSecurity with CRS is not installed")
def test_it_passes_requests_on_to_the_origin(tmp_path: Path) -> None:
    with _process(origin_module) as origin:
        authority = f"127.0.0.1:{int(_line(origin))}"
        with servers.running("crs", tmp_path, None, authority) as server:
            assert servers.fetch(server.place.port, f"http://{authority}/?q='+or+1=1--")[0] == 200
