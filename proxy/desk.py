"""The block page's two buttons: "report a mistake", and "continue anyway" where the policy allows it.

Both post a ticket to a path of the blocked site itself, so that no other address has to be reachable or trusted. The
proxy answers only what it signed: without a ticket of ours such a path is the site's own business, and a page elsewhere
cannot press a button for its reader.

1. A report names an event. It is kept once, however often it is pressed, and shown first in the review queue.
2. A permission is for one client, host and path, for as long as `continue_once` says. It is written to the journal's
   database, where every worker finds it; only a digest of what it is for is stored.
3. A rule's block, a failure's, and one for a label of `never_continue` are never lifted.
"""

import hashlib
import hmac
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from mitmproxy.http import HTTPFlow, Response

from classifier.journal import Journal
from classifier.records import FlowRecord, Label, text
from proxy import observe, respond, tickets
from proxy.metrics import Metrics, Outcome
from proxy.page import CONTINUE, REPORT, Offers
from proxy.policy import Decision
from proxy.tickets import Purpose, Tickets

log = logging.getLogger(__name__)

REPORT_AGE: Final = 86400.0
"""Seconds after which a page's report button no longer works."""
BUTTONS: Final = 12
PERIOD: Final = 600.0
"""A client may press so many buttons in so many seconds."""
LONGEST: Final = 2048
"""Characters of a path that a permission is given for."""
_PATHS: Final[dict[bytes, Purpose]] = {REPORT.encode(): "report", CONTINUE.encode(): "continue"}
_SCHEMA: Final = (
    "create table if not exists passes (place text primary key, until real not null, event text not null)",
    "create table if not exists presses (client text not null, time real not null)",
)


class Terms(NamedTuple):
    """What the policy allows the readers of block pages; `window` seconds of permission, 0 none."""

    window: float = 0.0
    never: frozenset[Label] = frozenset()
    contact: str = ""

    def liftable(self, decision: Decision) -> bool:
        """Whether a block may be lifted by whom it stopped."""
        return self.window > 0 and decision.modelled and decision.label not in self.never


class Desk:
    """Hands out tickets and takes them back. `terms` may be changed while it runs."""

    def __init__(
        self, key: bytes, journal: Journal, metrics: Metrics, terms: Terms, clock: Callable[[], float] = time.time
    ) -> None:
        self.terms = terms
        self._key, self._tickets = key, Tickets(key)
        self._journal, self._metrics, self._clock = journal, metrics, clock
        for statement in _SCHEMA:
            journal.write(statement)

    def offers(self, flow: HTTPFlow, decision: Decision) -> Offers:
        """What the page about `decision` on `flow` may offer."""
        client, host, path = _place(flow)
        told = {"event": decision.event, "client": client, "host": host, "path": path}
        resume = self.terms.liftable(decision) and path.startswith("/") and len(path) <= LONGEST
        return Offers(
            report=self._tickets.issue("report", {"event": decision.event}),
            resume=self._tickets.issue("continue", told) if resume else "",
            contact=self.terms.contact,
        )

    def answer(self, flow: HTTPFlow) -> Response | None:
        """The answer to a pressed button; None when the flow is something else."""
        purpose = _PATHS.get(flow.request.data.path)
        if purpose is None or flow.request.data.method != b"POST":
            return None
        age = REPORT_AGE if purpose == "report" else self.terms.window
        told = self._tickets.read(purpose, _ticket(flow), age)
        if told is None:
            return None
        if not told:
            return self._note(flow, purpose, "refused", 410, "expired")
        if self._often(_place(flow)[0]):
            return self._note(flow, purpose, "limited", 429, "limited")
        return self._report(flow, told) if purpose == "report" else self._continue(flow, told)

    def permitted(self, record: FlowRecord, decision: Decision) -> str:
        """The event whose block the client was allowed to pass by here and now, empty when there is none."""
        if not self.terms.liftable(decision):
            return ""
        try:
            place = self._digest(record.client, record.host, record.path)
            found = self._journal.rows("select event from passes where place = ? and until > ?", place, self._clock())
        except sqlite3.Error as error:
            log.error("permissions cannot be read: %s", error)
            return ""
        return str(found[0][0]) if found else ""

    def _report(self, flow: HTTPFlow, told: dict[str, str]) -> Response:
        event = told.get("event", "")
        if self._journal.find(event) is None:
            return self._note(flow, "report", "refused", 410, "expired")
        first = self._journal.report(event, _place(flow)[0])
        if first:
            self._journal.audit("report", f"a user reported event {event} as a mistake")
        return self._note(flow, "report", "done", 200, "reported" if first else "repeated")

    def _continue(self, flow: HTTPFlow, told: dict[str, str]) -> Response:
        event = self._journal.find(told.get("event", ""))
        client, host, _ = _place(flow)
        path = told.get("path", "")
        allowed = event is not None and event.label not in self.terms.never
        if not allowed or not self.terms.window or (told.get("client"), told.get("host")) != (client, host):
            return self._note(flow, "continue", "refused", 403, "refused")
        assert event is not None
        now = self._clock()
        self._journal.write("delete from passes where until < ?", now)
        until = now + self.terms.window
        self._journal.write(
            "insert or replace into passes values (?,?,?)", self._digest(client, host, path), until, event.id
        )
        self._journal.audit("continue", f"{client} continues after event {event.id} for {self.terms.window:.0f} s")
        self._metrics.pressed("continue", "done")
        if event.record.method not in ("GET", "HEAD"):
            return respond.note(*_asked(flow), 200, "resumed")
        return respond.redirect(f"{flow.request.scheme}://{flow.request.host_header or flow.request.host}{path}")

    def _note(self, flow: HTTPFlow, purpose: Purpose, outcome: Outcome, status: int, name: str) -> Response:
        self._metrics.pressed(purpose, outcome)
        return respond.note(*_asked(flow), status, name)

    def _often(self, client: str) -> bool:
        """Count a press, whichever worker sees it; whether it is one too many."""
        now = self._clock()
        self._journal.write("delete from presses where time < ?", now - PERIOD)
        often = self._journal.rows("select count(*) >= ? from presses where client = ?", BUTTONS, client)[0][0]
        if not often:
            self._journal.write("insert into presses values (?,?)", client, now)
        return bool(often)

    def _digest(self, *place: str) -> str:
        return hmac.new(self._key, "\0".join(place).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _place(flow: HTTPFlow) -> tuple[str, str, str]:
    """Client, host and path as a record has them."""
    client = flow.client_conn.peername
    return client[0] if client else "", observe.site(flow), text(flow.request.data.path)


def _asked(flow: HTTPFlow) -> tuple[str, str]:
    return flow.request.headers.get("accept", ""), flow.request.headers.get("accept-language", "")


def _ticket(flow: HTTPFlow) -> str:
    content = (flow.request.data.content or b"")[: 2 * tickets.LONGEST].decode("ascii", "replace")
    try:
        return parse_qs(content, max_num_fields=8).get("ticket", [""])[0]
    except ValueError:
        return ""
