"""Is another fine-tuning worth it? Pure: what is known of a site in, yes or no and a sentence why out.

A run costs minutes of computing and, when it goes wrong, somebody's patience, so it takes a reason: labels that nobody
has learned from yet, or traffic that has moved. A refused run is not repeated night after night: what it learned from
counts as learned.
"""

from dataclasses import dataclass
from typing import Final

from classifier.drift import Figure
from classifier.stability import MOVED

LABELS: Final = 10
"""New labels that are a reason at once. With fewer the gate on reported false alarms says little: 9 of 10 must pass."""
PATIENCE: Final = 7.0
"""Days after which a single new label is one, and between runs that only drift asks for."""
SURE: Final = 0.5
"""Weight from which a label counts here; guesses are learned from, but ask for nothing."""


@dataclass(frozen=True)
class Facts:
    """`labels` flows are labelled, `fresh` of them since the last run; the oldest of those is `waiting` days old.

    `learned` is days since the last run, None without one; `figures` are those of the release in service.
    """

    labels: int
    fresh: int
    waiting: float
    learned: float | None
    figures: tuple[Figure, ...] = ()

    @property
    def furthest(self) -> Figure | None:
        """The figure that moved most, if any is known."""
        known = [figure for figure in self.figures if figure.psi is not None]
        return max(known, key=lambda figure: figure.psi or 0.0, default=None)


def decide(facts: Facts) -> tuple[bool, str]:
    """Whether to learn, and why or why not."""
    drift = facts.furthest
    moved = drift is not None and (drift.psi or 0.0) >= MOVED
    if not facts.labels:
        return False, f"no flow is labelled{'' if not moved else f', though {_drift(drift)}: label some of it'}"
    if facts.fresh >= LABELS:
        return True, f"{facts.fresh} new labels"
    if facts.fresh and facts.waiting >= PATIENCE:
        return True, f"{_new(facts.fresh)}, waiting for {facts.waiting:.0f} days"
    if moved and (facts.learned is None or facts.learned >= PATIENCE):
        return True, _drift(drift)
    told = [f"{_new(facts.fresh)} of {LABELS}"]
    if moved:
        told.append(f"{_drift(drift)}, but the last run was {facts.learned or 0.0:.0f} days ago: label some of it")
    else:
        told.append(_drift(drift) if drift else "drift is not known yet")
    return False, "; ".join(told)


def _new(count: int) -> str:
    return f"{count} new label{'' if count == 1 else 's'}"


def _drift(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.of}s of {figure.phase}s are {figure.verdict} (PSI {figure.psi:.2f})"
