"""What the proxy sends to itself is judged off the record, and nobody else can have that."""

import json

import httpx
import pytest
from mitmproxy.test import tflow

from harness import Proxy
from proxy.rehearsal import MAX_AGE, PROGRAM, SIGNED, VERDICT, Rehearsal, Told
from proxy.tickets import key
from proxy.trace import BEAT

KEY = b"k" * 32


def signed(proxy: Proxy) -> dict[str, str]:
    return {SIGNED: Rehearsal(key(proxy.state / "keys")).sign()}


def told(answer: httpx.Response) -> Told:
    return Told(**json.loads(answer.headers[VERDICT]))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_attack_is_judged_and_stopped(enforcing: Proxy, scheme: str) -> None:
    with enforcing.client() as client:
        answer = client.get(f"{scheme}://sluice.internal/?q='", headers=signed(enforcing))
    assert answer.status_code == 403
    assert told(answer)[:3] == ("block", True, "sqli")
    assert "x-sluice-event" not in answer.headers


def test_in_monitor_mode_it_is_judged_and_passes(watching: Proxy) -> None:
    with watching.client() as client:
        answer = client.get("http://sluice.internal/?q='", headers=signed(watching))
    assert (answer.status_code, told(answer)[:3]) == (200, ("block", False, "sqli"))


def test_a_program_is_downloaded_to_be_judged_as_an_answer(watching: Proxy) -> None:
    with watching.client() as client:
        answer = client.get("http://sluice.internal/a.exe", headers=signed(watching))
    assert answer.content == PROGRAM
    assert told(answer).action == "allow", "the tiny model counts quotes"


def test_it_is_in_no_count(enforcing: Proxy) -> None:
    names = ("sluice_flows_total", "sluice_flows_closed_total")
    before = [enforcing.metric(name) for name in names]
    with enforcing.client() as client:
        client.get("https://sluice.internal/?q='", headers=signed(enforcing))
    assert [enforcing.metric(name) for name in names] == before


@pytest.mark.parametrize("value", ["", "rehearsal", Rehearsal(KEY).sign()], ids=["none", "unsigned", "another key"])
def test_without_our_signature_nothing_is_told(enforcing: Proxy, value: str) -> None:
    with enforcing.client() as client:
        answer = client.get("http://sluice.internal/?q='", headers={SIGNED: value})
    assert (answer.status_code, VERDICT in answer.headers) == (200, False), "the portal's setup page"


@pytest.mark.parametrize(("age", "admitted"), [(0, True), (MAX_AGE + 2, False)])
def test_a_signature_is_good_for_a_minute_and_is_taken_out(
    monkeypatch: pytest.MonkeyPatch, age: int, admitted: bool
) -> None:
    rehearsal, flow = Rehearsal(KEY), tflow.tflow()
    flow.request.headers[SIGNED] = rehearsal.sign()
    now = rehearsal._signer.get_timestamp()
    monkeypatch.setattr(rehearsal._signer, "get_timestamp", lambda: now + age)
    assert rehearsal.admits(flow) is admitted
    assert (SIGNED not in flow.request.headers, BEAT in flow.metadata) == (admitted, admitted)


def test_it_never_has_another_origin() -> None:
    flow = tflow.tflow()
    flow.metadata[BEAT] = True
    Rehearsal(KEY).request(flow)
    assert flow.response is not None
    Rehearsal(KEY).response(flow)
    assert json.loads(flow.response.headers[VERDICT])["action"] == "", "nothing judged it"


def test_other_flows_are_left_alone() -> None:
    flow = tflow.tflow(resp=True)
    before = flow.get_state()
    Rehearsal(KEY).request(flow)
    Rehearsal(KEY).response(flow)
    assert flow.get_state() == before
    bare = tflow.tflow()
    Rehearsal(KEY).request(bare)
    assert bare.response is None
