"""Which spans of a record carried its score, and the score without them: occlusion through onnxruntime, no torch.

Pieces of the record itself are removed, not tokens, so that lengths, encodings and shares change along with the text;
how much the log-odds of the score then fall says how much a piece carried (occlusion: Zeiler and Fergus 2014,
https://arxiv.org/abs/1311.2901, section 4.2).

    units ──▶ the unit that carries most ──▶ narrow it ──▶ remove it, look for what still carries ──▶ … ──▶ spans

A span is the shortest piece of its unit that still takes `KEEP` of what the unit takes. What a second span
carries is measured with the first one gone: two copies of an attack hide each other otherwise.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from classifier.features import Features, vectorize
from classifier.parts import Cut, clear, fields, joined, locate, read, units, without
from classifier.records import HARMLESS, LABELS, FlowRecord, Label, Verdict
from classifier.scorer import Scorer

NEAR: Final = 0.75
"""A unit that takes this share of what the best one takes is as good, if it is smaller: a parameter, not the query."""
KEEP: Final = 0.9
"""Share of its unit's drop that a span must keep: less splits attacks, more drags in what stands around them."""
SPANS: Final = 4
"""Spans that are named at most."""
LEAST: Final = 0.7
"""The smallest drop that is worth a span: the odds halve (ln 2)."""
SHARE: Final = 0.25
"""The smallest drop that is worth a further span, as a share of the first one's."""
CALM: Final = math.log(0.01 / 0.99)
"""Log-odds below which nothing is left to explain once a span is found."""

WINDOWS: Final = 640
"""Windows that a search for spans may score; to weigh what it found takes a few more."""
POSITIONS: Final = 24
"""Places at which a length is tried in a long unit; of a unit of at most as many characters every piece is tried."""

FEW: Final = 2
"""Windows up to which a record is searched whole; of a longer one first the piece that keeps the score alone."""
LONG: Final = 1024
"""Characters of such a piece; the pieces of a long text overlap by half."""

_TINY: Final = 1e-30
_THREATS: Final = tuple(label for label in LABELS if label not in HARMLESS)
_ATOM: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|&#?\w{1,8};|.", re.DOTALL)


class Span(msgspec.Struct, frozen=True):
    """Characters `start` to `end` of the text of `part`, as stored (masked).

    A parameter's or field's text includes its name: `id=1`. `weight` is the drop in log-odds when this span alone is
    removed; it is small where another span carries the same.
    """

    part: str
    start: int
    end: int
    text: str
    weight: float


class Explanation(msgspec.Struct, frozen=True):
    """What carried a score: `subject` names it ("threat" or a label), `score` is its value.

    `without` is the score with all spans removed at once. No spans: no piece of the record stands out.
    """

    label: Label
    threat: float
    release: str
    subject: str
    score: float
    spans: tuple[Span, ...]
    without: float


def explain(record: FlowRecord, scorer: Scorer, label: Label | None = None) -> Explanation:
    """Explain the threat of a masked record, or with `label` that label's score. Deterministic. Raises BadScore."""
    verdict = scorer.score(vectorize(record))
    found = _search(Occlusion(record, scorer, label))
    cuts = joined(_needed(Occlusion(record, scorer, label), found))  # a search may have used its budget up
    *alone, rest = scorer.score_many([vectorize(without(record, gone)) for gone in (*([cut] for cut in cuts), cuts)])
    spans = [
        _span(record, cut, odds(verdict, label) - odds(left, label)) for cut, left in zip(cuts, alone, strict=True)
    ]
    return Explanation(
        label=verdict.label,
        threat=verdict.threat,
        release=verdict.model,
        subject=label or "threat",
        score=_score(verdict, label),
        spans=tuple(sorted(spans, key=lambda span: -span.weight)),
        without=_score(rest, label),
    )


def odds(verdict: Verdict, label: Label | None) -> float:
    """Log-odds of the threat (None) or of a label, finite. From both sides' masses: 1 - 0.99999999 has no digits."""
    named = _THREATS if label is None else (label,)
    inside = sum(score for each, score in verdict.scores.items() if each in named)
    outside = sum(score for each, score in verdict.scores.items() if each not in named)
    return math.log(max(inside, _TINY)) - math.log(max(outside, _TINY))


class Occlusion:
    """Scores a record without some of its pieces, within a budget of windows."""

    def __init__(self, record: FlowRecord, scorer: Scorer, label: Label | None = None) -> None:
        self.record, self._scorer, self._label = record, scorer, label
        self._known: dict[frozenset[Cut], float] = {}
        self._left = WINDOWS

    def odds(self, *variants: Iterable[Cut]) -> list[float]:
        """Log-odds of the score without each of these sets of pieces; infinite beyond the budget."""
        wanted = [frozenset(variant) for variant in variants]
        rows: dict[frozenset[Cut], Features] = {}
        for variant in wanted:
            if variant not in self._known and variant not in rows and self._left > 0:
                rows[variant] = vectorize(without(self.record, list(variant)))
                self._left -= len(rows[variant].tokens)
        verdicts = self._scorer.score_many(list(rows.values()))
        self._known |= {variant: odds(found, self._label) for variant, found in zip(rows, verdicts, strict=True)}
        return [self._known.get(variant, math.inf) for variant in wanted]

    def windows(self, gone: Iterable[Cut]) -> int:
        """Windows of the record without these."""
        return len(vectorize(without(self.record, list(gone))).tokens)

    def drops(self, gone: Sequence[Cut], trials: Sequence[Cut]) -> list[float]:
        """By how much the log-odds fall when one of `trials` goes after `gone`; minus infinity beyond the budget."""
        now, *after = self.odds(gone, *((*gone, cut) for cut in trials))
        return [now - left if math.isfinite(now) else -math.inf for left in after]


