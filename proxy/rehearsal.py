"""Requests that the proxy sends to itself, and how it tells them from everybody else's.

A rehearsal is a request for `sluice.internal` with a header that only this proxy can sign: HMAC (itsdangerous) with the
key that all workers share, and the time, so that an overheard one is worth nothing a minute later. From the listener
to the block page it takes every step that a user's request takes, and then:

1. it goes nowhere: this addon, the last in the chain, is its origin, and the name cannot be resolved;
2. it leaves no trace: no count of flows, no event, no capture, no trial hears of it (`Judge.judge`, `Trace`);
3. its answer carries what was decided, in monitor mode too, in the header `VERDICT`.

Without the signature such a request is the portal's to answer, so nobody else can ask for verdicts off the record.
"""

import json
from typing import Final, NamedTuple

from itsdangerous import BadSignature, TimestampSigner
from mitmproxy.http import HTTPFlow, Response

from proxy.addon import KEY
from proxy.trace import BEAT, Trace

SIGNED: Final = "x-sluice-heartbeat"
"""Header of a request: the signature."""
VERDICT: Final = "x-sluice-verdict"
"""Header of its answer: a JSON object with the fields of `Told`."""
MAX_AGE: Final = 60
"""Seconds that a signature is believed."""
DOWNLOAD: Final = ".exe"
"""A path that ends so is answered with a program (`PROGRAM`) instead of nothing."""
PROGRAM: Final = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00This program cannot be run in DOS mode."


class Told(NamedTuple):
    """What became of a rehearsal; `action` is empty when nothing judged it."""

    action: str = ""
    enforced: bool = False
    label: str = ""
    reason: str = ""


class Rehearsal:
    """A mitmproxy addon behind the filter; `admits` is asked by the portal, before it. `key` is the workers' own."""

    name = "sluice-rehearsal"

    def __init__(self, key: bytes) -> None:
        self._signer = TimestampSigner(key, salt="sluice heartbeat", key_derivation="hmac")

    def sign(self) -> str:
        """The value of `SIGNED` for a request that is sent now."""
        return self._signer.sign(b"rehearsal").decode()

    def admits(self, flow: HTTPFlow) -> bool:
        """Whether a request is one of ours; if so it is marked, and the signature is taken out of it."""
        signature = flow.request.headers.get(SIGNED, "")
        if not signature:
            return False
        try:
            self._signer.unsign(signature, max_age=MAX_AGE)
        except BadSignature:
            return False
        del flow.request.headers[SIGNED]
        flow.metadata[BEAT] = True
        return True

    def request(self, flow: HTTPFlow) -> None:
        """Be the origin of what the filter let pass."""
        if BEAT in flow.metadata and flow.response is None:
            program = flow.request.path.endswith(DOWNLOAD)
            kind = "application/octet-stream" if program else "text/plain"
            flow.response = Response.make(200, PROGRAM if program else b"", {"Content-Type": kind})

    def response(self, flow: HTTPFlow) -> None:
        """Tell what was decided."""
        if BEAT in flow.metadata and flow.response is not None:
            flow.response.headers[VERDICT] = json.dumps(_told(flow.metadata.get(KEY))._asdict())


def _told(trace: Trace | None) -> Told:
    if trace is None or trace.decision is None:
        return Told()
    decision = trace.decision
    return Told(decision.action, decision.enforced, decision.label or "", decision.reason)
