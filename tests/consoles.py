"""A console over a state of its own, without a proxy: for tests of single pages and answers."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from mitmproxy.certs import create_ca
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from classifier.journal import Event, Journal
from classifier.records import FlowRecord, Label, Verdict
from classifier.registry import Registry
from classifier.store import CaptureRow, CaptureWriter
from models import tiny_release
from proxy.console.context import Console, make
from proxy.console.status import Status
from proxy.metrics import Metrics
from proxy.policy import Decision

PASSWORD: Final = "correct horse"
NOW: Final = 1_790_000_000.0
LOCAL: Final[dict[str, Any]] = {
    "base_url": "http://127.0.0.1:8081", "client": ("127.0.0.1", 5000), "follow_redirects": False,
}  # fmt: skip


def make_console(status: Status) -> Console:
    """A console over the state of `status`; nobody has chosen a password."""
    return make(status, Journal(status.state / "sluice.db"))


class Admin:
    """Somebody who is logged in."""

    def __init__(self, client: TestClient, console: Console) -> None:
        self.client = client
        cookie = console.sessions.open()
        client.cookies.set("sluice_session", cookie)
        self.token = console.sessions.form_token(console.sessions.check(cookie))

    def get(self, path: str, **headers: str) -> Any:
        """A page."""
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, page: str, **fields: str) -> Any:
        """A form, with its token."""
        return self.client.post(page, data={"form_token": self.token, **fields})


def make_status(folder: Path) -> Status:
    """What a proxy would tell that has allowed, flagged and blocked one request each, under a tiny release."""
    (folder / "ca.pem").write_bytes(authority())
    registry, state = CollectorRegistry(), folder / "state"
    metrics = Metrics(registry)
    for action, label in (("allow", Label.BENIGN), ("block", Label.XSS), ("flag", Label.SQLI)):
        metrics.decided("request", Decision(action, True, "", label))  # type: ignore[arg-type]
    metrics.closed("full")
    metrics.closed("partial")
    metrics.missed("websocket")
    release = Registry(state).publish(tiny_release(folder / "release"))
    Registry(state).promote(release)
    return Status(
        ca=folder / "ca.pem", mode="enforce", cause="policy.mode", registry=registry, state=state, home=state,
        listen="127.0.0.1:8080", release=release, provider="CPUExecutionProvider", waiting=[],
    )  # fmt: skip


@cache
def authority() -> bytes:
    """A certificate authority, PEM."""
    _, made = create_ca("Sluice", "Sluice", 2048)
    return made.public_bytes(Encoding.PEM)


def event(console: Console, name: str = "e1", **fields: Any) -> Event:
    """Write down an event."""
    record = FlowRecord(
        id=f"flow-{name}", time=NOW, client="10.0.0.7", host="shop.example", method="GET", scheme="http",
        path="/item?id=1%27--", port=80,
    )  # fmt: skip
    release = console.status.release
    told: dict[str, Any] = {
        "id": name, "time": record.time, "record": record, "action": "block", "enforced": True, "release": release,
        "verdict": Verdict(Label.SQLI, 0.9, {Label.SQLI: 0.9, Label.BENIGN: 0.1}, release), "label": Label.SQLI,
        "reason": "threat 0.9 reaches the block threshold 0.8", **fields,
    }  # fmt: skip
    found = Event(**told)
    console.journal.event(found)
    return found


def capture(state: Path, *rows: CaptureRow) -> None:
    """Write captures and seal them."""
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e10, max_bytes=1 << 30)
    for each in rows:
        writer.offer(each)
    writer.close()


def row(
    name: str, action: str = "allow", label: Label = Label.BENIGN, threat: float = 0.01, **fields: Any
) -> CaptureRow:
    """One captured flow."""
    told: dict[str, Any] = {
        "id": name, "time": NOW, "client": "10.0.0.7", "host": "shop.example", "port": 443, "method": "GET",
        "scheme": "https", "path": f"/{name}", "status": 200, "phase": "response", **fields,
    }  # fmt: skip
    record = FlowRecord(**told)
    return CaptureRow(
        record=record, verdicts={record.phase: Verdict(label, threat, {label: 1.0}, "r")}, action=action, enforced=True,
        event=f"event-{name}" if action != "allow" else "", release="r",
    )  # fmt: skip
