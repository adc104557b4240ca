"""What a run is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.records import Label
from classifier.registry import STABLE
from classifier.thresholds import Overrides
from finetune.budget import USUAL, Promise
from finetune.gate import Gate
from finetune.strategies.names import DEFAULT

DIRECT: Final = "direct"
ROLLOUTS: Final = (DIRECT, "shadow", "canary")
"""How a passed release goes live: at once, or by way of a trial (see the proxy's channels)."""


@dataclass(frozen=True)
class Options:
    """What to learn from and what to do with the result.

    `flows` empty: the state's captures. `registry` is the state directory of the releases where it is another one.
    `thresholds` and `budget` (the share of harmless flows that may be blocked) are what the result is served under.
    `rollout`: at once in place of the incumbent (`direct`), or on trial in a channel of its own. `dry_run`: everything
    but publishing. `lists` are lists of domains by what they list.
    """

    state: Path
    registry: Path | None = None
    flows: Sequence[Path] = ()
    labels: Path | None = None
    strategy: str = DEFAULT
    corpus: Path | None = None
    channel: str = STABLE
    promote: bool = True
    rollout: str = DIRECT
    seed: int = 0
    thresholds: Overrides = field(default_factory=dict)
    budget: float = USUAL
    dry_run: bool = False
    lists: dict[Label, Path] = field(default_factory=dict)


class Outcome(msgspec.Struct):
    """What `--json` prints. `release` is None when a gate refused the candidate or nothing was to be published.

    `report` is the page about the run; `resumed` says that it went on where an interrupted one had stopped.
    """

    release: str | None
    promoted: bool
    gates: list[Gate]
    site: dict[str, Any]
    base: dict[str, Any]
    seconds: float
    budget: str = ""
    promises: list[Promise] = []
    dry_run: bool = False
    resumed: bool = False
    report: str = ""

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def refused(self) -> list[str]:
        """The gates that did not."""
        return [gate.name for gate in self.gates if not gate.passed]