class _Step(NamedTuple):
    """A unit, and what it takes when it goes after `gone`."""

    drop: float
    unit: Cut
    gone: list[Cut]


def _search(occlusion: Occlusion) -> list[Cut]:
    """The spans in the order in which they were found."""
    whole = units(occlusion.record)
    found: list[Cut] = []
    least = LEAST
    while len(found) < SPANS:
        (now,) = occlusion.odds(found)
        step = _strongest(occlusion, whole, found, now) if now >= CALM or not found else None
        if step is None or step.drop < least:
            break
        least = max(least, SHARE * step.drop)
        found.append(narrow(occlusion, step.gone, step.unit, KEEP * step.drop))
    return found


def _needed(occlusion: Occlusion, found: list[Cut]) -> list[Cut]:
    """The spans without those that take nothing once the others are gone, the last found first."""
    for cut in reversed(found):
        rest = [each for each in found if each != cut]
        with_it, all_gone = occlusion.odds(rest, found)
        if with_it - all_gone < LEAST:
            found = rest
    return found


def _strongest(occlusion: Occlusion, whole: Sequence[Cut], found: list[Cut], now: float) -> _Step | None:
    """The next step: in the whole record, or in the piece that keeps the score alone where no unit ends it."""
    step = _step(occlusion, whole, found) if occlusion.windows(found) <= FEW else None
    if step and now - step.drop < 0:
        return step
    aside = _aside(occlusion, found, now)
    focused = _step(occlusion, whole, [*found, *aside]) if aside or step is None else None
    return max((each for each in (step, focused) if each), key=lambda each: each.drop, default=None)


def _step(occlusion: Occlusion, whole: Sequence[Cut], gone: list[Cut]) -> _Step | None:
    """The smallest unit that takes nearly what the best one takes."""
    trials = [piece for unit in whole for piece in clear(unit, gone)]
    drops = occlusion.drops(gone, trials)
    best = max(drops, default=-math.inf)
    enough = [(cut.size, -drop, cut) for cut, drop in zip(trials, drops, strict=True) if drop >= NEAR * best > 0]
    return _Step(-min(enough)[1], min(enough)[2], gone) if enough else None


def _aside(occlusion: Occlusion, found: list[Cut], now: float) -> list[Cut]:
    """All but the piece of a text that keeps most of the score without the others; nothing if none keeps half.

    It makes long records short, and it parts two copies of an attack, either of which keeps the score up alone.
    """
    pieces = fields(occlusion.record, LONG)
    others = [[rest for each in pieces for rest in clear(each, [piece])] for piece in pieces]
    left = occlusion.odds(*([*found, *gone] for gone in others))
    kept = [-math.inf if math.isinf(each) else each for each in left]
    best = max(range(len(pieces)), key=kept.__getitem__, default=None)
    return [] if best is None or kept[best] - CALM < (now - CALM) / 2 else others[best]


def narrow(occlusion: Occlusion, gone: Sequence[Cut], unit: Cut, target: float) -> Cut:
    """The shortest piece of `unit` that takes `target` when it goes after `gone`; of several that which takes most.

    A long unit is left for ever shorter pieces of it, found at `POSITIONS` places; of one of at most `POSITIONS`
    characters every piece is tried. Escapes stay whole.
    """
    if not unit.divisible:
        return unit
    edges = [unit.start + edge for edge in _edges(read(occlusion.record, unit))]
    best = unit
    low, high = 1, len(edges) - 1
    while low < high and len(edges) > POSITIONS:
        # Whoever finds a piece long enough mostly finds a longer one: so the length can be bisected.
        middle = (low + high) // 2
        hit = _hit(occlusion, gone, unit, edges, middle, target)
        if hit is None:
            low = middle + 1
        else:
            best, high = hit, middle
            edges = [edge for edge in edges if best.start <= edge <= best.end]
    hits = (_hit(occlusion, gone, unit, edges, size, target) for size in range(1, high if low < high else 0))
    return next((hit for hit in hits if hit), best)


def _hit(
    occlusion: Occlusion, gone: Sequence[Cut], unit: Cut, edges: Sequence[int], size: int, target: float
) -> Cut | None:
    """The piece of `size` atoms between `edges` that takes most, if it takes `target`."""
    trials = [unit._replace(start=edges[i], end=edges[i + size]) for i in _places(len(edges) - 1 - size)]
    drops = occlusion.drops(gone, trials)
    best = max(range(len(trials)), key=drops.__getitem__)
    return trials[best] if drops[best] >= target else None


def _edges(content: str) -> list[int]:
    """Where a text may be cut: between characters, not inside an escape."""
    return [0, *(atom.end() for atom in _ATOM.finditer(content))]


def _places(last: int) -> list[int]:
    """0…last: every place of a short area, evenly spread ones of a long one."""
    step = max(1, -(-last // (POSITIONS - 1)))
    return [*range(0, last, step), last]


def _score(verdict: Verdict, label: Label | None) -> float:
    return verdict.threat if label is None else verdict.scores[label]


def _span(record: FlowRecord, cut: Cut, weight: float) -> Span:
    part = locate(record, cut)
    start = part.cut.start
    return Span(part.name, cut.start - start, cut.end - start, read(record, cut), weight)
