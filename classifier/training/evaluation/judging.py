"""One evaluation from its inputs to its figures: the work behind `sluice evaluate`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.evaluation import figures, sources
from classifier.training.evaluation.compare import compare, pairs
from classifier.training.evaluation.evasions import measure_ablations, measure_evasions
from classifier.training.evaluation.figures import Evaluation, SystemFigures
from classifier.training.evaluation.flipped import Flips
from classifier.training.evaluation.measure import (
    MODERN,
    Example,
    Judgement,
    System,
    Watcher,
    family,
    judge,
    read,
)
from classifier.training.evaluation.page import Cases
from classifier.training.evaluation.phases import Phases
from classifier.training.evaluation.sample import Sample
from classifier.training.evaluation.systems import Served
from classifier.training.evaluation.targets import targets
from classifier.training.evaluation.worst import Worst
from classifier.training.progress import Bar

CRS: Final = "crs"
MODERN_ROWS: Final = 6_000
"""Harmless modern requests beside the corpora: six of them may reach a threshold for one in a thousand."""
SAMPLED: Final = 2_000
"""Flows of each source and side kept for rewriting and for timing."""
TIMED: Final = 500
"""Requests whose time is taken."""
SEED: Final = 0


class Inputs(NamedTuple):
    """What to judge, with what, and what to do beyond the figures by source."""

    files: Sequence[Path]
    models: Sequence[str]
    """Releases or paths; empty for the stable channel."""
    corpus: Path | None
    baseline_rows: int
    """0 for no baseline."""
    evasions: bool
    against: str
    """`crs` or empty."""
    explained: bool
    """Whether the worst errors are wanted, which takes some hundred scorings each."""
    state: Path
    modern_rows: int = MODERN_ROWS


@runtime_checkable
class Timed(Protocol):
    """A system that can say how long a request takes it."""

    def microseconds(self, records: Sequence[FlowRecord]) -> float:
        """Median, one request at a time."""


class Outcome(NamedTuple):
    """Everything a report is made from. `served` is the release the figures are about."""

    evaluation: Evaluation
    judgement: Judgement
    cases: Cases
    served: Served
    bad: list[BadLine]


def run(inputs: Inputs) -> Outcome:
    """Judge everything once, then make figures. Raises UserError."""
    with ExitStack() as stack:
        served = _served(inputs)
        systems: list[System] = [*served, *_others(inputs, stack)]
        watching = _Watching(served, inputs)
        bad: list[BadLine] = []
        with Bar("Judging") as bar:
            judgement = judge(_examples(inputs, bad), systems, bar, watching.watchers)
        evaluation = Evaluation(
            rows=len(judgement.sources),
            skipped=len(bad),
            systems=[watching.figures(judgement, system) for system in systems],
            settings=_settings(inputs),
            comparisons=[compare(judgement, first, second, SEED) for first, second in pairs(systems)],
        )
        if inputs.evasions:
            _rewrite(evaluation, watching.sample.examples(), served[0])
    evaluation.targets = targets(evaluation)
    return Outcome(evaluation, judgement, watching.cases(), served[0], bad)


class _Watching:
    """What looks at the flows while they are judged."""

    def __init__(self, served: Sequence[Served], inputs: Inputs) -> None:
        self._phases = Phases(served)
        self.sample = Sample(SAMPLED, SEED)
        self._worst = Worst(served[0]) if inputs.explained else None
        self._flips = [Flips(first, second) for first, second in pairs(served)] if inputs.explained else []
        optional: list[Watcher] = [self._worst] if self._worst else []
        self.watchers: list[Watcher] = [self._phases, self.sample, *optional, *self._flips]

    def figures(self, judgement: Judgement, system: System) -> SystemFigures:
        """All figures of one system."""
        found = SystemFigures(system.name, system.release, sources.reports(judgement, system, SEED))
        found.confusion = figures.confusion(judgement, system.name)
        if isinstance(system, Served):
            found.phases = self._phases.reports(system, SEED)
            found.bytes = system.sizes
        found.microseconds = self._microseconds(system)
        return found

    def _microseconds(self, system: System) -> float | None:
        """All are timed on the same requests; the baseline, which serves nobody, is not."""
        requests = [each.record for each in self.sample.examples("http")]
        if not requests or not isinstance(system, Timed):
            return None
        taken = system.microseconds(requests[:: max(1, len(requests) // TIMED)])
        return round(taken, 1) if isfinite(taken) else None

    def cases(self) -> Cases:
        """The flows that are shown one by one."""
        flipped = [(each.pair[0].name, each.pair[1].name, each.flows()) for each in self._flips]
        return Cases(self._worst.errors() if self._worst else (), flipped)


def _served(inputs: Inputs) -> list[Served]:
    served = [Served.load(name, inputs.state) for name in inputs.models or [""]]
    if len({system.name for system in served}) < len(served):
        raise UserError("a model is named twice; compare two different ones")
    return served


def _others(inputs: Inputs, stack: ExitStack) -> Iterator[System]:
    if inputs.baseline_rows and inputs.corpus:
        from classifier.training.data import training_rows
        from classifier.training.evaluation.baseline import Baseline

        yield Baseline(training_rows(inputs.corpus), inputs.baseline_rows)
    if inputs.against == CRS:
        from classifier.training.evaluation.crs import Crs

        yield stack.enter_context(Crs())


def _examples(inputs: Inputs, bad: list[BadLine]) -> Iterator[Example]:
    """The files, the held-out sources of the corpora, and harmless modern traffic beside them."""
    yield from read(inputs.files, bad)
    if inputs.corpus is None:
        return
    from classifier.training.data import holdout
    from classifier.training.evaluation.modern import modern

    for source, record in holdout(inputs.corpus):
        yield Example(source, family(source, record), record)
    for name, record in modern(inputs.modern_rows, SEED):
        yield Example(f"{MODERN}:{name}", "http", record)


def _rewrite(evaluation: Evaluation, examples: Sequence[Example], system: System) -> None:
    with Bar("Rewriting") as bar:
        evaluation.evasions = measure_evasions(examples, system, seed=SEED, progress=bar)
    evaluation.ablations = measure_ablations(examples, system, seed=SEED)


def _settings(inputs: Inputs) -> dict[str, Any]:
    """What was asked for, without paths: a saved evaluation may be published."""
    return {
        "corpus": inputs.corpus is not None,
        "modern_rows": inputs.modern_rows if inputs.corpus else 0,
        "baseline_rows": inputs.baseline_rows,
        "evasions": inputs.evasions,
        "against": inputs.against,
        "seed": SEED,
    }
