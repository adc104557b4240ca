"""What the filter remembers between hooks: of a flow until it is captured, of a connection until it closes."""

from dataclasses import dataclass, field
from typing import Final

from mitmproxy.connection import Client

from classifier.features import SCHEMA
from classifier.records import Phase, Verdict
from classifier.store import CaptureRow
from proxy.judge import Judgement
from proxy.metrics import Reason
from proxy.pins import Key
from proxy.policy import Decision
from proxy.respond import Meter

BEAT: Final = "sluice.heartbeat"
"""In a flow's metadata: the proxy sent it to itself (`proxy.rehearsal`)."""
_RANK = {"allow": 0, "flag": 1, "block": 2}


@dataclass(slots=True)
class Trace:
    """One flow so far. `decision` is its strictest, `latest` its last judgement, `passing` bodies that stream by.

    A `rehearsal` is the proxy's own (`proxy.rehearsal`): it is in no count and no capture.
    """

    verdicts: dict[Phase, Verdict] = field(default_factory=dict)
    latest: Judgement | None = None
    decision: Decision | None = None
    passing: dict[Reason, Meter] = field(default_factory=dict)
    partial: bool = False
    done: bool = False
    captured: bool = False
    rehearsal: bool = False

    @property
    def blocks(self) -> bool:
        """Whether the flow was stopped."""
        return self.decision is not None and self.decision.blocks

    def add(self, judgement: Judgement) -> None:
        """Take note of a judgement."""
        self.latest = judgement
        if judgement.verdict is not None:
            self.verdicts[judgement.masked.phase] = judgement.verdict
        if self.decision is None or _RANK[judgement.decision.action] > _RANK[self.decision.action]:
            self.decision = judgement.decision

    def row(self) -> CaptureRow | None:
        """The flow as it is captured; None when it was never judged."""
        if self.latest is None or self.decision is None:
            return None
        features = self.latest.features
        return CaptureRow(
            record=self.latest.masked,
            numbers=() if features is None else features.numbers,
            schema="" if features is None else SCHEMA,
            verdicts=self.verdicts,
            action=self.decision.action,
            enforced=self.decision.enforced,
            event=self.decision.event,
            release=self.latest.release,
        )


@dataclass(slots=True)
class Tunnel:
    """One connection. `opaque` when nothing in it could be read, `key` what a pin of it would be about."""

    trace: Trace = field(default_factory=Trace)
    ja4: str = ""
    opaque: bool = False
    key: Key | None = None


class Tunnels:
    """The open connections that asked for a tunnel or spoke TLS, by client connection."""

    def __init__(self) -> None:
        self._open: dict[str, Tunnel] = {}

    def open(self, client: Client) -> Tunnel:
        """The client's tunnel, new when there is none."""
        return self._open.setdefault(client.id, Tunnel())

    def get(self, client: Client) -> Tunnel | None:
        """The client's tunnel, if it has one."""
        return self._open.get(client.id)

    def pop(self, client: Client) -> Tunnel | None:
        """Forget the client."""
        return self._open.pop(client.id, None)
