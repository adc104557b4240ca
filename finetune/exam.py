"""Rows that nobody learned from, and the verdict of the gates on them."""

import itertools
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from classifier.artifact import Model
from classifier.card import OperatingPoints
from classifier.features import Features, extract, operating_key, vectorize
from classifier.records import HARMLESS, Label, Verdict, phases
from classifier.scorer import Scorer
from classifier.training import synthetic
from classifier.training.calibrate import SHARE
from classifier.training.corpus import Row
from finetune import acceptance
from finetune.budget import USUAL, Calm, Promise, promises
from finetune.dataset import Example
from finetune.gate import Gate, Judged
from finetune.judging import Judge, Paper, compare
from finetune.points import Scores, carried
from finetune.site import Site, graft_paper, paper, suspicion
from finetune.statistics import Bools, area, supports
from finetune.transplant import Grafted

CALIBRATES: Final = 600
"""Held-out harmless site rows from which half of the groups may set thresholds and only the others judge."""
SPARE: Final = 1.2
"""Times as many spare flows as a budget takes are judged: some of them will be near the threshold."""
NOTHING: Final = Paper([], [], [], [])
_TIMED, _REPEATS = 40, 7
_LIFT: Final = (1.0 - SHARE) / SHARE


class Exam(NamedTuple):
    """The papers of one run. `scale` (base rows) and `calm` (site rows) set thresholds and judge nothing; neither
    do `taught`, the labelled rows that were learned from: they say when to stop. `doubtful` are site rows that raised
    an alarm and that nobody labelled.
    """

    taught: Paper
    labelled: Paper
    site: Paper
    grafts: Paper
    donors: Paper
    base: Paper
    sentinels: Paper
    scale: Paper
    calm: Paper
    doubtful: Paper = NOTHING

    @property
    def attacks(self) -> Paper:
        """The hostile grafts and the sentinels."""
        return self.grafts.take(np.flatnonzero(self.grafts.hostile)).join(self.sentinels)


class Sitting(NamedTuple):
    """What came out: the gates, and the rows that they judged as both models see them."""

    gates: list[Gate]
    site: Judged
    grafts: Judged
    base: Judged


def prepare(site: Site, grafts: Sequence[Grafted], base: Sequence[Row]) -> Exam:
    """Papers from held-out examples, held-out grafts and base rows, half of which calibrate."""
    judging, calibrating = _halves(site.holdout)
    known = _known(base)
    order = np.random.default_rng(0).permutation(len(known.labels))
    own = paper(judging).join(graft_paper(graft for graft in grafts if graft.label not in HARMLESS))
    return Exam(
        taught=paper(row for row in site.train if not row.weak),
        labelled=paper(site.labelled),
        site=own,
        grafts=graft_paper(grafts),
        donors=_donors(grafts),
        base=known.take(order[::2]),
        sentinels=_sentinels(),
        scale=known.take(order[1::2]),
        calm=paper(calibrating),
        doubtful=paper(site.doubtful),
    )


def spared(exam: Exam, site: Site, incumbent: Judge, wrong: float) -> Exam:
    """The exam with as many spare flows of the site as it takes to promise at most the share `wrong` of wrong blocks.

    Where they would not be enough, none are judged: the number alone says so.
    """
    wanted = supports(wrong) - len(exam.calm.records)
    if wanted <= 0 or len(site.spare) < wanted:
        return exam
    records = [view for record in site.spare[: round(SPARE * wanted)] for view in phases(record)]
    features = [vectorize(record) for record in records]
    _, alarms = suspicion(records, features, incumbent)
    rows = Paper(records, features, [Label.BENIGN] * len(records), [""] * len(records))
    loud = np.flatnonzero(alarms)
    return exam._replace(
        calm=exam.calm.join(rows.take(np.flatnonzero(~alarms))), doubtful=exam.doubtful.join(rows.take(loud))
    )


def promised(exam: Exam, candidate: Judge, wrong: float) -> list[Promise]:
    """What may be promised of wrong blocks, by kind and phase."""
    sides = []
    for rows in (exam.calm, exam.doubtful):
        quiet = rows.take(np.flatnonzero(~rows.hostile))
        sides.append((_keys(quiet), np.array([verdict.threat for verdict in candidate.verdicts(quiet.features)])))
    (keys, calm), (others, loud) = sides
    scores = {key: Calm(calm[keys == key], loud[others == key]) for key in {*keys.tolist(), *_keys(exam.site).tolist()}}
    return promises(candidate.points, scores, wrong)


def mastered(rows: Sequence[Row], incumbent: Judge) -> list[Row]:
    """Base rows that the incumbent gets right. Replay keeps what is known: taught new things by it, a base model that
    learned from real corpora drifts towards synthetic traffic.
    """
    verdicts = incumbent.verdicts([extract(row.record) for row in rows])
    return [row for row, verdict in zip(rows, verdicts, strict=True) if _even(verdict, row.labels) >= 0.5]


def _even(verdict: Verdict, labels: Sequence[Label]) -> float:
    """The score of `labels` if every second flow were a threat, as in the batches, and not one of a hundred."""
    weight = {label: score * (1.0 if label in HARMLESS else _LIFT) for label, score in verdict.scores.items()}
    return sum(weight[label] for label in labels) / sum(weight.values())


