import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge

from classifier.records import FlowRecord
from consoles import NOW, Admin, capture, event, row
from proxy.console.context import Console

NASTY = "<script>alert(1)</script>"


def test_the_first_page(admin: Admin, console: Console) -> None:
    event(console, "e1")
    text = admin.get("/").text
    assert "Protecting" in text and "policy.mode" in text and "/events/e1" in text and "foreign script" in text.lower()
    assert "<html" not in admin.get("/", hx_request="true").text
    console.status.mode = "monitor"
    assert "Watching only" in admin.get("/").text
    console.status.waiting = ["the model is not loaded"]
    assert "Not ready" in admin.get("/").text


def test_the_flow_log_is_filtered_and_goes_on(admin: Admin, console: Console) -> None:
    capture(console.status.state, *(row(f"f{number}", time=NOW + number) for number in range(60)), row("b", "block"))
    text = admin.get("/traffic").text
    assert "/f59" in text and "/f9<" not in text and "before=" in text
    assert "/f59" not in admin.get("/traffic?action=block").text
    part = admin.get("/traffic?action=block&host=shop&live=1", hx_request="true").text
    assert "<html" not in part and "every 2s" in part and "/events/event-b" in part
    assert "every 2s" not in admin.get("/traffic?live=1&before=1790000060").text
    assert admin.get("/traffic?minutes=60").text.count("/flows/") == 0
    assert admin.get("/traffic?minutes=x&before=y&limit=z").status_code == 200


@pytest.mark.parametrize("path", ["/events/none", "/flows/none?at=1", "/flows/none", "/flows/a/b?at=x"])
def test_what_is_not_there_is_said_so(admin: Admin, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, "Nothing of this number" in answer.text) == (404, True)


def test_an_event_and_a_flow_that_passed(admin: Admin, console: Console) -> None:
    event(console, "e1")
    capture(console.status.state, row("a/b"))
    assert "90\xa0% sure" in admin.get("/events/e1").text
    assert "harmless" in admin.get(f"/flows/a%2Fb?at={NOW}").text.lower()


def test_what_carried_a_score(admin: Admin, console: Console) -> None:
    record = FlowRecord(id="f", time=NOW, host="shop.example", method="GET", scheme="http", path="/item?id=1'")
    event(console, "e1", record=record)
    text = admin.get("/events/e1/why").text
    assert "<mark" in text and "Without the marked text" in text
    assert "No event" in admin.get("/events/none/why").text


def test_nothing_of_a_flow_reaches_a_page_unescaped(admin: Admin, console: Console) -> None:
    pairs = ((NASTY, NASTY),)
    record = FlowRecord(
        id=NASTY, time=NOW, client=NASTY, host=NASTY, method=NASTY, scheme="http", path=f"/{NASTY}", status=200,
        request_headers=pairs, response_headers=pairs, request_body=NASTY.encode(),
    )  # fmt: skip
    event(console, "e1", record=record, rule=NASTY, reason=NASTY, seen=NASTY, release=NASTY)
    capture(console.status.state, row(NASTY, host=NASTY, path=f"/{NASTY}", client=NASTY, method=NASTY))
    for path in ("/", "/traffic", f"/traffic?host={NASTY}&text={NASTY}", "/events/e1", "/review", "/events/e1/why",
                 f"/exceptions?host={NASTY}&reason={NASTY}"):  # fmt: skip
        text = admin.get(path).text
        assert NASTY not in text, path
    assert NASTY.replace("<", "&lt;").replace(">", "&gt;") in admin.get("/events/e1").text


def test_the_queue_goes_on_after_each_word(admin: Admin, console: Console) -> None:
    event(console, "e1")
    event(console, "e2", action="flag")
    assert 'value="e1"' in admin.get("/review").text
    assert 'value="e2"' in admin.get("/review?at=1", hx_request="true").text
    assert 'value="e2"' in admin.get("/review?at=99").text and 'value="e1"' in admin.get("/review?at=-1").text
    fields = {"flow": "e1", "label": "benign", "from": "review", "at": "0"}
    after = admin.post("/label", **fields)
    assert (after.status_code, 'value="e2"' in after.text) == (200, True)
    assert "Nothing waits" in admin.post("/label", **fields | {"flow": "e2"}).text


