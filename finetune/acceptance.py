"""The gates: may this candidate replace the incumbent? Pure; every gate is a function of judged rows.

A gate compares candidate and incumbent on the same rows and gives a value with its interval (each end one-sided at
95 %), the limit that it was held against, and a sentence for people. Where there are too few rows to tell, it passes,
says so, and names the number of flows still needed: an administrator with three labels must not be refused for want
of three hundred. The reported false positives and the sentinels are exempt from that mercy.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from classifier.records import Label
from finetune import wording
from finetune.gate import ENOUGH, Gate, Ints, Judged, fallen, gain, kept, scarce, share, unsure
from finetune.statistics import Bools, Floats, alarms_at, area, interval, mcnemar, resampled, supports

REPORTED: Final = 0.9
"""Share of the reported false positives that must pass now; of fewer than ten all of them."""
MISSED: Final = 0.5
"""Share of the reported missed attacks that must be flagged now: an odd one may be beyond reach."""
BASE_AUROC: Final = 0.002
BASE_DETECTION: Final = 0.005
BASE_ALARMS: Final = 0.005
"""Largest losses on base traffic, held against the upper end of the interval."""
SITE_DETECTION: Final = 0.05
REPORTED_DETECTION: Final = 0.1
"""Largest losses of flagged attacks: in the site's ordinary requests, and in reported ones against ordinary ones."""
SITE_AUROC: Final = 0.02
"""Largest loss of site quality for a candidate that mends reported false positives."""
DETECTION: Final = 0.95
"""Share of the attacks in site requests that candidate and re-thresholded incumbent must catch to be compared."""
RETHRESHOLDED: Final = 0.01
"""Largest rise of false alarms at that detection for a candidate that mends reported false positives."""
FLAGGED: Final = 0.01
"""Budget of flagged harmless site traffic: the rate whose point flags."""
LATENCY: Final = 1.3
FIRM: Final = 1200
"""Hostile base rows from which half a point of detection can be told from one row in a thousand."""
FAMILY: Final = 600
"""Rows from which a label's detection is judged by itself."""
INFLUENCE: Final = 0.5
"""Largest share of the training weight that one client may hold."""
CHANCE: Final = 0.05
"""Below this a difference is no chance."""


def reported(rows: Judged) -> Iterator[Gate]:
    """Labelled rows that the incumbent gets wrong must come out right: `reported` alarms and `missed` attacks."""
    alarms = rows.take(~rows.hostile & (rows.rank_before > 0))
    if len(alarms.labels):
        limit = REPORTED if len(alarms.labels) >= 10 else 1.0
        yield share("reported", alarms.rank_after == 0, limit, wording.mended)
    missed = rows.take(rows.hostile & (rows.rank_before == 0))
    if len(missed.labels):
        yield share("missed", missed.rank_after > 0, MISSED, wording.found)


def site_quality(rows: Judged, *, mends: bool, seed: int = 0) -> Gate:
    """Area under the curve on held-out site rows: better, or, where reported errors are mended, no worse by much.

    The area does not depend on a threshold, so the incumbent is compared as if it were re-thresholded.
    """
    if few := _missing_rows(rows):
        return scarce("site_quality", few, _ROWS)
    value, low, high = resampled(rows.groups, lambda weight: gain(rows, weight), seed)
    limit = -SITE_AUROC if mends else 0.0
    gate = Gate("site_quality", low > limit, value, low, high, limit, said=_areas(rows))
    if mends and value - low > SITE_AUROC:  # as in `kept`: not even an unchanged model could show it
        return unsure(gate, value > limit, (value - low) / SITE_AUROC, len(rows.labels), "flows")
    return gate


def site_rethresholded(rows: Judged, *, mends: bool, seed: int = 0) -> Gate:
    """False alarms where both models catch `DETECTION` of the attacks in site requests, each at a threshold of its own.

    No more than those of an incumbent whose threshold was merely moved, or, where reported errors are mended, not more
    by much. As in `kept` a rise beyond that refuses only when it is no chance.
    """
    if few := _missing_rows(rows):
        return scarce("site_rethresholded", few, _ROWS)

    def at(threat: Floats, weight: Floats) -> float:
        return alarms_at(rows.hostile, threat, weight, DETECTION)

    value, low, high = resampled(
        rows.groups, lambda weight: at(rows.threat_after, weight) - at(rows.threat_before, weight), seed
    )
    limit, ones, count = RETHRESHOLDED if mends else 0.0, np.ones(len(rows.labels)), int((~rows.hostile).sum())
    after, before = (round(count * at(threat, ones)) for threat in (rows.threat_after, rows.threat_before))
    said = wording.rethresholded(after, before, count, DETECTION)
    return Gate("site_rethresholded", value <= limit or low <= 0.0, value, low, high, limit, said=said)


def site_detection(rows: Judged, reported: Bools, *, seed: int = 0) -> Iterator[Gate]:
    """Attacks grafted into the site's own requests; `reported` [N] are those in requests that were false positives.

    In ordinary requests what the incumbent flags must still be flagged. In reported ones the incumbent flagged
    everything, attacks by accident among them; there the candidate must not do much worse than in ordinary ones.
    """
    what = "attacks in site requests"
    ordinary = rows.take(rows.hostile & ~reported)
    said = _caught(ordinary, 1, "attacks put into this site's requests")
    yield kept("site_detection", ordinary, fallen(1), SITE_DETECTION, seed, what, said)
    there = rows.take(rows.hostile & reported).rank_after > 0
    if len(there) == 0:
        return
    if min(len(there), len(ordinary.labels)) < ENOUGH:
        yield scarce("reported_detection", ENOUGH - min(len(there), len(ordinary.labels)), what)
        return
    elsewhere = ordinary.rank_after > 0
    value = float(elsewhere.mean() - there.mean())
    spread = 1.645 * float(elsewhere.var() / len(elsewhere) + there.var() / len(there)) ** 0.5
    low, high = value - spread, value + spread
    said = wording.there(int(there.sum()), len(there), int(elsewhere.sum()), len(elsewhere))
    yield Gate("reported_detection", low <= REPORTED_DETECTION, value, low, high, REPORTED_DETECTION, said=said)


