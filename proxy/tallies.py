"""What all workers saw of a canary, together: each worker's tallies are a row in the journal's database.

Each judges only its share of the flows. A test on every share for itself would see less, and be asked as many times
over as there are workers.
"""

from typing import Final

from classifier.journal import Journal
from proxy.rollout import Tally

_SCHEMA: Final = (
    "create table if not exists tallies (release text not null, trial text not null, canary integer not null, "
    "flows integer not null, blocks integer not null, failures integer not null, seconds real not null, "
    "primary key (trial, canary))"
)
_SUM: Final = (
    "select coalesce(sum(flows), 0), coalesce(sum(blocks), 0), coalesce(sum(failures), 0), coalesce(sum(seconds), 0.0) "
    "from tallies where release = ? and canary = ?"
)


class Tallies:
    """The rows of all workers; what a worker that died has seen counts on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        journal.write(_SCHEMA)

    def pool(self, release: str, trial: str, own: Tally, rest: Tally) -> tuple[Tally, Tally]:
        """Everybody's tallies of `release` (its clients', all others'), with those of this worker's `trial`."""
        for canary, tally in enumerate((rest, own)):
            row = (release, trial, canary, tally.flows, tally.blocks, tally.failures, tally.seconds)
            self._journal.write("insert or replace into tallies values (?,?,?,?,?,?,?)", *row)
        sums = [Tally(*self._journal.rows(_SUM, release, canary)[0]) for canary in (1, 0)]
        return sums[0], sums[1]

    def close(self, release: str) -> bool:
        """Forget all of `release`; whether nobody was quicker."""
        return self._journal.write("delete from tallies where release = ?", release) > 0

    def drop(self, trial: str) -> None:
        """Forget this worker's part: the trial is over."""
        self._journal.write("delete from tallies where trial = ?", trial)
