import json
import shutil
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from classifier.errors import UserError
from classifier.features import vectorize
from classifier.journal import Event, Journal
from classifier.records import FlowRecord, Label
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.shown import url
from classifier.store import CaptureRow, CaptureWriter
from classifier.thresholds import Thresholds
from models import tiny_release
from proxy.explain import describe, explain
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.policy import Policy

QUOTED = FlowRecord(method="GET", scheme="http", host="a.example", port=8080, path="/list?page=2&q=it''s", time=5.0)

FAILED = Event(
    id="e1", time=5.0, record=FlowRecord(host="a.example"), verdict=None, action="block", enforced=False,
    reason="not judged (nan)", release="r",
)  # fmt: skip


def test_an_event_without_a_verdict_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal(tmp_path / "sluice.db").event(FAILED)
    explain("e1", None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "monitor: not enforced" in shown and "not judged (nan)" in shown and "the page itself" in shown


def judged(folder: Path, record: FlowRecord) -> str:
    """The id of the event that a served release makes of a record."""
    registry = Registry(folder)
    release = registry.publish(tiny_release(folder / "made"))
    model = registry.load(release)
    policy = Policy(Thresholds(model.card.operating_points), mode="enforce")
    judge = Judge(Scorer(model), policy, Metrics(CollectorRegistry()), Journal(folder / "sluice.db"))
    return judge.judge(lambda: record, "request").decision.event


def test_the_text_names_flow_reason_scores_and_spans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(judged(tmp_path, QUOTED), None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    for part in (
        "GET http://a.example:8080/list?page=2&q=it''s",
        "decision  block",
        "reason    threat 1 reaches the block threshold",
        "sqli 1.0",
        "a block page",
        "query parameter `q`  +",
        "q=it[['']]s\n",
        "without   threat 0.0",
        "instead of 1.0000",
    ):
        assert part in shown, shown
    assert "\x1b" not in shown


def test_the_object_holds_the_spans_and_the_score_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(judged(tmp_path, QUOTED), None, tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    (span,) = told["spans"]
    assert (span["part"], span["start"], span["end"], span["text"]) == ("query parameter `q`", 4, 6, "''")
    assert span["weight"] > 2 and told["without"] < 0.1 and (told["subject"], told["note"]) == ("threat", "")


def test_a_release_that_is_gone_is_named_and_the_event_still_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = judged(tmp_path, QUOTED)
    shutil.rmtree(tmp_path / "models")
    explain(event, None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "the release that judged cannot be asked again: no release" in shown and "reason    threat" in shown
    explain(event, None, tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["spans"] == [] and told["without"] is None and "no release" in told["note"]


def test_the_registry_of_the_configuration_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = judged(tmp_path / "state", QUOTED)
    (tmp_path / "other").mkdir()
    for folder in ("models", "keys"):
        (tmp_path / "state" / folder).rename(tmp_path / "other" / folder)
    file = tmp_path / "sluice.toml"
    file.write_text(f'[model]\nregistry = "{tmp_path / "other"}"\n')
    explain(event, file, tmp_path / "state", as_json=False)
    assert "[['']]" in capsys.readouterr().out


def test_what_a_terminal_would_act_on_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = FlowRecord(method="POST", host="a.example", path="/\x1b[2J", request_body=b"a=\x1b]0;\x9b''\nx")
    explain(judged(tmp_path, record), None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x9b" not in shown and "/\\x1b[2J" in shown and "[['']]\\nx" in shown


def test_long_texts_are_shown_around_the_span(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = FlowRecord(method="POST", host="a.example", path="/", request_body=b"word " * 100 + b"''" + b" end" * 100)
    explain(judged(tmp_path, record), None, tmp_path, as_json=False)
    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if "[[" in line and "]]" in line and "word" in line
    ]
    assert line.strip().startswith("…") and line.endswith("…") and len(line) < 120


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (FlowRecord(scheme="http", host="a.example", port=80, path="/p"), "http://a.example/p"),
        (FlowRecord(scheme="https", host="a.example", port=8443, path="/p"), "https://a.example:8443/p"),
        (FlowRecord(scheme="http", host="2001:db8::1", port=8080, path="/"), "http://[2001:db8::1]:8080/"),
        (FlowRecord(kind="tls", sni="a.example", port=443, phase="connect"), "a.example:443"),
        (FlowRecord(kind="dns", qname="q.example"), "q.example"),
        (FlowRecord(), ""),
    ],
)
def test_an_address_has_its_port_where_it_is_not_the_usual_one(record: FlowRecord, shown: str) -> None:
    assert url(record) == shown


def test_plain_values_hold_the_masked_flow() -> None:
    assert describe(FAILED)["flow"]["host"] == "a.example"
    assert describe(FAILED)["scores"] == {}


def test_what_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no events in"):
        explain("e1", None, tmp_path, as_json=False)
    Journal(tmp_path / "sluice.db")
    with pytest.raises(UserError, match="no event or captured flow 'e1'"):
        explain("e1", None, tmp_path, as_json=False)


def test_rule_label_and_what_the_user_saw_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = msgspec.structs.replace(FAILED, enforced=True, rule="no-go", label=Label.C2, seen="a block page (de)")
    Journal(tmp_path / "sluice.db").event(told)
    explain("e1", None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "rule      no-go\n" in shown and "user saw  a block page (de)\n" in shown
    explain("e1", None, tmp_path, as_json=True)
    fields = json.loads(capsys.readouterr().out)
    assert (fields["rule"], fields["label"], fields["seen"]) == ("no-go", "c2", "a block page (de)")


def test_a_flow_that_passed_is_found_in_the_captures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path)
    model = registry.load(registry.publish(tiny_release(tmp_path / "made")))
    Journal(tmp_path / "sluice.db")
    writer = CaptureWriter(tmp_path / "captures", worker="0", max_age=1e10, max_bytes=10**9)
    record = FlowRecord(id="flow-1", method="GET", scheme="http", host="a.example", path="/calm", time=5.0)
    verdict = Scorer(model).score(vectorize(record))
    writer.offer(CaptureRow(record=record, verdicts={"request": verdict}, release=model.release))
    writer.close()
    explain("flow-1", None, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    assert "http://a.example/calm" in shown and "decision  allow\n" in shown and "the page itself" in shown
    assert f"release   {model.release}" in shown
