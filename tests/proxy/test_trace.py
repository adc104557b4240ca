from mitmproxy.test import tflow

from classifier.features import SCHEMA, vectorize
from classifier.records import LABELS, FlowRecord, Label, Phase, Verdict
from proxy.judge import Judgement
from proxy.policy import Decision
from proxy.trace import Trace, Tunnels

VERDICT = Verdict(Label.SQLI, 0.9, dict.fromkeys(LABELS, 0.0), "m")


def judged(phase: Phase, action: str, *, event: str = "", verdict: Verdict | None = VERDICT) -> Judgement:
    record = FlowRecord(id="f", phase=phase)
    features = None if verdict is None else vectorize(record)
    return Judgement(Decision(action, True, "", Label.SQLI, event=event), record, verdict, features, "m")  # type: ignore[arg-type]


def test_a_flow_never_judged_has_no_row() -> None:
    assert Trace().row() is None


def test_the_row_is_the_latest_record_with_the_strictest_decision() -> None:
    trace = Trace()
    for judgement in (judged("request", "flag", event="e1"), judged("response", "allow")):
        trace.add(judgement)
    row = trace.row()
    assert row is not None
    assert (row.record.phase, row.action, row.event, row.schema, row.release) == ("response", "flag", "e1", SCHEMA, "m")
    assert row.verdicts.keys() == {"request", "response"}
    assert not trace.blocks


def test_a_flow_that_failed_keeps_what_is_known() -> None:
    trace = Trace()
    trace.add(judged("request", "block", event="e1", verdict=None))
    row = trace.row()
    assert row is not None
    assert (row.verdicts, row.schema, list(row.numbers), row.action) == ({}, "", [], "block")
    assert trace.blocks


def test_a_tunnel_lives_as_long_as_its_client() -> None:
    tunnels, client = Tunnels(), tflow.tclient_conn()
    assert tunnels.get(client) is None
    tunnel = tunnels.open(client)
    assert tunnels.open(client) is tunnel is tunnels.get(client)
    assert tunnels.pop(client) is tunnel
    assert tunnels.pop(client) is None
