"""What to do with a judged flow. Pure: no IO and no clock (a record carries its time), so its tests are a table.

In order, the first that speaks decides:

1. an exception that fits and has not expired: allow
2. a rule that fits: its action
3. no verdict could be had: what `on_failure` says for that cause
4. the model's thresholds (`classifier.thresholds`), over its scores and what lists add to them (`proxy.evidence`)

Whether the action is carried out is another question, `effective`: the mode of the first scope that fits, else the
general one, and within `enforce` the share of clients that it holds for. `monitor` is no other path: the same decision
with `enforced=False`.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, NamedTuple, Protocol, get_args

from classifier.records import FlowRecord, Label, Verdict
from classifier.thresholds import Action, Finding, Thresholds
from proxy.evidence import Evidence, weigh

Mode = Literal["monitor", "enforce"]
Cause = Literal["deadline", "overload", "exception", "oversized", "streamed", "nan"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
"""Why a flow could not be judged, or not whole."""
UNJUDGED: Final = "not judged"
"""How the reason begins when a failure decided."""


class Failure(NamedTuple):
    """Stands where a verdict would, when none could be had; `verdict` is of the part that was judged, if any."""

    cause: Cause
    verdict: Verdict | None = None


class Decision(NamedTuple):
    """What happens to a flow and why. `rule` names the rule or exception, `event` is set once it is written down.

    `spared` is what an exception kept from happening, None where no exception decided. `evidence` says which lists
    counted and what the model said without them; it stands in the reason too, where the thresholds decided.
    """

    action: Action
    enforced: bool
    reason: str
    label: Label | None = None
    rule: str = ""
    event: str = ""
    spared: Action | None = None
    evidence: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the flow is really stopped."""
        return self.action == "block" and self.enforced

    @property
    def modelled(self) -> bool:
        """Whether the model's score decided, not an operator's rule and not a failure."""
        return not self.rule and self.label is not None and not self.reason.startswith(UNJUDGED)


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


class FilterList(Protocol):
    """A list that looks at more than names, such as one in Adblock syntax."""

    def lists(self, record: FlowRecord, *, every: bool) -> bool:
        """Whether any name of the flow is listed; with `every`, whether all are."""


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions that must all hold; an empty one always does."""

    hosts: Hosts | None = None
    filters: FilterList | None = None
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
            and (self.filters is None or self.filters.lists(record, every=lenient))
        )


class Rule(NamedTuple):
    """An operator's word on flows that fit."""

    name: str
    match: Match
    action: Action


class Exemption(NamedTuple):
    """A rule that allows, with somebody to ask and an end. `expires` is Unix seconds, None never.

    `retires`: it no longer counts while a release serves that does without it (see `proxy.exceptions`).
    """

    name: str
    match: Match
    owner: str
    reason: str
    expires: float | None = None
    retires: bool = False

    def open(self, now: float) -> bool:
        """Whether it has not expired at `now`."""
        return self.expires is None or now < self.expires


class Scope(NamedTuple):
    """A part of the traffic with a mode of its own; what is None is as everywhere. `percent` of clients, 0 to 100."""

    name: str
    match: Match
    mode: Mode | None = None
    percent: float | None = None


class Effective(NamedTuple):
    """The mode that a flow is under, and what makes it so."""

    mode: Mode
    cause: str


