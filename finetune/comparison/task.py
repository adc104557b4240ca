"""One site as a task, split once for every strategy, number of labels and seed.

    flows ──▶ groups ──▶ older ones: learning part      labels of some, the rest as unlabelled captures, grafts
                    └──▶ newer ones: held-out part      true labels, and grafts where hostile rows are few

A group is a skeleton (site, method, path shape, parameter names), or a registered domain where the flows go to many
of them, so that neither a near-duplicate nor a host is on both sides.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from classifier.errors import UserError
from classifier.features import Features, vectorize
from classifier.records import HARMLESS, FlowRecord, Label, phases, to_json
from classifier.training.datasets.urls import domain
from finetune import flows
from finetune.acceptance import INFLUENCE
from finetune.comparison.rows import SiteInfo
from finetune.dataset import Example, balance, examples, skeleton, thin
from finetune.judging import Judge, Paper
from finetune.labels import EXEMPT, Word
from finetune.site import graft_paper, grafted, suspicion
from finetune.transplant import Grafted

HELD: Final = 0.4
"""Share of the rows held out."""
SLACK: Final = 1.25
"""A group that would hold out more than so many times that share is learned from instead."""
DOMAINS: Final = 20
"""From so many registered domains on they are the groups."""
FEW: Final = 100
"""With fewer hostile held-out rows than this, grafts are judged too."""
GRAFTS: Final = 300
"""Hostile grafts that judge then."""


class Opinion(NamedTuple):
    """A view as the incumbent sees it."""

    features: Features
    threat: float
    alarm: bool


@dataclass(frozen=True)
class Task:
    """A site. `learning` holds flows without their labels, which are in `truth` by flow id; `seen` has the
    incumbent's opinion by id and phase. `held` judges; the first `own` of its rows are the site's.
    """

    info: SiteInfo
    learning: list[FlowRecord]
    truth: dict[str, Label]
    seen: dict[tuple[str, str], Opinion]
    held: Paper
    own: int


def load(path: Path, incumbent: Judge) -> Task:
    """The labelled flows of a file as a task named like the file. Raises UserError when there are too few of them."""
    records, _ = flows.read([path], ())
    named = [
        msgspec.structs.replace(record, id=str(number))
        for number, record in enumerate(records)
        if record.label is not None
    ]
    if not any(record.label in HARMLESS for record in named):
        raise UserError(f"{path}: no flow with a harmless label; a site needs flows with a `label` each")
    groups, grouped_by = grouped(named)
    held = hold_out(named, groups)
    learning = [record for record in named if groups[record.id] not in held]
    if not learning or not held:
        raise UserError(f"{path}: its {len(named)} labelled flows are near-duplicates; there is nothing to hold out")
    judging = [record for record in named if groups[record.id] in held]
    paper, own = _paper(judging, groups)
    hostile = paper.hostile
    info = SiteInfo(
        site=path.stem,
        digest=sha256(b"\n".join(sorted(map(to_json, named)))).hexdigest()[:16],
        grouped_by=grouped_by,
        learning=len(learning),
        learning_hostile=sum(record.label not in HARMLESS for record in learning),
        held_harmless=int((~hostile).sum()),
        held_hostile=int(hostile[:own].sum()),
        grafts=len(hostile) - own,
    )
    truth = {record.id: record.label for record in learning if record.label is not None}
    bare = [msgspec.structs.replace(record, label=None) for record in learning]
    return Task(info, bare, truth, _opinions(bare, incumbent), paper, own)


def grouped(records: Sequence[FlowRecord]) -> tuple[dict[str, str], str]:
    """The group of each flow by its id, and what the groups are: `registered domain` or `skeleton`."""
    domains = {record.id: domain(record.site) if record.site else "" for record in records}
    if len(set(domains.values())) >= DOMAINS:
        return domains, "registered domain"
    return {record.id: skeleton(record) for record in records}, "skeleton"


def hold_out(records: Sequence[FlowRecord], groups: dict[str, str]) -> set[str]:
    """The newest groups, up to `HELD` of the rows; groups with a hostile row and others each by themselves."""
    hostile = {groups[record.id] for record in records if record.label not in HARMLESS}
    held: set[str] = set()
    for kind in (True, False):
        inside = [record for record in records if (groups[record.id] in hostile) == kind]
        sizes = Counter(groups[record.id] for record in inside)
        newest: dict[str, float] = {}
        for record in inside:
            newest[groups[record.id]] = max(newest.get(groups[record.id], -math.inf), record.time)
        count = 0
        for group in sorted(newest, key=lambda group: (-newest[group], group)):
            if count < HELD * len(inside) and count + sizes[group] <= SLACK * HELD * len(inside):
                held.add(group)
                count += sizes[group]
    return held


def labelled(task: Task, count: int, seed: int) -> dict[str, Word]:
    """The true labels of `count` flows; fewer labels of a seed are always among more."""
    order = random.Random(f"labels {seed}").sample(sorted(task.truth), len(task.truth))
    return {name: Word(label=task.truth[name]) for name in order[:count]}


def learned(task: Task, words: dict[str, Word]) -> list[Example]:
    """What a run would learn from: labelled flows, and others as weakly harmless where the incumbent agrees."""
    candidates = thin(task.learning, words)
    seen = [task.seen[candidate.record.id, candidate.record.phase] for candidate in candidates]
    found = examples(
        candidates, [each.features for each in seen], [each.threat for each in seen], [each.alarm for each in seen]
    )
    return balance(found, EXEMPT, INFLUENCE)


def grown(rows: Sequence[Example], seed: int, count: int) -> list[Grafted]:
    """Grafts into the rows that are learned from, `count` hostile and as many harmless."""
    return grafted(rows, f"train {seed}", count)


def _paper(records: Sequence[FlowRecord], groups: dict[str, str]) -> tuple[Paper, int]:
    """Rows that judge, and how many of them are the site's own."""
    own = Paper(
        list(records),
        [vectorize(record) for record in records],
        [record.label or Label.BENIGN for record in records],
        [groups[record.id] for record in records],
    )
    if own.hostile.sum() >= FEW:
        return own, len(records)
    donors = [
        Example(record, row, Label.BENIGN, 1.0, "record", "", 0.0)
        for record, row, label in zip(own.records, own.features, own.labels, strict=True)
        if label in HARMLESS
    ]
    made = graft_paper(graft for graft in grafted(donors, "held out", GRAFTS) if graft.label not in HARMLESS)
    return own.join(made), len(records)


def _opinions(records: Sequence[FlowRecord], incumbent: Judge) -> dict[tuple[str, str], Opinion]:
    looked = [view for record in records for view in phases(record)]
    rows = [vectorize(view) for view in looked]
    threats, alarms = suspicion(looked, rows, incumbent)
    return {
        (view.id, view.phase): Opinion(row, float(threat), bool(alarm))
        for view, row, threat, alarm in zip(looked, rows, threats, alarms, strict=True)
    }
