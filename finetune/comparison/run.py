"""The whole comparison: sites by labels by seeds by strategies, one row each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from classifier.errors import UserError
from classifier.registry import STABLE
from classifier.training.progress import Bar
from finetune.acceptance import DETECTION
from finetune.comparison import ground, task
from finetune.comparison.attempt import Lot, attempt
from finetune.comparison.ground import Ground
from finetune.comparison.rows import CONTROLS, Keep, Result, Row, over_scratch
from finetune.comparison.task import Task
from finetune.strategies.recipes import recipe
from finetune.teaching import share_cores


@dataclass(frozen=True)
class Options:
    """What to compare. `base` is a release, a release's folder, or empty for the channel's of `state`; `out` is where
    finished rows are kept.
    """

    sites: Sequence[Path]
    strategies: Sequence[str]
    labels: Sequence[int]
    seeds: int
    base: str = ""
    state: Path = Path("state")
    corpus: Path | None = None
    channel: str = STABLE
    out: Path | None = None


@dataclass(frozen=True)
class Plan:
    """The attempts that are left, site by site."""

    tasks: list[Task]
    names: list[str]
    options: Options
    done: list[Row] = field(default_factory=list)

    def left(self) -> Iterator[tuple[Task, int, int, list[str]]]:
        """Site, labels, seed and the strategies that have no row yet."""
        known = {row.key for row in self.done}
        for site in self.tasks:
            for seed in range(self.options.seeds):
                for labels in self.options.labels:
                    key = site.info.site
                    names = [name for name in self.names if (key, name, labels, seed) not in known]
                    if names:
                        yield site, labels, seed, names


def run(options: Options) -> Result:
    """All rows, those of an earlier run in the same folder included. Raises UserError for what a person can mend."""
    share_cores()
    names = list(dict.fromkeys([*CONTROLS, *options.strategies]))
    for name in names:
        if name not in CONTROLS[:2]:
            recipe(name)  # a name that is not known must not cost the attempts before it
    _apart(options.sites)
    base = ground.prepare(options.base, options.state, options.corpus, options.channel)
    tasks = [task.load(path, base.incumbent) for path in options.sites]
    keep = Keep(options.out, base.release, base.replay)
    plan = Plan(tasks, names, options, keep.known({each.info.site: each.info.digest for each in tasks}))
    rows = [*plan.done, *_attempts(base, plan, keep.add)]
    return Result(
        rows=over_scratch(sorted(_wanted(rows, plan), key=lambda row: _place(row, plan))),
        sites=[each.info for each in tasks],
        base=base.release,
        detection=DETECTION,
        replay=base.replay,
        threads=torch.get_num_threads(),
    )


def _attempts(base: Ground, plan: Plan, add: Callable[[Row, str], None]) -> Iterator[Row]:
    total = sum(len(names) for *_, names in plan.left())
    with Bar("Comparing", total) as bar:
        done = 0
        for site, labels, seed, names in plan.left():
            lot = Lot.draw(base, site, labels, seed)
            for name in names:
                row = attempt(base, lot, name)
                add(row, site.info.digest)
                yield row
                done += 1
                bar.at(done)


def _wanted(rows: Sequence[Row], plan: Plan) -> list[Row]:
    """Without what an earlier run in the folder compared beyond this one."""
    options = plan.options
    return [
        row for row in rows if row.strategy in plan.names and row.labels in options.labels and row.seed < options.seeds
    ]


def _place(row: Row, plan: Plan) -> tuple[int, int, int, int]:
    sites = [each.info.site for each in plan.tasks]
    return sites.index(row.site), row.labels, plan.names.index(row.strategy), row.seed


def _apart(sites: Sequence[Path]) -> None:
    names = [path.stem for path in sites]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UserError(f"two sites are called {sorted(twice)[0]}: a site is named like its file; rename one")
