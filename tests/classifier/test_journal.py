"""The journal: events, labels and audit, safe for several threads and processes."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.journal import Event, Journal
from classifier.records import FlowRecord, Label, Verdict


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "sluice.db")


def event(name: str = "e1", moment: float = 10.0, verdict: bool = True) -> Event:
    scores = {Label.SQLI: 0.75, Label.BENIGN: 0.25}
    return Event(
        id=name,
        time=moment,
        record=FlowRecord(id="f1", host="shop.example", path="/?q=ü", request_body=b"\xff\x00"),
        verdict=Verdict(label=Label.SQLI, threat=0.75, scores=scores, model="m1") if verdict else None,
        action="block",
        enforced=False,
        reason="threat",
        release="m1",
    )


@pytest.mark.parametrize("verdict", [True, False])
def test_an_event_is_found_as_it_was_written(journal: Journal, verdict: bool) -> None:
    journal.event(event(verdict=verdict))
    assert journal.find("e1") == event(verdict=verdict)
    assert journal.find("e2") is None


def test_events_come_newest_first_and_can_be_forgotten(journal: Journal) -> None:
    for moment in (1.0, 3.0, 2.0):
        journal.event(event(f"e{moment:.0f}", moment))
    assert [e.id for e in journal.events(2)] == ["e3", "e2"]
    assert journal.forget(before=2.5) == 2
    assert [e.id for e in journal.events()] == ["e3"]


def test_the_file_is_private(journal: Journal) -> None:
    journal.audit("start", "")
    assert {path.stat().st_mode & 0o777 for path in journal.path.parent.iterdir()} == {0o600}


def test_an_administrator_outranks_then_the_latest_wins(journal: Journal) -> None:
    journal.label("a", "benign")
    journal.label("a", "sqli", origin="eve")
    journal.label("b", "sqli", 0.5, "eve")
    journal.label("b", "xss", 0.25, "report")
    journal.label("c", "xss")
    journal.label("c", "benign")
    labels = journal.labels()
    assert {flow: (row.label, row.weight, row.origin) for flow, row in labels.items()} == {
        "a": (Label.BENIGN, 1.0, "admin"),
        "b": (Label.XSS, 0.25, "report"),
        "c": (Label.BENIGN, 1.0, "admin"),
    }


@pytest.mark.parametrize(("label", "weight"), [("bad", 1.0), ("sqli", 1.5), ("sqli", float("nan"))])
def test_a_wrong_label_is_refused(journal: Journal, label: str, weight: float) -> None:
    with pytest.raises(UserError):
        journal.label("a", label, weight)


def test_audit_keeps_order(journal: Journal) -> None:
    journal.audit("promote", "m1")
    journal.audit("rollback", "m0")
    assert [(action, detail) for _, action, detail in journal.audits()] == [("rollback", "m0"), ("promote", "m1")]


def test_threads_and_processes_write_at_once(journal: Journal) -> None:
    code = "import sys; from classifier.journal import Journal\nfor _ in range(50): Journal(sys.argv[1]).audit('p', '')"
    process = subprocess.Popen([sys.executable, "-c", code, str(journal.path)])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: journal.event(event(f"e{n}")), range(100)))
    assert process.wait() == 0
    assert len(journal.events(1000)) == 100 and len(journal.audits(1000)) == 50


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello, " * 1000)
    (tmp_path / "dir.db").mkdir()
    for name in ("x.db", "dir.db", "x.db/y.db"):
        with pytest.raises(UserError, match="cannot open"):
            Journal(tmp_path / name)


def test_closing_lets_the_thread_start_anew(journal: Journal) -> None:
    journal.close()
    journal.audit("again", "")
    assert len(journal.audits()) == 1
    with pytest.raises(sqlite3.Error):
        journal._connection.execute("select * from nothing")
