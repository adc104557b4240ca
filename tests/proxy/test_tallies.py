"""What all workers saw of a canary."""

from pathlib import Path

from classifier.journal import Journal
from proxy.rollout import Tally
from proxy.tallies import Tallies


def test_every_workers_part_counts_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sluice.db")
    one, other = Tallies(journal), Tallies(journal)
    assert one.pool("r", "a", Tally(2, 1, 0, 0.5), Tally(5)) == (Tally(2, 1, 0, 0.5), Tally(5))
    for _ in range(2):
        pooled = other.pool("r", "b", Tally(3, 1, 1, 0.25), Tally(7, 2))
    assert pooled == (Tally(5, 2, 1, 0.75), Tally(12, 2))
    one.drop("a")
    assert other.pool("r", "b", Tally(4), Tally()) == (Tally(4), Tally())


def test_only_one_of_them_closes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sluice.db")
    one, other = Tallies(journal), Tallies(journal)
    one.pool("r", "a", Tally(1), Tally())
    other.pool("r", "b", Tally(1), Tally())
    assert [one.close("r"), other.close("r")] == [True, False]
