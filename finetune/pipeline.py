"""`sluice finetune run`, read top to bottom: flows → labels → split → two stages of training → gates → release.

Everything is seeded. Nothing is published before every gate has passed, and publishing is one rename: a run that
is interrupted leaves no half-written release.
"""

import datetime
import fcntl
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.artifact import Model, ModelCard
from classifier.errors import UserError
from classifier.features import SCHEMA
from classifier.journal import Journal
from classifier.records import HARMLESS, LABELS
from classifier.registry import MODEL, STABLE, Registry
from classifier.training.corpus import Row, digests
from classifier.training.export import export, load_weights, save_weights
from classifier.training.fit import FitReport
from classifier.training.network import Network
from classifier.training.train import golden_rows
from finetune import exam
from finetune.acceptance import Gate
from finetune.candidate import Material, make
from finetune.exam import Exam
from finetune.judging import Judge
from finetune.replay import base_rows, lessons
from finetune.site import Site, gather, grafted
from finetune.strategies.names import DEFAULT
from finetune.strategies.recipes import recipe
from finetune.teaching import share_cores

WEIGHTS: Final = "weights.safetensors"
LEARNED, EXAMINED = 600, 400
"""Hostile grafts to learn from and to judge by, and as many harmless ones."""


@dataclass(frozen=True)
class Options:
    """What to learn from and what to do with the result.

    `flows` empty: the state's captures. `registry` is the state directory of the releases where it is another one.
    """

    state: Path
    registry: Path | None = None
    flows: Sequence[Path] = ()
    labels: Path | None = None
    strategy: str = DEFAULT
    corpus: Path | None = None
    channel: str = STABLE
    promote: bool = True
    seed: int = 0


class Outcome(msgspec.Struct):
    """What `--json` prints. `release` is None when a gate refused the candidate."""

    release: str | None
    promoted: bool
    gates: list[Gate]
    site: dict[str, Any]
    base: dict[str, Any]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)


@dataclass(frozen=True)
class Incumbent:
    """The release that a candidate must beat."""

    release: str
    model: Model
    judge: Judge


@dataclass(frozen=True)
class Bench:
    """What every candidate of a run is made and measured with. `folder` becomes the release."""

    options: Options
    incumbent: Incumbent
    exam: Exam
    card: ModelCard
    folder: Path


def run(options: Options, shipped: Path | None = None) -> Outcome:
    """One run. Raises UserError for what a person can mend; a gate's refusal is an outcome, not an error.

    `shipped` is the release to start from where nothing was promoted, by default the one in the package.
    """
    begun = time.monotonic()
    share_cores()
    chosen = recipe(options.strategy)
    registry = Registry(options.registry or options.state, shipped=shipped)
    with exclusive(options.state), tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        incumbent = _incumbent(registry, options.channel)
        network = _weights(registry, incumbent.release, Path(scratch))
        site = gather(options.state, options.flows, options.labels, incumbent.judge)
        practice, questions = base_rows(options.corpus, options.seed)
        material = _material(site, exam.mastered(practice, incumbent.judge), options.seed)
        paper = _paper(site, questions, options)
        bench = Bench(options, incumbent, paper, _card(options, incumbent, site), _folder(scratch))
        tuned, reports = make(network, chosen, material, _mended(bench), options.seed)
        candidate = _exported(tuned, bench)
        gates, figures = exam.sit(paper, site, incumbent.judge, Judge(candidate), options.seed)
        gates.append(exam.race(incumbent.model, candidate, paper.labelled.features))
        outcome = Outcome(None, False, gates, figures["site"], figures["base"], round(time.monotonic() - begun, 2))
        if outcome.passed:
            _publish(outcome, tuned, bench, registry, reports)
        _note(options.state, outcome, incumbent.release)
    return outcome


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Only one run at a time in a state directory. Raises UserError when there is one already."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (state / "finetune.lock").open("a")
    except OSError as error:
        raise UserError(f"cannot write to {state}: {error.strerror}; make it writable or change --state") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system however the run ends
        except OSError:
            raise UserError(f"another fine-tuning run is at work in {state}; wait for it to end") from None
        yield


