"""The reference that a fine-tuned release brings along: the site's own recent traffic, as the release judges it.

Of requests and responses only: tunnels are not captured by themselves. And only where the captures span a day, because
an afternoon is no reference for a night; else the proxy takes the first traffic that the release judges.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from classifier.artifact import Model
from classifier.drift import DAY
from classifier.records import FlowRecord, phases
from classifier.reference import REFERENCE, encode, measured
from classifier.stability import ENOUGH
from classifier.tallies import HOUR

FLOWS: Final = 4000
"""Flows that are counted at most: the index's own noise is then a quarter of that of the fewest."""
_PHASES: Final = ("request", "response")


def write(folder: Path, model: Model, records: Sequence[FlowRecord], seed: int, wanted: int = ENOUGH) -> bool:
    """Write the reference of masked flows into a release's folder; whether there were enough for one."""
    times = [record.time for record in records if record.time]
    if not times or max(times) - min(times) < DAY * HOUR:
        return False
    chosen = random.Random(seed).sample(list(records), min(FLOWS, len(records)))
    views = [view for record in chosen for view in phases(record) if view.phase in _PHASES]
    content = measured(model, views, wanted)
    if not content.phases:
        return False
    (folder / REFERENCE).write_bytes(encode(content))
    return True