def calibrated(exam: Exam, incumbent: Judge, candidate: Judge, wrong: float = USUAL) -> OperatingPoints:
    """The incumbent's operating points on the candidate's scale; `wrong` is the share of harmless flows to block."""
    old, new = (judge.verdicts(exam.scale.features) for judge in (incumbent, candidate))
    calm = np.array([verdict.threat for verdict in candidate.verdicts(exam.calm.features)])
    keys, calm_keys = _keys(exam.scale), _keys(exam.calm)
    harmless = np.array([label in HARMLESS and label != Label.SCANNER for label in exam.scale.labels], np.bool_)
    threats = [np.array([verdict.threat for verdict in side]) for side in (old, new)]
    scanners = [np.array([verdict.scores[Label.SCANNER] for verdict in side]) for side in (old, new)]
    scores = {}
    for key in set(keys.tolist()):
        here, quiet = (keys == key) & exam.scale.hostile, (keys == key) & harmless
        scores[key] = Scores(
            before=threats[0][here],
            after=threats[1][here],
            scanner_before=scanners[0][quiet],
            scanner_after=scanners[1][quiet],
            harmless=calm[(calm_keys == key) & ~exam.calm.hostile],
        )
    return carried(incumbent.points, scores, wrong)


def _keys(paper: Paper) -> npt.NDArray[np.str_]:
    return np.array([operating_key(record) for record in paper.records], np.str_)


def sit(exam: Exam, incumbent: Judge, candidate: Judge, wrong: float = USUAL, seed: int = 0) -> Sitting:
    """Every gate but influence and latency. `wrong` is the share of harmless flows that may be blocked."""
    own = compare(exam.site, incumbent, candidate)
    base = compare(exam.base, incumbent, candidate)
    grafts = compare(exam.grafts, incumbent, candidate)
    reported = list(acceptance.reported(compare(exam.labelled, incumbent, candidate)))
    watched = compare(exam.sentinels, incumbent, candidate)
    mends = bool(reported) and all(gate.passed for gate in reported)
    gates = [
        *reported,
        acceptance.site_quality(own, mends=mends, seed=seed),
        acceptance.site_rethresholded(own, mends=mends, seed=seed),
        *acceptance.site_detection(grafts, _alarming(exam, incumbent), seed=seed),
        *acceptance.site_alarms(own, wrong),
        *acceptance.base_quality(base, seed=seed),
        acceptance.sentinels(watched.rank_before, watched.rank_after),
    ]
    return Sitting(gates, own, grafts, base)


def mended(exam: Exam, incumbent: Judge, candidate: Judge) -> bool:
    """Whether the labelled flows that were learned from and that the incumbent got wrong come out right."""
    return all(gate.passed for gate in acceptance.reported(compare(exam.taught, incumbent, candidate)))


def race(incumbent: Model, candidate: Model, features: Sequence[Features]) -> Gate:
    """Seconds of computing a record takes with both models in turn; what a busy machine adds counts for neither."""
    rows = list(itertools.islice(itertools.cycle(features), _TIMED))
    scorers = (Scorer(incumbent), Scorer(candidate))
    times = np.array([[_seconds(scorer, rows) for scorer in scorers] for _ in range(_REPEATS)])
    return acceptance.latency(times[:, 0], times[:, 1])


def _seconds(scorer: Scorer, rows: Sequence[Features]) -> float:
    begun = time.thread_time()
    for row in rows:
        scorer.score(row)
    return (time.thread_time() - begun) / len(rows)


def _alarming(exam: Exam, incumbent: Judge) -> Bools:
    """Which grafts grew on a request that the incumbent flags or blocks as it is."""
    return incumbent.opinion(exam.donors.records, exam.donors.features)[1] > 0


def _donors(grafts: Sequence[Grafted]) -> Paper:
    records = [graft.donor for graft in grafts]
    return Paper(records, [extract(record) for record in records], [Label.BENIGN] * len(records), [""] * len(records))


def _halves(rows: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Rows that judge and rows that calibrate: all judge, or every other group where there are many."""
    if sum(row.label in HARMLESS for row in rows) < CALIBRATES:
        return list(rows), []
    odd = set(sorted({row.group for row in rows})[1::2])
    return [row for row in rows if row.group not in odd], [row for row in rows if row.group in odd]


def _known(base: Sequence[Row]) -> Paper:
    """Base rows that are either a threat or not; near-duplicates are told apart by source only."""
    rows = [row for row in base if len({label in HARMLESS for label in row.labels}) == 1]
    return Paper(
        [row.record for row in rows],
        [extract(row.record) for row in rows],
        [row.labels[0] for row in rows],
        [f"{row.source} {index}" for index, row in enumerate(rows)],
    )


def _sentinels() -> Paper:
    records = synthetic.sentinels()
    labels = [record.label or Label.MALWARE for record in records]
    return Paper(records, [extract(record) for record in records], labels, [str(i) for i in range(len(records))])


def figures(rows: Judged) -> dict[str, Any]:
    """What the report says of a set of rows, before and after."""
    ones = np.ones(len(rows.labels))
    found: dict[str, Any] = {"hostile": int(rows.hostile.sum()), "harmless": int((~rows.hostile).sum())}
    for when, threat, rank in (
        ("before", rows.threat_before, rows.rank_before),
        ("after", rows.threat_after, rows.rank_after),
    ):
        found[f"auroc_{when}"] = area(rows.hostile, threat, ones) if len(ones) else None
        for name, least in (("flagged", 1), ("blocked", 2)):
            for side, chosen in (("hostile", rows.hostile), ("harmless", ~rows.hostile)):
                share = float((rank[chosen] >= least).mean()) if chosen.any() else None
                found[f"{side}_{name}_{when}"] = share
    return found