def _incumbent(registry: Registry, channel: str) -> Incumbent:
    release = registry.resolve(channel)
    model = registry.load(release, "cpu")
    return Incumbent(release, model, Judge(model))


def _weights(registry: Registry, release: str, work: Path) -> Network:
    path = work / WEIGHTS
    path.write_bytes(registry.read(release, WEIGHTS))
    return load_weights(path)


def _material(site: Site, base: Sequence[Row], seed: int) -> Material:
    """What to learn from; of the base only what the incumbent masters."""
    grafts = grafted(site.train, f"train {seed}", LEARNED)
    return Material(
        site.train,
        hostile=lessons((graft.record, (graft.label,), 1.0) for graft in grafts if graft.label not in HARMLESS),
        disguised=lessons((graft.record, HARMLESS, 1.0) for graft in grafts if graft.label in HARMLESS),
        base=lessons((row.record, row.labels, row.weight) for row in base),
    )


def _paper(site: Site, base: Sequence[Row], options: Options) -> Exam:
    """Held-out grafts carry other payloads, in held-out requests where there are some and in the reported ones."""
    donors = site.holdout if any(row.record.method for row in site.holdout) else site.train
    grafts = grafted([*donors, *site.labelled], f"holdout {options.seed}", EXAMINED)
    return exam.prepare(site, grafts, base)


def _card(options: Options, incumbent: Incumbent, site: Site) -> ModelCard:
    before = incumbent.model.card
    return ModelCard(
        schema=SCHEMA,
        labels=list(LABELS),
        parent=incumbent.release,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        method=f"finetune {options.strategy}, seed {options.seed}",
        data={**site.digests, **(digests(options.corpus) if options.corpus else {})},
        temperature=before.temperature,
        metrics={"examples": site.counts},
    )


def _mended(bench: Bench) -> Callable[[Network], bool]:
    return lambda network: exam.mended(bench.exam, bench.incumbent.judge, Judge(_exported(network, bench)))


def _exported(network: Network, bench: Bench) -> Model:
    """The candidate as a file, with operating points by its own scores."""
    path, points = bench.folder / MODEL, bench.incumbent.judge.points
    export(network, path, msgspec.structs.replace(bench.card, operating_points=points), golden_rows())
    moved = exam.calibrated(bench.exam, bench.incumbent.judge, Judge(Model.load(path, "cpu")))
    if moved != points:
        export(network, path, msgspec.structs.replace(bench.card, operating_points=moved), golden_rows())
    return Model.load(path, "cpu")


def _publish(
    outcome: Outcome, network: Network, bench: Bench, registry: Registry, reports: Sequence[FitReport]
) -> None:
    options, parent = bench.options, bench.incumbent.release
    save_weights(network, bench.folder / WEIGHTS)
    report = {
        "parent": parent,
        "settings": {"strategy": options.strategy, "seed": options.seed, "corpus": options.corpus is not None},
        "stages": [asdict(each) for each in reports],
        **{name: msgspec.to_builtins(getattr(outcome, name)) for name in ("gates", "site", "base", "seconds")},
    }
    (bench.folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    outcome.release = registry.publish(bench.folder, parent=parent, method=bench.card.method)
    if options.promote:
        registry.promote(outcome.release, options.channel)
        outcome.promoted = True


def _folder(scratch: str) -> Path:
    folder = Path(scratch) / "release"
    folder.mkdir()
    return folder


def _note(state: Path, outcome: Outcome, parent: str) -> None:
    refused = ", ".join(gate.name for gate in outcome.gates if not gate.passed)
    journal = Journal(state / "sluice.db")
    journal.audit(
        "finetune", f"refused by {refused} (from {parent})" if refused else f"{outcome.release} from {parent}"
    )
    journal.close()
