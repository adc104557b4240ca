"""The pages of releases, trials, comparisons and learning, as somebody who is logged in sees them."""

import time
from pathlib import Path
from typing import Any

import pytest

from classifier.records import Label
from consoles import Admin, capture, row
from models import tiny_release
from proxy.console.context import Console
from proxy.console.learning import Run

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def other(console: Console, tmp_path: Path) -> str:
    """A release beside the one in service, which sees nothing in a quote."""
    return console.registry.publish(tiny_release(tmp_path / "blind", weight=0.0))


def test_releases_are_put_in_service(admin: Admin, console: Console) -> None:
    name = console.status.release
    assert "in service" in admin.get("/releases").text
    assert admin.post("/rollback").headers["location"] == "/releases"
    assert console.registry.resolve() != name
    assert admin.post(f"/releases/{name}/promote").status_code == 303
    assert console.registry.resolve() == name
    assert console.journal.audits()[0][1:] == ("serve", f"{name} put in service from the console")
    refused = admin.post("/releases/nonsense/promote")
    assert (refused.status_code, "no release" in refused.text) == (409, True)


def test_a_release_is_tried_and_sent_home(admin: Admin, console: Console, other: str) -> None:
    assert "on trial" not in admin.get("/releases").text
    assert admin.post(f"/releases/{other}/try/shadow").headers["location"] == "/releases"
    assert console.registry.followed("shadow") == other
    part = admin.get("/releases", hx_request="true").text
    assert "<html" not in part and "watches only" in part and "The same decision" in part
    assert admin.post("/trials/shadow/withdraw").status_code == 303
    assert console.registry.followed("shadow") is None
    assert console.journal.audits()[0][1:] == ("serve", f"{other} no longer on trial as shadow")
    assert admin.post("/trials/shadow/withdraw").status_code == 409
    assert admin.post(f"/releases/{other}/try/stable").status_code == 409


def test_what_would_change_is_found_while_one_waits(admin: Admin, console: Console, other: str) -> None:
    capture(console.status.state, row("loud", "block", Label.SQLI, 0.99, path=f"/{NASTY}?q=''''"), row("calm"))
    page = f"/releases/{other}/diff"
    assert "Compare</button>" in admin.get(page).text
    assert admin.post(page).headers["location"] == f"{page}?before={console.status.release}"
    assert "every 1s" in admin.get(page, hx_request="true").text
    assert admin.post(page).status_code == 409
    while console.changes.running:
        time.sleep(0.1)
    text = admin.get(page).text
    assert "blocked before, passed then" in text and "Compare again" in text
    assert NASTY not in text and "&lt;script&gt;" in text
    assert "Compare</button>" in admin.get(f"{page}?before=another").text


def test_learning_is_started_and_followed(admin: Admin, console: Console) -> None:
    assert "disabled" in admin.get("/learning").text
    console.journal.label("f1", Label.BENIGN)
    assert "disabled" not in admin.get("/learning").text
    assert admin.post("/learning").headers["location"] == "/learning"
    assert "Learning now" in admin.get("/learning").text
    assert admin.post("/learning").status_code == 409
    while console.learning.running:
        text = admin.get("/learning", hx_request="true").text
        assert "every 1s" in text or not console.learning.running  # it may have ended while the page was made
        time.sleep(0.1)
    assert "It did not work" in admin.get("/learning").text


def test_earlier_runs_and_their_reports_stay(admin: Admin, console: Console) -> None:
    report = console.status.state / "finetune" / "reports" / "1.html"
    report.parent.mkdir(parents=True)
    report.write_text("<style>p{color:red}</style><p>told</p>")
    for started in (5.0, 6.0):
        outcome: dict[str, Any] = {"release": None, "report": str(report), "gates": []}
        console.learning._kept.put(Run(started=started, ended=started + 1, state="refused", outcome=outcome))
    text = admin.get("/learning").text
    assert "not good enough" in text and "/learning/5.0/report" in text
    shown = admin.get("/learning/5.0/report")
    assert "told" in shown.text and "sandbox" in shown.headers["content-security-policy"]
    assert "script-src" not in shown.headers["content-security-policy"]
    assert [admin.get(f"/learning/{name}/report").status_code for name in ("7.0", "x")] == [404, 404]
