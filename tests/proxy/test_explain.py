from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.journal import Event, Journal
from classifier.records import FlowRecord
from inside import make_judge
from proxy.explain import describe, explain

FAILED = Event(
    id="e1", time=5.0, record=FlowRecord(host="a.example"), verdict=None, action="block", enforced=False,
    reason="not judged (nan)", release="r",
)  # fmt: skip


def test_an_event_without_a_verdict_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal(tmp_path / "sluice.db").event(FAILED)
    explain("e1", tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "monitor: not enforced" in shown and "not judged (nan)" in shown and "the page itself" in shown


def test_the_text_names_flow_reason_and_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge = make_judge(tmp_path)
    record = FlowRecord(method="GET", scheme="http", host="a.example", path="/?q='", time=5.0)
    explain(judge.judge(lambda: record, "request").decision.event, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    for part in ("GET http://a.example/?q=", "block", "threshold", "sqli", "a block page"):
        assert part in shown


def test_plain_values_hold_the_masked_flow() -> None:
    assert describe(FAILED)["flow"]["host"] == "a.example"
    assert describe(FAILED)["scores"] == {}


def test_what_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no events in"):
        explain("e1", tmp_path, as_json=False)
    Journal(tmp_path / "sluice.db")
    with pytest.raises(UserError, match="no event 'e1'"):
        explain("e1", tmp_path, as_json=False)
