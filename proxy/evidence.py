"""Lists that do not decide but count: a hit multiplies the odds of a label, and the thresholds judge the result.

The model's scores are calibrated for traffic of which one flow in a hundred is a threat (MODEL_CARD.md), so Bayes' rule
holds for them: odds after a hit = odds before * likelihood ratio, where the ratio says how much more often the list
names flows of that label than others. The scores of all other labels shrink in proportion.

Lists copy from one another, so their hits are not independent: of several for one label only the strongest counts.

Pure: no IO, no clock.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from classifier.records import LABELS, FlowRecord, Label, Verdict, threat

FACTOR: Final = 20.0
"""The likelihood ratio of a list of which nothing else is known. Measured: the hosts of 11 public lists of phishing,
malware, C2 and tracker names, looked up among the hosts of other sources of the same label and among 178,561 harmless
ones; ratio of the 95 % lower bound of the former to the upper bound of the latter. The median is 22; single lists reach
from 1 (a list of companies, which names their ordinary sites) to 1,500."""
MOST: Final = 10_000.0
"""The strongest that may be said of a list: more would need more harmless traffic than anybody has looked through."""
_CERTAIN: Final = 1e-6
"""A model is never surer than this of anything: odds of nothing stay nothing, whatever they are multiplied by."""


class Fits(Protocol):
    """Conditions on a flow (`proxy.policy.Match`)."""

    def fits(self, record: FlowRecord, verdict: None, finding: None, *, lenient: bool = False) -> bool:
        """Whether the flow is meant; what is `lenient` must fit all of its names."""


class Evidence(NamedTuple):
    """A list whose hits speak for `label`, by the likelihood ratio `factor`."""

    name: str
    match: Fits
    label: Label
    factor: float = FACTOR


class Weighed(NamedTuple):
    """A verdict with what lists say of it, and that in words; the words are empty where no list says anything."""

    verdict: Verdict
    words: str = ""


def weigh(record: FlowRecord, verdict: Verdict, evidence: Sequence[Evidence]) -> Weighed:
    """The verdict on `record` after the lists that name it were heard."""
    strongest: dict[Label, Evidence] = {}
    for each in evidence:
        held = strongest.get(each.label)
        # A client could put a trusted name beside the true one.
        if (held is None or each.factor > held.factor) and each.match.fits(
            record, None, None, lenient=each.label is Label.BENIGN
        ):
            strongest[each.label] = each
    if not strongest:
        return Weighed(verdict)
    scores = verdict.scores
    for label, each in strongest.items():
        scores = multiply(scores, label, each.factor)
    likeliest = max(LABELS, key=lambda name: scores.get(name, 0.0))
    found = msgspec.structs.replace(verdict, scores=scores, threat=threat(scores), label=likeliest)
    named = ", ".join(f"{each.name} ({each.label}, odds x {each.factor:g})" for each in strongest.values())
    return Weighed(found, f"lists count: {named}; threat {verdict.threat:.4g} without them")


def multiply(scores: dict[Label, float], label: Label, factor: float) -> dict[Label, float]:
    """Scores (sum 1) after the odds of `label` were multiplied by `factor`."""
    before = min(max(scores.get(label, 0.0), _CERTAIN), 1 - _CERTAIN)
    after = before * factor / (before * factor + 1 - before)
    rest = sum(score for name, score in scores.items() if name is not label)
    shrink = (1 - after) / rest if rest else 0.0
    return {**{name: score * shrink for name, score in scores.items()}, label: after}
