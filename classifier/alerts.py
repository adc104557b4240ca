"""Alerts of Suricata joined to flows: whose flow was it that the alert was about?

1. By the ends of the connection (protocol, both addresses and ports) and time, where a record knows them: captured
   packets. Of several exchanges on one connection those count that the alert's address or moment fits.
2. By host and path and time, where it does not: behind a proxy the client and its port are other ones. The log has the
   address in the clear and captures have it masked, so it is masked for the comparison. A TLS alert goes by its server
   name, a DNS alert by the name that was asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from classifier import importers
from classifier.importers import BadLine, eve
from classifier.masking import mask_path
from classifier.records import FlowRecord, Kind, Label
from classifier.signatures import label_of

ORIGIN: Final = "suricata"
WEIGHT: Final = 0.7
"""Signatures are right more often than not, and say nothing of what else the flow did."""
EARLY, LATE = 5.0, 30.0
"""Seconds by which an alert may come before a flow begins or after it ends: clocks differ, and detection waits for
buffers to fill.
"""
APART: Final = 60.0
"""The same, either way, where only names are compared: the other side of a proxy opens connections when it likes."""

_Ends = frozenset[tuple[str, int]]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `time` is Unix seconds, `severity` 1 the worst, `ends` are the two (address, port)."""

    time: float
    signature: str
    category: str = ""
    severity: int = 3
    ends: _Ends = frozenset()
    kind: Kind = "tcp"
    host: str = ""
    path: str = ""
    """Masked, as captures have it."""

    @property
    def label(self) -> Label | None:
        """What it says the flow is."""
        return label_of(self.signature, self.category)


def read(path: Path) -> Iterator[Alert | BadLine]:
    """The alerts of an EVE log, and the lines that are no events. Raises UserError when it cannot be opened."""
    with importers.open_file(path) as file:
        lines = (line if b'"alert"' in line or not line.startswith(b"{") else b"" for line in file)
        for where, event in eve.events(lines, str(path)):
            if isinstance(event, BadLine):
                yield event
            elif event.event_type == "alert":
                try:
                    yield _alert(event)
                except (ValueError, TypeError, AttributeError) as error:
                    yield BadLine(where, f"not an alert ({error})")


class Join:
    """Finds the alert about a flow. `unmapped` counts alerts without a label by signature; they match nothing."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.unmapped: Counter[str] = Counter()
        self.alerts = 0
        self._used: set[int] = set()
        self._by_ends: dict[_Ends, list[tuple[int, Alert]]] = defaultdict(list)
        self._by_name: dict[tuple[str, str], list[tuple[int, Alert]]] = defaultdict(list)
        for alert in alerts:
            if alert.label is None:
                self.unmapped[alert.signature] += 1
                continue
            self._by_ends[alert.ends].append((self.alerts, alert))
            if alert.host:
                self._by_name[alert.host, alert.path].append((self.alerts, alert))
            self.alerts += 1

    @property
    def unmatched(self) -> int:
        """Alerts with a label that fitted no flow so far."""
        return self.alerts - len(self._used)

    @property
    def told(self) -> str:
        """What came of the alerts, for people."""
        said = f"{self.unmatched:,} of {self.alerts:,} alerts fit no flow at hand"
        if self.unmapped:
            (common, _), *_ = self.unmapped.most_common(1)
            said += f", {self.unmapped.total():,} more say nothing that has a label here ({common!r} for one)"
        return said

    def match(self, record: FlowRecord) -> Alert | None:
        """The alert about a (masked) record: the most severe, then the first."""
        fitting = list(self._connected(record) if record.client_port and record.server else self._named(record))
        self._used.update(number for number, _ in fitting)
        return min(fitting, key=lambda found: (found[1].severity, found[1].time))[1] if fitting else None

    def _connected(self, record: FlowRecord) -> Iterator[tuple[int, Alert]]:
        ends = frozenset({(record.client, record.client_port), (record.server, record.port)})
        for number, alert in self._by_ends.get(ends, ()):
            named = alert.kind == record.kind and bool(alert.path or alert.host)
            if named and (alert.path or alert.host) != (record.path if alert.path else _name(record)):
                continue
            if record.time - EARLY <= alert.time <= record.time + record.seconds + LATE:
                yield number, alert

    def _named(self, record: FlowRecord) -> Iterator[tuple[int, Alert]]:
        keys = [(_name(record), record.path if record.kind == "http" else "")]
        if record.kind == "http" and record.path:
            keys.append((_name(record), ""))  # what is said of a server's name is said of what it is asked
        for key in keys:
            for number, alert in self._by_name.get(key, ()):
                fits = alert.kind == record.kind or (alert.kind == "tls" and record.kind == "http")
                if fits and record.time - APART <= alert.time <= record.time + record.seconds + APART:
                    yield number, alert


def _name(record: FlowRecord) -> str:
    return (record.qname if record.kind == "dns" else record.site).lower().rstrip(".")


def _alert(event: eve.Event) -> Alert:
    told = event.alert
    kind: Kind = "http" if event.http else "tls" if event.tls else "dns" if event.dns else "tcp"
    host, path = "", ""
    if kind == "http":
        host, path = eve.target(event.http)
    elif kind == "tls":
        host = str(event.tls.get("sni", ""))
    elif kind == "dns":
        host = eve.question(event.dns)
    return Alert(
        time=event.time,
        signature=str(told.get("signature", "")),
        category=str(told.get("category", "")),
        severity=int(told.get("severity", 3)),
        ends=frozenset({(event.src_ip, event.src_port), (event.dest_ip, event.dest_port)}),
        kind=kind,
        host=host.lower().rstrip("."),
        path=mask_path(path),
    )
