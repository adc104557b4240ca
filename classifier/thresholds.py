"""From a verdict to an action: the thresholds that a model's card carries, and what an operator put over them.

Pure: no IO, no clock. A score of a bare domain and one of a full request are not comparable, so every kind and phase
has its own points, each named by the false-positive rate it was measured for.

1. A threat at or above the block point is blocked, else at or above the flag point flagged.
2. A label's own points, where an operator set them, act the same way on that label's score.
3. Reconnaissance (`scanner`) is flagged by its own point and never blocked; a `tracker` is left alone.
4. Where there is no point, or one that too few harmless flows stand behind (`FIRM`), the flow is allowed.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from classifier.card import OperatingPoint, OperatingPoints
from classifier.records import HARMLESS, LABELS, FlowRecord, Label, Verdict

Action = Literal["allow", "flag", "block"]

THREAT: Final = "threat"
DEFAULT: Final = "default"
"""The scope of an override that holds for every kind and phase."""
BLOCK_AT: Final = "0.0001"
FLAG_AT: Final = "0.01"
"""False-positive rates of the points that block and flag unless told otherwise."""
FIRM: Final = 0.04
"""A point is acted on when its false-positive rate is known to be at most this, which takes some 75 harmless flows: a
card also has points of kinds of traffic that training hardly saw."""
_THREATS: Final = tuple(label for label in LABELS if label not in HARMLESS)


class Limits(NamedTuple):
    """Scores from which a flow is flagged and blocked; None never."""

    flag: float | None = None
    block: float | None = None


class Finding(NamedTuple):
    """What the thresholds say, and the label that it is about."""

    action: Action
    label: Label
    reason: str


Overrides = Mapping[str, Mapping[str, Limits]]
"""kind/phase or `default` → label or `threat` → limits; what is None keeps the card's point."""


class Thresholds:
    """The limits of one model under one policy. `block_at` is the rate whose point blocks (see `rate`)."""

    def __init__(
        self, points: OperatingPoints, overrides: Overrides | None = None, *, block_at: str = BLOCK_AT
    ) -> None:
        self._limits = {key: _from_card(named, block_at) for key, named in points.items()}
        self._default: dict[str, Limits] = {}
        for scope, named in sorted((overrides or {}).items(), key=lambda item: item[0] != DEFAULT):
            for target in [*self._limits.values(), self._default] if scope == DEFAULT else [self._scope(scope)]:
                target.update({name: _over(target.get(name, Limits()), limits) for name, limits in named.items()})

    def decide(self, record: FlowRecord, verdict: Verdict) -> tuple[Action, str]:
        """What to do with a judged record, and why in a few words."""
        finding = self.judge(record, verdict)
        return finding.action, finding.reason

    def judge(self, record: FlowRecord, verdict: Verdict) -> Finding:
        """As `decide`, with the label that the action is about."""
        limits = self._limits.get(f"{record.kind}/{record.phase}", self._default)
        best = _compare(limits.get(THREAT), verdict.threat, verdict, THREAT)
        for name, own in limits.items():
            if name != THREAT and best.action != "block":
                found = _compare(own, verdict.scores.get(Label(name), 0.0), verdict, name)
                if _RANK[found.action] > _RANK[best.action]:
                    best = found
        return best if best.action != "allow" else Finding("allow", verdict.label, "below every threshold")

    def _scope(self, key: str) -> dict[str, Limits]:
        return self._limits.setdefault(key, dict(self._default))


def leading(verdict: Verdict) -> Label:
    """The likeliest of the labels that are threats: what a blocked flow is called."""
    return max(_THREATS, key=lambda label: verdict.scores.get(label, 0.0))


def rate(wrong: float) -> str:
    """The shipped point to block at so that at most the share `wrong` of harmless flows is blocked.

    The nearest measured rate at or below `wrong`. Raises ValueError when even the strictest is above it.
    """
    for name in ("0.01", "0.001", "0.0001"):
        if float(name) <= wrong * (1 + 1e-9):
            return name
    raise ValueError("no shipped threshold was measured below 1 wrong block in 10000")


_RANK: Final[dict[Action, int]] = {"allow": 0, "flag": 1, "block": 2}


def _from_card(named: Mapping[str, Mapping[str, OperatingPoint]], block_at: str) -> dict[str, Limits]:
    limits = {}
    for name, points in named.items():
        found = {at: point.threshold for at, point in points.items() if point.upper_bound <= FIRM}
        if name == THREAT:
            limits[name] = Limits(flag=found.get(FLAG_AT), block=found.get(block_at))
        elif name == Label.SCANNER:
            limits[name] = Limits(flag=found.get(FLAG_AT))
    return limits


def _over(card: Limits, own: Limits) -> Limits:
    flag = card.flag if own.flag is None else own.flag
    return Limits(flag, card.block if own.block is None else own.block)


def _compare(limits: Limits | None, score: float, verdict: Verdict, name: str) -> Finding:
    if limits is None:
        return _NOTHING
    if limits.block is not None and score >= limits.block:
        return Finding(
            "block", _label(name, verdict), f"{name} {score:.4g} reaches the block threshold {limits.block:.4g}"
        )
    if limits.flag is not None and score >= limits.flag:
        return Finding(
            "flag", _label(name, verdict), f"{name} {score:.4g} reaches the flag threshold {limits.flag:.4g}"
        )
    return _NOTHING


_NOTHING: Final = Finding("allow", Label.BENIGN, "")


def _label(name: str, verdict: Verdict) -> Label:
    """What a limit of this name is about; asked for only where it was reached, which is seldom."""
    return leading(verdict) if name == THREAT else Label(name)
