"""Everything that a page about a run tells."""

from collections.abc import Sequence
from typing import NamedTuple

from classifier.training.fit import FitReport
from finetune.budget import Promise
from finetune.exam import Exam, Sitting
from finetune.gate import Gate
from finetune.influence import Suspect
from finetune.outcome import Options
from finetune.site import Site


class Story(NamedTuple):
    """A run that was judged. `incumbent` is the release that it began from."""

    options: Options
    incumbent: str
    site: Site
    exam: Exam
    sitting: Sitting
    gates: list[Gate]
    promises: list[Promise]
    suspect: Suspect | None
    reports: Sequence[FitReport] = ()
    seconds: float = 0.0
