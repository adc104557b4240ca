"""The site's side of a run: flows in, words matched, examples split, payloads grafted."""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.features import Features, extract, fits, vectorize
from classifier.importers import BadLine
from classifier.journal import Journal
from classifier.records import HARMLESS, FlowRecord, Label, to_json
from finetune import flows, labels, lists
from finetune.acceptance import INFLUENCE
from finetune.dataset import (
    Example,
    Split,
    balance,
    by_client,
    doubtful,
    examples,
    familiar,
    influence,
    rest,
    split,
    thin,
)
from finetune.judging import Judge, Paper
from finetune.labels import EXEMPT, NothingToLearn, Word
from finetune.statistics import Bools, Floats
from finetune.transplant import Grafted, transplant

SUSPICIOUS: Final = 0.05
"""Threat from which an unlabelled flow is never taken for harmless, whatever the operating points: five times the
share of threats that scores are calibrated for."""
SHOWN: Final = 5
"""Unreadable parts of the input that are named one by one."""


class Chosen(msgspec.Struct):
    """The flows of a run (masked), and what people say of them by flow id."""

    records: list[FlowRecord]
    words: dict[str, Word]


@dataclass(frozen=True)
class Site:
    """What is known of the site. `influence` is the largest share of one client and how many clients there are.

    `doubtful` are views that raised an alarm and that nobody labelled, `spare` unlabelled flows beyond the caps, newest
    first: nothing is learned from either. `sources` is what a report says of the flows.
    """

    train: list[Example]
    holdout: list[Example]
    influence: tuple[float, int]
    counts: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    doubtful: list[Example] = field(default_factory=list)
    spare: list[FlowRecord] = field(default_factory=list)
    sources: dict[str, Any] = field(default_factory=dict)

    @property
    def labelled(self) -> list[Example]:
        """Every example somebody labelled, learned from or not."""
        return [row for row in (*self.train, *self.holdout) if not row.weak]


def gather(records: Sequence[FlowRecord], words: Mapping[str, Word], incumbent: Judge) -> Site:
    """Flows and words of a site, judged by the incumbent and split. Raises UserError when nothing is labelled."""
    candidates = thin(records, words)
    views = [candidate.record for candidate in candidates]
    rows = [vectorize(view) for view in views]
    threats, alarms = suspicion(views, rows, incumbent)
    found = examples(candidates, rows, threats.tolist(), alarms.tolist(), familiar(records, words))
    if all(row.weak for row in found):
        raise NothingToLearn(
            "no labelled flow to learn from; label some with `sluice label ID benign` or give --labels FILE"
        )
    train, holdout = split(found)
    # What a list says of a host is taught; it is too little to judge anybody by.
    holdout = [row for row in holdout if not (row.weak and row.label not in HARMLESS)]
    train = balance(train, EXEMPT, INFLUENCE)
    spare = rest(records, words, candidates)
    return Site(
        train,
        holdout,
        influence(train, EXEMPT),
        _counts(Split(train, holdout)),
        _digests(records, words),
        doubtful(candidates, rows, threats.tolist(), alarms.tolist()),
        spare,
        _sources(records, words, spare, train),
    )


def suspicion(records: Sequence[FlowRecord], rows: Sequence[Features], judge: Judge) -> tuple[Floats, Bools]:
    """Threats float [N], and bool [N] whether a row is too suspicious to be taken for harmless unlabelled: an alarm,
    or a high threat where its kind and phase has no operating points.
    """
    threats, ranks = judge.opinion(records, rows)
    return threats, (ranks > 0) | (threats >= SUSPICIOUS)


def grafted(rows: Sequence[Example], seed: str, count: int) -> list[Grafted]:
    """`count` hostile and as many harmless grafts; half of the donors are labelled requests where there are some.

    A graft that does not fit one window is left out: nobody knows which of its windows is the hostile one.
    """
    rng = random.Random(seed)
    known = [row.record for row in rows if not row.weak and row.label in HARMLESS]
    others = [row.record for row in rows if row.weak]
    half = count // 2 if known and others else count
    made = [*transplant(known, rng, half), *transplant(others, rng, half)]
    return [graft for graft in made if fits(extract(graft.record))]


def paper(rows: Iterable[Example]) -> Paper:
    """Examples as rows to judge by."""
    kept = list(rows)
    return Paper(
        [row.record for row in kept],
        [row.features for row in kept],
        [row.label for row in kept],
        [row.group for row in kept],
    )


