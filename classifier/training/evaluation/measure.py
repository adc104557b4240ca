"""Labelled flows judged by several systems at once, in one pass: what every figure of an evaluation is made from.

    judgement = judge(read([Path("site.jsonl")], bad), [Served.load("", state)])

Flows come one after the other and are not kept; whoever needs the flows themselves (the worst errors, the phases)
watches them go by. `sources` makes figures of the columns that are left.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import batched
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from classifier.card import OperatingPoints
from classifier.evaluate import Floats, Ints
from classifier.features import operating_key
from classifier.importers import BadLine, open_file
from classifier.records import LABELS, FlowRecord, Label, from_json
from classifier.thresholds import THREAT
from classifier.training.evaluation.systems import Served, targets

TARGETS: Final = (THREAT, "scanner", "tracker")
"""What a system tells from harmless traffic; the columns of its scores. `scanner` counts threats too: a probe
that is taken for an attack was not missed."""
CHUNK: Final = 4096
MODERN: Final = "modern"
"""Table of the sources of `classifier.training.evaluation.modern`: harmless traffic that looks like attacks."""

_FAMILIES: Final = {
    **{"requests": "http", "payloads": "http", "transactions": "flows", "handshakes": "tls", "dns": "dns"},
    MODERN: "http",
}


class Example(NamedTuple):
    """A labelled flow, the source it is from and the family it is compared in."""

    source: str
    family: str
    record: FlowRecord


class System(Protocol):
    """Something that scores flows. `release` and `points` are empty for what is no release."""

    name: str
    release: str
    points: OperatingPoints

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """float [N, len(TARGETS)]; higher is worse, NaN for what it cannot judge."""


class Judgement(NamedTuple):
    """All examples as columns, with the scores of every system."""

    sources: list[str]
    families: list[str]
    labels: list[Label]
    keys: list[str]
    scores: dict[str, Floats]
    """System → float [N, len(TARGETS)]."""
    guesses: dict[str, Ints]
    """System → index of the likeliest label, int [N]; only of systems that name labels."""


Watcher = Callable[[Sequence[Example], Mapping[str, Floats]], None]
"""Is shown each chunk of examples with every system's scores of them."""


def read(files: Iterable[Path], bad: list[BadLine]) -> Iterator[Example]:
    """The labelled flows of JSON-lines files; what has no label or cannot be read is put into `bad`.

    A key `source` beside the record's own names the source; the file's name is the default.
    """
    for path in files:
        with open_file(path) as file:
            for number, line in enumerate(file, 1):
                where = f"{path}:{number}"
                try:
                    record = from_json(line)
                    source = str(json.loads(line).get("source") or path.stem)
                except ValueError as error:
                    bad.append(BadLine(where, str(error)))
                    continue
                if record.label is None:
                    bad.append(BadLine(where, "has no label"))
                    continue
                yield Example(source, family(source, record), record)


def family(source: str, record: FlowRecord) -> str:
    """The sort of evidence: from the source's name where it is a corpus table, else from the record."""
    known = _FAMILIES.get(source.partition(":")[0])
    if known:
        return known
    if record.kind in ("dns", "tls", "tcp"):
        return record.kind
    if record.phase == "connect":
        return "domain"
    if record.phase == "response":
        return "flows"
    bare = record.host and not record.request_headers and not record.request_body and record.kind == "http"
    return "url" if bare else "http"


def judge(
    examples: Iterable[Example], systems: Sequence[System], progress: Any = None, watchers: Sequence[Watcher] = ()
) -> Judgement:
    """Score all examples with all systems, a chunk at a time; `progress.at(done)` is told how far it is."""
    found = Judgement([], [], [], [], {}, {})
    parts: dict[str, list[Floats]] = {system.name: [] for system in systems}
    named: dict[str, list[int]] = {system.name: [] for system in systems if isinstance(system, Served)}
    for chunk in batched(examples, CHUNK):
        records = [example.record for example in chunk]
        for system in systems:
            parts[system.name].append(_scored(system, records, named))
        for watch in watchers:
            watch(chunk, {name: part[-1] for name, part in parts.items()})
        found.sources.extend(example.source for example in chunk)
        found.families.extend(example.family for example in chunk)
        found.labels.extend(record.label or Label.BENIGN for record in records)
        found.keys.extend(map(operating_key, records))
        if progress is not None:
            progress.at(len(found.sources))
    empty = np.zeros((0, len(TARGETS)))
    return found._replace(
        scores={name: np.concatenate(part or [empty]) for name, part in parts.items()},
        guesses={name: np.asarray(guess, np.int64) for name, guess in named.items()},
    )


def _scored(system: System, records: Sequence[FlowRecord], named: dict[str, list[int]]) -> Floats:
    if not isinstance(system, Served):
        return system.score(records)
    verdicts = system.verdicts(records)
    named[system.name] += [LABELS.index(verdict.label) for verdict in verdicts]
    return targets(verdicts)
