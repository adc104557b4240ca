"""The base side of a comparison, made once: the incumbent, its weights, and base rows with its opinion of them."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from classifier.artifact import Model
from classifier.registry import STABLE, Registry
from classifier.training.corpus import Row
from classifier.training.export import load_weights
from classifier.training.fisher import FISHER, Fisher
from classifier.training.fisher import read as read_fisher
from classifier.training.network import Network
from finetune import exam
from finetune.exam import Exam
from finetune.judging import Remembering
from finetune.replay import Lesson, base_rows, lessons
from finetune.site import Site

WEIGHTS: Final = "weights.safetensors"


@dataclass(frozen=True)
class Ground:
    """`practice` are the base rows that the incumbent masters, `lessons` the same as features; `exam` holds the
    papers on base rows and no site; `fisher` is None for a release made without.
    """

    release: str
    model: Model
    incumbent: Remembering
    network: Network
    practice: list[Row]
    lessons: list[Lesson]
    exam: Exam
    replay: str
    fisher: Fisher | None = None


def prepare(base: str, state: Path, corpus: Path | None, channel: str) -> Ground:
    """The release `base` (an id, a folder with its files, or empty for the channel's). Raises UserError."""
    release, model, network, fisher = _load(base, state, channel)
    judge = Remembering(model)
    practice, questions = base_rows(corpus, 0)
    known = exam.mastered(practice, judge)
    nothing = Site([], [], (0.0, 0))
    return Ground(
        release=release,
        model=model,
        incumbent=judge,
        network=network,
        practice=known,
        lessons=lessons((row.record, row.labels, row.weight) for row in known),
        exam=exam.prepare(nothing, [], questions),
        replay="corpus" if corpus else "synthetic",
        fisher=fisher,
    )


def _load(base: str, state: Path, channel: str) -> tuple[str, Model, Network, Fisher | None]:
    with TemporaryDirectory(prefix="sluice-") as scratch:
        path = Path(scratch) / WEIGHTS
        folder = base and Path(base).is_dir()
        registry = Registry(Path(scratch), shipped=Path(base)) if folder else Registry(state)
        release = registry.resolve(STABLE if folder else channel) if folder or not base else base
        path.write_bytes(registry.read(release, WEIGHTS))
        network = load_weights(path)
        known = (registry.path(release) / FISHER).exists()
        fisher = read_fisher(registry.read(release, FISHER), network) if known else None
        return release, registry.load(release, "cpu"), network, fisher