def site_alarms(rows: Judged, blocked: float) -> Iterator[Gate]:
    """False positives on held-out harmless site rows: within budget, or no more than the incumbent's.

    `blocked` is the largest share of harmless flows that may be blocked.
    """
    harmless = rows.take(~rows.hostile)
    for name, rank, budget in (("site_flagged", 1, FLAGGED), ("site_blocked", 2, blocked)):
        before, after = harmless.rank_before >= rank, harmless.rank_after >= rank
        count, wrong = len(after), int(after.sum())
        if count == 0:
            yield scarce(name, supports(budget), "harmless site flows")
            continue
        low, high = interval(wrong, count)
        gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
        p = mcnemar(gained, lost)
        # A new block stops somebody's work, so chance is no excuse there.
        worse = gained > lost and (rank == 2 or p < CHANCE)
        needed = max(0, supports(budget) - count)
        note = (
            f"too few flows for the budget of {budget:g}; {'' if worse else 'not '}worse than before" if needed else ""
        )
        said = wording.alarms(rank, wrong, int(before.sum()), count)
        yield Gate(name, high <= budget or not worse, wrong / count, low, high, budget, note, needed, said, p)


def base_quality(rows: Judged, *, seed: int = 0) -> Iterator[Gate]:
    """What the incumbent could do elsewhere must be kept: area, detection at the deployed points, false positives.

    Each label with `FAMILY` rows is judged by itself; smaller ones are pooled, and the gate lists them.
    """
    yield kept("base_auroc", rows, lambda rows, weight: -gain(rows, weight), BASE_AUROC, seed, said=_areas(rows))
    hostile = rows.take(rows.hostile)
    what = "attacks on other sites"
    for name, rank in (("base_flagged", 1), ("base_blocked", 2)):
        yield kept(name, hostile, fallen(rank), BASE_DETECTION, seed, said=_caught(hostile, rank, what), firm=FIRM)
    yield from _families(hostile, seed)
    harmless = rows.take(~rows.hostile)
    said = wording.elsewhere(*_reached(harmless, 1))
    yield kept("base_alarms", harmless, lambda rows, weight: -fallen(1)(rows, weight), BASE_ALARMS, seed, said=said)


def _families(hostile: Judged, seed: int) -> Iterator[Gate]:
    small = []
    labels = np.array([str(label) for label in hostile.labels])
    for label in sorted(set(hostile.labels)):
        family = hostile.take(labels == str(label))
        said = _caught(family, 1, f"flows of other sites that are {label}")
        if len(family.labels) >= FAMILY:
            yield kept(f"base_flagged_{label}", family, fallen(1), BASE_DETECTION, seed, said=said)
        else:
            small.append((label, family))
    if not small:
        return
    pooled = hostile.take(np.isin(labels, [str(label) for label, _ in small]))
    said = _caught(pooled, 1, "attacks of the rarer kinds on other sites")
    gate = kept("base_flagged_others", pooled, fallen(1), BASE_DETECTION, seed, said=said, firm=FIRM)
    listed = "; ".join(_listed(label, family) for label, family in small)
    yield msgspec.structs.replace(gate, note=f"{gate.note}; {listed}" if gate.note else listed)


def _listed(label: Label, family: Judged) -> str:
    """A small family's detection before and after, with the exact interval of what it is now."""
    before, after, count = _reached(family, 1)
    low, high = interval(after, count)
    return f"{label} {before} to {after} of {count} [{low:.0%}, {high:.0%}]"


def sentinels(rank_before: Ints, rank_after: Ints) -> Gate:
    """Every sentinel attack that the incumbent catches must be caught."""
    caught = rank_after[rank_before > 0] > 0
    beyond = int((rank_before == 0).sum())
    note = f"{beyond} of {len(rank_before)} are missed by the incumbent too and do not count" if beyond else ""
    if len(caught) == 0:
        return Gate("sentinels", True, 1.0, 0.0, 1.0, 1.0, note)
    return msgspec.structs.replace(share("sentinels", caught, 1.0, wording.watched), note=note)


def latency(before: Floats, after: Floats) -> Gate:
    """Seconds a record, interleaved runs [R] of each; the quickest are compared, the rest is the machine's noise."""
    value = float(np.min(after) / np.min(before))
    ratios = np.sort(after / before)
    low, high = float(min(ratios[0], value)), float(max(ratios[-1], value))
    return Gate("latency", value <= LATENCY, value, low, high, LATENCY, said=wording.slower(value))


_ROWS: Final = "held-out site flows, harmless or hostile"


def _missing_rows(rows: Judged) -> int:
    """How many rows of a class are missing for an area or a rate."""
    return max(0, ENOUGH - min(int(rows.hostile.sum()), int((~rows.hostile).sum())))


def _areas(rows: Judged) -> str:
    ones = np.ones(len(rows.labels))
    return wording.areas(area(rows.hostile, rows.threat_before, ones), area(rows.hostile, rows.threat_after, ones))


def _reached(rows: Judged, rank: int) -> tuple[int, int, int]:
    """How many rows reach a rank before and after, of how many."""
    return int((rows.rank_before >= rank).sum()), int((rows.rank_after >= rank).sum()), len(rows.labels)


def _caught(rows: Judged, rank: int, what: str) -> str:
    return wording.caught(*_reached(rows, rank), what, "blocked" if rank == 2 else "flagged")
