"""How a candidate is made of the incumbent's network: grow, train in stages, again while reports come out wrong.

network + recipe + material ──▶ grow ──▶ stages ──▶ mended? ──▶ candidate
                                          ▲            │ no: the last stage again, held back less
                                          └────────────┘
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from classifier.training.fisher import Fisher, information
from classifier.training.fit import FitReport
from classifier.training.network import Network
from finetune.dataset import Example, split
from finetune.replay import SIZE, Lesson, Mixer
from finetune.strategies import interpolation
from finetune.strategies.ewc import renewed
from finetune.strategies.recipes import Recipe, penalties
from finetune.teaching import mixer, pools, teach
from finetune.work import Work

RELAXED: Final = 5.0
"""How much weaker the pull is in each further round: a report that stays wrong needs a longer way."""
ROUNDS: Final = 3
"""Calls of the last stage at most: it is repeated while reports still come out wrong."""
MEASURED: Final = 1024
"""Base rows that stand in for Fisher information that a release came without; half as many site rows add theirs."""


@dataclass(frozen=True)
class Material:
    """What is learned from. `hostile` and `disguised` are grafts into the site's requests, `base` is what the
    incumbent masters, `fisher` its Fisher information (None: taken from `base` where EWC needs it).
    """

    train: Sequence[Example]
    hostile: Sequence[Lesson]
    disguised: Sequence[Lesson]
    base: Sequence[Lesson]
    fisher: Fisher | None = None


def make(
    incumbent: Network,
    recipe: Recipe,
    material: Material,
    mended: Callable[[Network], bool],
    seed: int,
    work: Work | None = None,
) -> tuple[Network, list[FitReport]]:
    """A candidate and what each stage did; `incumbent` stays as it is. What `work` holds is not done again.

    `mended` says whether what people reported comes out right under a network. With WiSE-FT a part of the material is
    kept back to choose the mixture by; the last report says which it was.
    """
    if "wise" not in recipe.parts:
        return _tuned(incumbent, recipe, material, mended, seed, work)
    inner, kept = _parted(material)
    tuned, reports = _tuned(incumbent, recipe, inner, mended, seed, work)
    site = pools(kept.train, kept.hostile, kept.disguised)
    mixture, choice = interpolation.mixed(incumbent, tuned, site, kept.base, mended)
    return mixture, [*reports, choice]


def consolidate(material: Material, incumbent: Network, tuned: Network, seed: int) -> Fisher:
    """The Fisher information to publish with `tuned` (online EWC): the incumbent's and that of the site's rows."""
    site = [pool for pool in pools(material.train, material.hostile, material.disguised) if pool.lessons]
    batches = Mixer(site, (), seed=seed)
    drawn = range(MEASURED // SIZE // 2) if site else ()
    return renewed(_known(material, incumbent, seed), information(tuned, map(batches, drawn), seed))


def _known(material: Material, incumbent: Network, seed: int) -> Fisher:
    """The incumbent's Fisher information: the one at hand, else measured on base rows."""
    if material.fisher is not None:
        return material.fisher
    practised = Mixer((), material.base, seed=seed, size=2 * SIZE)  # half of a batch is for the base
    drawn = range(MEASURED // SIZE) if material.base else ()
    return information(incumbent, map(practised, drawn), seed)


def _tuned(
    incumbent: Network,
    recipe: Recipe,
    material: Material,
    mended: Callable[[Network], bool],
    seed: int,
    work: Work | None,
) -> tuple[Network, list[FitReport]]:
    torch.manual_seed(seed)
    network = recipe.grow(incumbent)
    fisher = _known(material, incumbent, seed) if "ewc" in recipe.parts else {}
    practised, unlabelled = _practised(recipe, material), "pu" in recipe.parts
    batches = mixer(material.train, material.hostile, material.disguised, practised, seed, unlabelled=unlabelled)
    plan = recipe.plan(network, batches)
    reports: list[FitReport] = []
    for again in range(ROUNDS):
        held = penalties(recipe.parts, incumbent, fisher, RELAXED**again)
        for stage in plan if again == 0 else plan[-1:]:
            title = f"Training: {stage.name}{', again' if again else ''}"
            done = work.restored(len(reports), network) if work else None
            if done is None:
                path = work.checkpoint(len(reports)) if work else None
                done = teach(network, stage, batches, held, seed + again, title, path)
                if work:
                    work.done(len(reports), network, done)
            reports.append(done)
        if mended(network):
            break
    return network, reports


def _practised(recipe: Recipe, material: Material) -> Sequence[Lesson]:
    return material.base if "replay" in recipe.parts else ()


def _parted(material: Material) -> tuple[Material, Material]:
    """What is learned from, and what is kept back: the newest groups, some grafts, base rows that are not practised."""
    train, newest = split(material.train)
    hostile, disguised, base = (
        interpolation.parted(rows) for rows in (material.hostile, material.disguised, material.base)
    )
    return (
        Material(train, hostile[0], disguised[0], base[0], material.fisher),
        Material(newest, hostile[1], disguised[1], base[1]),
    )
