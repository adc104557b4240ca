"""ModSecurity with the OWASP Core Rule Set as a system to compare with: the same requests, really sent and judged.

Every request goes as HTTP/1.1 through a private nginx on loopback (`nginx`, `wire`). A request that did not reach the
origin was blocked, whoever stopped it; `counts` says who did:

- passed:  the origin answered
- blocked: a rule denied it: the anomaly score reached 5, or ModSecurity could not parse the body
- refused: nginx itself did (illegal bytes, a method it does not know), or it is no HTTP/1.1 request at all
- cut:     not judged, because only a part of the body was kept, and a parser would stumble over the end
"""

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import numpy as np

from classifier.card import OperatingPoint, OperatingPoints
from classifier.errors import UserError
from classifier.evaluate import Floats
from classifier.records import BODY_CAP, FlowRecord
from classifier.thresholds import BLOCK_AT, THREAT
from classifier.training.evaluation import nginx
from classifier.training.evaluation.wire import Wire, render

HALF: Final = 5
"""The anomaly score that CRS blocks from by default; as a threat it is 0.5."""

_DENIED: Final = b"ModSecurity: Access denied"
_SCORE: Final = re.compile(
    rb'\[id "949110"\] \[rev ""\] \[msg "Inbound Anomaly Score Exceeded \(Total Score: ([0-9]+)\)'
    rb'|\[id "%d"\] \[rev ""\] \[msg "score ([0-9]+)"' % nginx.LOW
)
_ATTACK: Final = FlowRecord(method="GET", path="/?id=1%27%20or%20%271%27=%271%27%20--%20")


class Crs:
    """A `measure.System`: `with Crs() as crs: crs.score(records)`. Raises UserError where it is not installed.

    Its one point is CRS's own threshold, given as the blocking point; it was set for no false-positive rate.
    """

    release = ""

    def __init__(self) -> None:
        self.name = f"ModSecurity + CRS {nginx.version()}"
        self.points: OperatingPoints = {"http/request": {THREAT: {BLOCK_AT: OperatingPoint(0.5, 1.0)}}}
        self.counts: Counter[str] = Counter()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._server = self._stack.enter_context(nginx.running())
        self._judged = self._stack.enter_context(contextlib.closing(Wire(self._server.judged)))
        self._log = self._stack.enter_context(self._server.log.open("r+b", buffering=0))
        if self._judge(_ATTACK)[0] != "blocked" or self._judge(FlowRecord(method="GET", path="/"))[0] != "passed":
            self._stack.close()
            raise UserError("ModSecurity does not judge as CRS should: reinstall " + nginx.PACKAGES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """See `measure.System`: s / (s + 5) of the anomaly score s, 1 for what was stopped without one.

        NaN for what is no request (bare names and URLs, DNS, whole transactions) or has a cut body.
        """
        scores = np.full((len(records), 3), np.nan)
        for row, record in zip(scores, records, strict=True):
            if _is_request(record):
                outcome, threat = self._judge(record)
                self.counts[outcome] += 1
                row[:] = threat, threat, threat * 0  # no trackers; NaN stays
        return scores

    def microseconds(self, records: Sequence[FlowRecord]) -> float:
        """Median processor time that the rules add to a request on one connection; NaN for no requests.

        Each request goes twice, to ports with and without the rules, and the difference counts. Elapsed time would
        charge the rules for everything else that the machine does between two processes.
        """
        messages = [message for record in records if _is_request(record) and (message := render(record))]
        with (
            contextlib.closing(Wire(self._server.timed)) as timed,
            contextlib.closing(Wire(self._server.plain)) as plain,
        ):
            added = [self._nanoseconds(timed, message) - self._nanoseconds(plain, message) for message in messages]
        return float(np.median(added)) / 1000 if added else float("nan")

    def _nanoseconds(self, wire: Wire, message: bytes) -> int:
        before = self._server.processor_time()
        wire.ask(message)
        return self._server.processor_time() - before

    def _judge(self, record: FlowRecord) -> tuple[str, float]:
        """Outcome and threat. The log of a request is written before its answer."""
        if len(record.request_body) >= BODY_CAP:
            return "cut", float("nan")
        message = render(record)
        if message is None:
            return "refused", 1.0
        self._log.seek(0)
        self._log.truncate()
        try:
            status = self._judged.ask(message)
        except OSError:
            raise UserError(
                f"nginx ended while it judged requests; the next was {record.method} {record.path[:80]!r}"
            ) from None
        said = self._log.read()
        found = _SCORE.search(said)
        anomaly = int(found[1] or found[2]) if found else 0
        if status == 200:
            return "passed", anomaly / (anomaly + HALF)
        if _DENIED in said:
            return "blocked", anomaly / (anomaly + HALF) if anomaly >= HALF else 1.0
        return "refused", 1.0


def _is_request(record: FlowRecord) -> bool:
    """Whether there is more than a name or URL to judge, and no answer yet."""
    seen = record.method or record.request_headers or record.request_body
    return record.kind == "http" and record.phase == "request" and bool(seen)