def graft_paper(grafts: Iterable[Grafted]) -> Paper:
    """Grafts as rows to judge by; each is a group of its own."""
    kept = list(grafts)
    return Paper(
        [graft.record for graft in kept],
        [extract(graft.record) for graft in kept],
        [graft.label for graft in kept],
        [f"graft {index}" for index in range(len(kept))],
    )


def collect(
    state: Path, files: Sequence[Path], label_file: Path | None, listed: Mapping[Label, Path] | None = None
) -> Chosen:
    """The flows of `files`, by default the state's captures, and what people, alerts and lists say of them.

    `label_file` is a label file or an EVE log, `listed` are lists of domains by what they list. Raises UserError.
    """
    log = label_file if label_file and labels.is_log(label_file) else None
    journal = Journal(state / "sluice.db")
    said = {flow: Word(label=row.label, weight=row.weight, origin=row.origin) for flow, row in journal.labels().items()}
    told = labels.merge([said, labels.read(label_file) if label_file and not log else {}])
    if files:
        records, bad = flows.read(files, told)
        aliases: dict[str, str] = {}
        _name(bad)
    else:
        records, aliases = flows.captured(state, told)
    words, extra, unknown = labels.resolve(
        told, (record.id for record in records), aliases, lambda name: _event(journal, name)
    )
    journal.close()
    if unknown and label_file:
        print(f"sluice: {len(unknown)} labels name no flow at hand, {unknown[0]!r} for one", file=sys.stderr)
    assumed = [lists.hits(listed or {}, records), _alerted(log, records) if log else {}]
    return Chosen([*records, *extra], labels.merge([*assumed, labels.own(records), words]))


def _alerted(log: Path, records: Sequence[FlowRecord]) -> dict[str, Word]:
    """What the alerts of a log say; what fits no flow and what has no label of ours is told."""
    words, join, bad = labels.alerted(log, records)
    _name(bad)
    print(f"sluice: {log}: alerts about {len(words):,} flows; {join.told}", file=sys.stderr)
    return words


def _name(bad: Sequence[BadLine]) -> None:
    for line in bad[:SHOWN]:
        print(f"sluice: {line.where}: {line.reason}", file=sys.stderr)
    if len(bad) > SHOWN:
        print(f"sluice: {len(bad) - SHOWN} more parts of the input cannot be read", file=sys.stderr)


def _event(journal: Journal, name: str) -> FlowRecord | None:
    event = journal.find(name)
    return None if event is None else event.record


def _counts(rows: Split) -> dict[str, int]:
    kinds = Counter(
        f"{part}_{'weak' if row.weak else 'labelled'}"
        for part, side in (("train", rows.train), ("holdout", rows.holdout))
        for row in side
    )
    names = ("train_labelled", "train_weak", "holdout_labelled", "holdout_weak")
    return {name: kinds[name] for name in names}


def _sources(
    records: Sequence[FlowRecord], words: Mapping[str, Word], spare: Sequence[FlowRecord], train: Sequence[Example]
) -> dict[str, Any]:
    """Flows, clients and hosts seen; flows that the caps left out; labels and weights by origin; clients by share."""
    weights = by_client(train, EXEMPT)
    total = sum(weights.values())
    heaviest = sorted(weights.items(), key=lambda item: -item[1])[:SHOWN]
    ids = {record.id for record in records}
    told = Counter(f"{word.origin}: {word.label}" for flow, word in words.items() if flow in ids)
    return {
        "flows": len(records),
        "clients": len({record.client for record in records}),
        "hosts": len({record.site for record in records}),
        "capped": len(spare),
        "labels": dict(sorted(told.items())),
        "weights": _weights(train),
        "heaviest": {client: round(weight / total, 4) for client, weight in heaviest} if total else {},
    }


def _weights(train: Iterable[Example]) -> dict[str, dict[str, float]]:
    """By origin: rows learned from, and the mean weight of one."""
    by_origin: dict[str, list[float]] = {}
    for row in train:
        by_origin.setdefault(row.origin, []).append(row.weight)
    return {
        origin: {"rows": len(found), "weight": round(sum(found) / len(found), 3)}
        for origin, found in sorted(by_origin.items())
    }


def _digests(records: Iterable[FlowRecord], words: Mapping[str, Word]) -> dict[str, str]:
    """SHA-256 of the flows (in any order) and of the words on them, for the card."""
    found = sorted(sha256(to_json(record)).digest() for record in records)
    said = msgspec.json.encode(sorted((flow, str(word.label), word.weight) for flow, word in words.items()))
    return {"site_flows": sha256(b"".join(found)).hexdigest(), "site_labels": sha256(said).hexdigest()}