class Policy:
    """One operator's policy over one model's thresholds."""

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        mode: Mode = "monitor",
        cause: str = "policy.mode",
        percent: float = 100.0,
        scopes: Sequence[Scope] = (),
        rules: Sequence[Rule] = (),
        exemptions: Sequence[Exemption] = (),
        evidence: Sequence[Evidence] = (),
        on_failure: Mapping[Cause, Action] | None = None,
    ) -> None:
        self.mode: Mode = mode
        self.exemptions = tuple(exemptions)
        self.retired: Container[str] = frozenset()
        """Names of exceptions that the serving release does without."""
        self._thresholds = thresholds
        self.general, self._percent, self._scopes = Effective(mode, cause), percent, tuple(scopes)
        self._uniform = not self._scopes and (percent >= 100 or mode == "monitor")
        self._rules, self._evidence = tuple(rules), tuple(evidence)
        self._on_failure: Mapping[Cause, Action] = on_failure or {}

    def decide(self, record: FlowRecord, found: Verdict | Failure, *, without: str | None = None) -> Decision:
        """What happens to `record`, unmasked as it came; `without` the exception of that name."""
        failure = found if isinstance(found, Failure) else None
        verdict = found.verdict if isinstance(found, Failure) else found
        words = ""
        if verdict is not None and self._evidence:
            verdict, words = weigh(record, verdict, self._evidence)
        finding = None if verdict is None else self._thresholds.judge(record, verdict)
        if finding is not None and words:
            finding = finding._replace(reason=f"{finding.reason} ({words})")
        enforced = self.effective(record).mode == "enforce"
        decision = self._ruled(record, verdict, finding) or self._found(finding, failure)
        decision = decision._replace(enforced=enforced, evidence=words)
        for exemption in self.exemptions:
            if (
                exemption.open(record.time)
                and exemption.match.fits(record, verdict, finding, lenient=True)
                and exemption.name != without
                and not (exemption.retires and exemption.name in self.retired)
            ):
                reason, spared = f"exception: {exemption.reason}", decision.action
                return Decision("allow", enforced, reason, decision.label, exemption.name, "", spared, words)
        return decision

    def effective(self, record: FlowRecord) -> Effective:
        """The mode that holds for `record` and its cause. A client stays on its side of a growing percentage."""
        if self._uniform:
            return self.general
        mode, cause = self.general
        percent = self._percent
        for scope in self._scopes:
            if scope.match.fits(record, None, None, lenient=scope.mode != "enforce"):
                mode, cause = (mode, cause) if scope.mode is None else (scope.mode, f"scope {scope.name}")
                percent = percent if scope.percent is None else scope.percent
                break
        if mode == "enforce" and share(record.client) >= percent:
            return Effective("monitor", f"{cause}, but this client is not among the first {percent:g} %")
        return Effective(mode, cause)

    def fail(self, cause: Cause, label: Label | None = None) -> Decision:
        """What happens to a flow that could not be judged, whatever it is."""
        action = self._on_failure.get(cause, "allow")
        return Decision(action, self.mode == "enforce", f"{UNJUDGED} ({cause})", label)

    def _ruled(self, record: FlowRecord, verdict: Verdict | None, finding: Finding | None) -> Decision | None:
        for rule in self._rules:
            if rule.match.fits(record, verdict, finding, lenient=rule.action == "allow"):
                label = None if finding is None else finding.label
                return Decision(rule.action, False, f"rule: {rule.name}", label, rule.name)
        return None

    def _found(self, finding: Finding | None, failure: Failure | None) -> Decision:
        if finding is None:
            assert failure is not None
            return self.fail(failure.cause)
        if failure is not None and finding.action != "block" and self._on_failure.get(failure.cause) == "block":
            return self.fail(failure.cause, finding.label)
        return Decision(finding.action, False, finding.reason, finding.label)


def share(client: str) -> float:
    """Where a client stands between 0 and 100: the same at every start and in every worker. An unknown one is first."""
    if not client:
        return 0.0
    address = _address(client)
    digest = blake2b(str(address or client).encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48 * 100


def named(record: FlowRecord, hosts: Hosts, *, every: bool) -> bool:
    """Whether the names that a flow carries are in `hosts`: every one, or any."""
    names = [name for name in (record.host, record.sni, record.qname) if name]
    return bool(names) and (all if every else any)(name in hosts for name in names)


def _within(client: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    address = _address(client)
    return address is not None and any(address in network for network in networks)


def _address(client: str) -> IPv4Address | IPv6Address | None:
    """The client's address; an IPv4 one that is mapped into IPv6 is the IPv4 one."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _named(verdict: Verdict | None, finding: Finding | None) -> frozenset[Label]:
    """What the flow is called: the model's first choice, and the label its thresholds act on."""
    return frozenset(found.label for found in (verdict, finding) if found is not None)
