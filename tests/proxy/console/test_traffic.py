import os
from pathlib import Path
from typing import Any

import pytest

from classifier.records import Label
from consoles import NOW, capture, row
from proxy.console import traffic
from proxy.console.traffic import Query, search


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Two files: an older and a newer one."""
    capture(
        tmp_path,
        row("a", time=NOW, client="10.0.0.7"),
        row("b", "block", Label.SQLI, 0.9, time=NOW + 1, host="Reports.example", path="/q?sql=SELECT"),
        row("c", time=NOW + 2, phase="connect", path="", method=""),
    )
    capture(
        tmp_path,
        row("d", "flag", Label.XSS, 0.5, time=NOW + 3, client="10.0.1.7"),
        row("e", time=NOW + 4, sni="inner.example", host="", scheme="", kind="tls"),
    )
    return tmp_path / "captures"


def ids(captures: Path, **query: Any) -> str:
    return "".join(flow.id for flow in search(captures, Query(**query)).flows)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "edba"),
        ({"connections": True}, "edcba"),
        ({"action": "block"}, "b"),
        ({"label": "xss"}, "d"),
        ({"host": "reports"}, "b"),
        ({"host": "inner"}, "e"),
        ({"client": "10.0.1."}, "d"),
        ({"text": "select"}, "b"),
        ({"text": "%"}, ""),
        ({"since": NOW + 3}, "ed"),
        ({"before": NOW + 3}, "ba"),
        ({"limit": 2}, "ed"),
        ({"limit": -5}, "e"),
        ({"action": "allow", "host": "shop"}, "a"),
    ],
)
def test_a_search(captures: Path, query: dict[str, Any], found: str) -> None:
    assert ids(captures, **query) == found


def test_pages_follow_each_other_without_gaps(captures: Path) -> None:
    seen, before = "", 0.0
    while True:
        found = search(captures, Query(limit=1, before=before))
        seen += "".join(flow.id for flow in found.flows)
        if not found.older:
            break
        before = found.older
    assert seen == "edba"


def test_a_line_of_the_log(captures: Path) -> None:
    (flow,) = search(captures, Query(action="block")).flows
    assert flow.address == "https://Reports.example/q?sql=SELECT"
    assert (flow.label, flow.threat, flow.event, flow.enforced) == ("sqli", 0.9, "event-b", True)


def test_a_search_that_takes_too_long_says_how_far_it_got(captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, path in enumerate(sorted(captures.rglob("*.parquet"), key=lambda path: path.stat().st_mtime)):
        os.utime(path, (NOW + 10 + number, NOW + 10 + number))
    monkeypatch.setattr(traffic, "PATIENCE", -1.0)
    found = search(captures, Query())
    assert (found.flows, found.stopped, found.older) == ([], True, NOW + 11)
    monkeypatch.undo()
    assert ids(captures, before=found.older) == "edba"


def test_damaged_files_are_passed_over(captures: Path) -> None:
    folder = next(captures.glob("date=*/proxy=*"))
    (folder / "broken.parquet").write_bytes(b"PAR1")
    (folder / "broken.arrows").write_bytes(b"x")
    (folder / "note.txt").write_text("")
    assert ids(captures) == "edba"


def test_where_there_are_no_captures_nothing_is_found(tmp_path: Path) -> None:
    assert search(tmp_path / "captures", Query()).flows == []


def test_all_of_one_flow(captures: Path) -> None:
    found = traffic.row(captures, "b", NOW + 1)
    assert found is not None and found.record.path == "/q?sql=SELECT" and found.action == "block"
    assert traffic.row(captures, "b", NOW + 100) is None
    assert traffic.row(captures, "z", NOW) is None


def test_a_long_address_is_cut(tmp_path: Path) -> None:
    capture(tmp_path, row("a", path="/" + "x" * 5000))
    (flow,) = search(tmp_path / "captures", Query()).flows
    assert len(flow.address) == 301 and len(flow.path) == 300
