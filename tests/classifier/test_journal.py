"""The journal: events, labels and audit, safe for several threads and processes."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
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


def test_an_event_keeps_rule_label_and_what_the_user_saw(journal: Journal) -> None:
    told = msgspec.structs.replace(event(), rule="no scanners", label=Label.SCANNER)
    journal.event(told)
    journal.saw("e1", "a block page")
    assert journal.find("e1") == msgspec.structs.replace(told, seen="a block page")


def test_a_database_of_an_earlier_version_is_widened(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "sluice.db")
    connection.execute(
        "create table events (id text primary key, time real not null, record text not null, verdict text, "
        "action text not null, enforced integer not null, reason text not null, release text not null)"
    )
    connection.execute("insert into events values ('old', 1.0, '{}', null, 'flag', 0, 'why', 'm1')")
    connection.commit()
    connection.close()
    for _ in range(2):
        journal = Journal(tmp_path / "sluice.db")
        journal.event(event())
        found = journal.find("old")
        assert found is not None and (found.rule, found.label, found.seen) == ("", None, "")


def test_pruning_takes_what_is_old_or_too_much_and_leaves_what_was_labelled(journal: Journal) -> None:
    for number in range(6):
        journal.event(msgspec.structs.replace(event(f"e{number}", number), record=FlowRecord(id=f"f{number}")))
    journal.label("e0", "benign")
    journal.label("f1", "benign")
    journal.report("e2", "10.0.0.1")
    assert journal.prune(before=3.0, keep=100) == 1
    assert [e.id for e in journal.events()] == ["e5", "e4", "e3", "e1", "e0"]
    assert journal.reports() == []
    assert journal.prune(before=0.0, keep=2) == 1
    assert [e.id for e in journal.events()] == ["e5", "e4", "e1", "e0"]


def test_reports_wait_until_an_administrator_has_spoken(journal: Journal) -> None:
    for name in ("a", "b", "c"):
        journal.event(msgspec.structs.replace(event(name), record=FlowRecord(id=f"flow-{name}")))
    assert [journal.report(name, "10.0.0.1") for name in ("a", "b", "a")] == [True, True, False]
    assert [(r.event, r.client, r.times) for r in journal.reports()] == [("a", "10.0.0.1", 2), ("b", "10.0.0.1", 1)]
    journal.label("a", "benign", origin="eve")
    assert len(journal.reports()) == 2
    journal.label("flow-a", "benign")
    journal.label("b", "sqli")
    assert journal.reports() == []
    assert len(journal.reports(waiting=False)) == 2


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


def test_a_second_journal_of_a_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Else the last to close in another process takes the write-ahead log away, and the first can write no more."""
    first = Journal(tmp_path / "sluice.db")
    first.audit("one", "")
    second = Journal(tmp_path / "sluice.db")
    script = (
        "import sys; from classifier.journal import Journal; from pathlib import Path; j = Journal(Path(sys.argv[1]))"
    )
    run = [sys.executable, "-c", f"{script}; j.audit('two', ''); j.close()", str(tmp_path / "sluice.db")]
    subprocess.run(run, check=True, timeout=60)
    assert (tmp_path / "sluice.db-wal").exists()
    first.audit("three", "")
    assert [action for _, action, _ in second.audits()] == ["three", "two", "one"]