@pytest.mark.parametrize(
    ("origin", "to"),
    [("/events/e1", "/events/e1"), ("//evil.example", "/traffic"), ("https://evil.example", "/traffic")],
)
def test_a_word_leads_back_to_where_it_was_said(admin: Admin, origin: str, to: str) -> None:
    answer = admin.post("/label", **{"flow": "e1", "label": "sqli", "from": origin})
    assert (answer.status_code, answer.headers["location"]) == (303, to)


def test_an_exception_from_the_log(admin: Admin, console: Console) -> None:
    applied: list[int] = []

    async def apply() -> None:
        applied.append(len(console.exceptions.every()))

    console.status.apply = apply
    fields: dict[str, Any] = {"host": "shop.example", "path": "/q", "label": "sqli", "reason": "by design", "days": "1"}
    assert admin.post("/exceptions", **fields).headers["location"] == "/exceptions"
    text = admin.get("/exceptions").text
    assert "by design" in text and "attack on a database" in text
    (made,) = console.exceptions.every()
    assert admin.post(f"/exceptions/{made.name}/remove").status_code == 303
    assert applied == [1, 0]


@pytest.mark.parametrize("change", [{"host": ""}, {"reason": ""}, {"client": "x"}, {"days": "soon"}])
def test_a_wrong_exception_keeps_what_was_typed(admin: Admin, console: Console, change: dict[str, str]) -> None:
    fields = {"host": "shop.example", "path": "/typed", "reason": "by design", "days": "1", **change}
    answer = admin.post("/exceptions", **fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text and 'value="/typed"' in answer.text
    assert console.exceptions.every() == []


def test_a_skipped_flow_comes_last_and_a_word_can_be_taken_back(admin: Admin, console: Console) -> None:
    event(console, "e1")
    event(console, "e2", action="flag")
    after = admin.post("/review/skip", flow="e1", at="0")
    assert 'name="flow" value="e2"' in after.text and "Skipped." in after.text
    after = admin.post("/label/undo", flow="e1", how="skip", at="0")
    assert 'name="flow" value="e1"' in after.text and "Undo" not in after.text
    after = admin.post("/label", **{"flow": "e1", "label": "benign", "from": "review"})
    assert "Saved." in after.text and console.journal.labels()
    assert 'name="flow" value="e1"' in admin.post("/label/undo", flow="e1", how="label").text
    assert console.journal.labels() == {}


def test_exceptions_of_the_configuration_are_listed_but_not_removed(
    admin: Admin, console: Console, tmp_path: Path
) -> None:
    console.status.config = tmp_path / "sluice.toml"
    console.status.config.write_text(
        f'[[policy.exceptions]]\nhost = ["a.example", "b.example"]\nmethod = "POST"\nowner = "me"\n'
        f'reason = "{NASTY}"\nexpires = 2030-12-31\n'
    )
    text = admin.get("/exceptions").text
    assert "a.example, b.example" in text and "method POST" in text and "2030-12-31 23:59" in text
    assert "in <code>sluice.toml</code>" in text and NASTY not in text and "Remove" not in text
    console.status.config.write_text("broken [")
    assert "There is none" in admin.get("/exceptions").text


def test_the_first_page_shows_the_day_and_what_moved(admin: Admin, console: Console) -> None:
    capture(console.status.state, row("f1", time=time.time()), row("f2", "block", time=time.time()))
    gauge = console.status.registry._names_to_collectors["sluice_drift_psi"]
    assert isinstance(gauge, Gauge)
    gauge.labels("request", "score").set(0.3)
    gauge.labels("response", "score").set(float("nan"))
    text = admin.get("/").text
    assert '<rect class="block"' in text and "1 passed, 0 flagged, 1 blocked" in text
    assert "Requests, how harmful they look" in text and "a lot" in text and "Answers" not in text
