"""What to do with a judged flow. Pure: no IO and no clock (a record carries its time), so its tests are a table.

In order, the first that speaks decides:

1. an exception that fits and has not expired: allow
2. a rule that fits: its action
3. no verdict could be had: what `on_failure` says for that cause
4. the model's thresholds (`classifier.thresholds`)

`monitor` is no other path: the same decision with `enforced=False`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Literal, NamedTuple, get_args

from classifier.records import FlowRecord, Label, Verdict
from classifier.thresholds import Action, Finding, Thresholds

Mode = Literal["monitor", "enforce"]
Cause = Literal["deadline", "overload", "exception", "oversized", "streamed", "nan"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
"""Why a flow could not be judged, or not whole."""


class Failure(NamedTuple):
    """Stands where a verdict would, when none could be had; `verdict` is of the part that was judged, if any."""

    cause: Cause
    verdict: Verdict | None = None


class Decision(NamedTuple):
    """What happens to a flow and why. `rule` names the rule or exception, `event` is set once it is written down."""

    action: Action
    enforced: bool
    reason: str
    label: Label | None = None
    rule: str = ""
    event: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the flow is really stopped."""
        return self.action == "block" and self.enforced


class Hosts:
    """A set of host patterns: `a.example` is that host, `*.a.example` what is under it, `.a.example` both."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        names = {name for pattern in patterns if (name := pattern.strip().lower().rstrip("."))}
        self._exact = frozenset(name.lstrip(".") for name in names if not name.startswith("*"))
        self._under = frozenset(name.lstrip("*.") for name in names if name.startswith(("*.", ".")))

    def __contains__(self, host: object) -> bool:
        name = str(host).lower().rstrip(".")
        if name in self._exact:
            return True
        while self._under and (dot := name.find(".")) >= 0:
            name = name[dot + 1 :]
            if name in self._under:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions that must all hold; an empty one always does."""

    hosts: Hosts | None = None
    clients: tuple[IPv4Network | IPv6Network, ...] = ()
    paths: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset()
    labels: frozenset[Label] = frozenset()
    threat: float = 0.0

    def fits(
        self, record: FlowRecord, verdict: Verdict | None, finding: Finding | None, *, lenient: bool = False
    ) -> bool:
        """Whether the flow is meant. Conditions on label and threat never fit a flow that has no verdict.

        A flow may carry several names (a tunnel's target, a TLS server name). Any of them is enough to fit, but what is
        `lenient` must fit them all: a client could put a trusted name beside the true one.
        """
        return (
            (self.hosts is None or named(record, self.hosts, every=lenient))
            and (not self.paths or record.path.startswith(self.paths))
            and (not self.methods or record.method.upper() in self.methods)
            and (not self.clients or _within(record.client, self.clients))
            and (self.threat <= 0 or (verdict is not None and verdict.threat >= self.threat))
            and (not self.labels or _named(verdict, finding) & self.labels != frozenset())
        )


class Rule(NamedTuple):
    """An operator's word on flows that fit."""

    name: str
    match: Match
    action: Action


class Exemption(NamedTuple):
    """A rule that allows, with somebody to ask and an end. `expires` is Unix seconds, None never."""

    name: str
    match: Match
    owner: str
    reason: str
    expires: float | None = None


class Policy:
    """One operator's policy over one model's thresholds."""

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        mode: Mode = "monitor",
        rules: Sequence[Rule] = (),
        exemptions: Sequence[Exemption] = (),
        on_failure: Mapping[Cause, Action] | None = None,
    ) -> None:
        self.mode: Mode = mode
        self._thresholds = thresholds
        self._rules = tuple(rules)
        self._exemptions = tuple(exemptions)
        self._on_failure: Mapping[Cause, Action] = on_failure or {}

    def decide(self, record: FlowRecord, found: Verdict | Failure) -> Decision:
        """What happens to `record`, unmasked as it came."""
        enforced = self.mode == "enforce"
        failure = found if isinstance(found, Failure) else None
        verdict = found.verdict if isinstance(found, Failure) else found
        finding = None if verdict is None else self._thresholds.judge(record, verdict)
        label = None if finding is None else finding.label
        for exemption in self._exemptions:
            if _open(exemption, record.time) and exemption.match.fits(record, verdict, finding, lenient=True):
                return Decision("allow", enforced, f"exception: {exemption.reason}", label, exemption.name)
        for rule in self._rules:
            if rule.match.fits(record, verdict, finding, lenient=rule.action == "allow"):
                return Decision(rule.action, enforced, f"rule: {rule.name}", label, rule.name)
        if finding is not None and finding.action == "block":
            return Decision("block", enforced, finding.reason, label)
        if failure is not None and (finding is None or self._on_failure.get(failure.cause) == "block"):
            return self.fail(failure.cause, label)
        assert finding is not None
        return Decision(finding.action, enforced, finding.reason, label)

    def fail(self, cause: Cause, label: Label | None = None) -> Decision:
        """What happens to a flow that could not be judged, whatever it is."""
        action = self._on_failure.get(cause, "allow")
        return Decision(action, self.mode == "enforce", f"not judged ({cause})", label)


def named(record: FlowRecord, hosts: Hosts, *, every: bool) -> bool:
    """Whether the names that a flow carries are in `hosts`: every one, or any."""
    names = [name for name in (record.host, record.sni, record.qname) if name]
    return bool(names) and (all if every else any)(name in hosts for name in names)


def _open(exemption: Exemption, now: float) -> bool:
    return exemption.expires is None or now < exemption.expires


def _within(client: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)


def _named(verdict: Verdict | None, finding: Finding | None) -> frozenset[Label]:
    """What the flow is called: the model's first choice, and the label its thresholds act on."""
    return frozenset(found.label for found in (verdict, finding) if found is not None)
