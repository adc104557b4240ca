"""What the attempts measured, as it is kept and printed."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from classifier.errors import UserError
from classifier.evaluate import Interval
from finetune.transfer import Verdict

INCUMBENT, NGRAMS, SCRATCH = "incumbent", "n-gram", "from-scratch"
CONTROLS: Final = (INCUMBENT, NGRAMS, SCRATCH)


class Row(msgspec.Struct, kw_only=True):
    """One strategy on one site. What could not be measured (a class is missing) is None; `_low` and `_high` are the
    ends of 95 % intervals. Drops are positive where something was lost.
    """

    site: str
    strategy: str
    labels: int
    """Asked for; `labels_used` were there, `labels_hostile` of them threats."""
    seed: int
    labels_used: int
    labels_hostile: int
    site_auroc: float | None
    site_fpr_at_tpr: float | None
    site_fpr_at_tpr_low: float | None
    site_fpr_at_tpr_high: float | None
    site_gain: float | None
    """Area won over the incumbent, on the same rows."""
    site_gain_low: float | None
    site_gain_high: float | None
    transfer: Verdict
    """`negative`: significantly worse than the incumbent on the site."""
    forward_transfer: float | None
    backward_transfer: float | None
    base_auroc_drop: float | None
    base_auroc_drop_low: float | None
    base_auroc_drop_high: float | None
    base_detection_drop: float | None = None
    """Of hostile base rows flagged at the deployed point; None for what has no such point."""
    base_detection_drop_low: float | None = None
    base_detection_drop_high: float | None = None
    base_alarms_rise: float | None = None
    """Of harmless base rows flagged at the same point."""
    over_scratch: float | None = None
    """Site area over a new network's with the same labels and seed."""
    seconds: float = 0.0
    """What it takes to make the candidate, its preparation included and the gates left out."""
    cpu_seconds: float = 0.0
    parameters_moved: int = 0
    latency: float = 1.0
    """Computing time of a record, as a multiple of the incumbent's."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Names the attempt."""
        return self.site, self.strategy, self.labels, self.seed


class SiteInfo(msgspec.Struct, kw_only=True):
    """What a site consists of: rows to learn from, and rows that judge (`grafts` are hostile ones made for it)."""

    site: str
    digest: str
    grouped_by: str
    learning: int
    learning_hostile: int
    held_harmless: int
    held_hostile: int
    grafts: int


class Result(msgspec.Struct, kw_only=True):
    """What `--json` prints."""

    rows: list[Row]
    sites: list[SiteInfo]
    base: str
    """The release that was started from."""
    detection: float
    replay: str
    """Where the base rows come from: `corpus` or `synthetic`."""
    threads: int


class _Kept(msgspec.Struct):
    """A line of the file: the row, and what it was measured against."""

    base: str
    replay: str
    digest: str
    row: Row


class Keep:
    """Finished rows in `folder`/rows.jsonl; without a folder they are only in memory."""

    def __init__(self, folder: Path | None, base: str, replay: str) -> None:
        self._path = folder / "rows.jsonl" if folder else None
        self._base, self._replay = base, replay

    def known(self, digests: dict[str, str]) -> list[Row]:
        """Rows of an earlier run with the same base, replay and site contents (`digests` by site)."""
        if self._path is None or not self._path.exists():
            return []
        return [
            line.row
            for line in _lines(self._path)
            if (line.base, line.replay, line.digest) == (self._base, self._replay, digests.get(line.row.site))
        ]

    def add(self, row: Row, digest: str) -> None:
        """Append a row; it is on the disk when this returns."""
        if self._path is None:
            return
        line = msgspec.json.encode(_Kept(self._base, self._replay, digest, row))
        with self._path.open("ab") as file:
            file.write(line + b"\n")


def read(path: Path) -> Result:
    """A saved result. Raises UserError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} is no result of `sluice finetune compare --json`: {error}") from None


def over_scratch(rows: Iterable[Row]) -> list[Row]:
    """The rows with their lead over a new network filled in."""
    found = list(rows)
    scratch = {(row.site, row.labels, row.seed): row.site_auroc for row in found if row.strategy == SCRATCH}
    for row in found:
        other = scratch.get((row.site, row.labels, row.seed))
        row.over_scratch = None if other is None or row.site_auroc is None else row.site_auroc - other
    return found


def bounds(name: str, interval: Interval) -> dict[str, float | None]:
    """An interval as the fields `name`, `name_low` and `name_high`."""
    return {f"{name}{end}": plain(value) for end, value in zip(("", "_low", "_high"), interval, strict=True)}


def plain(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if value != value else round(float(value), 6) + 0.0  # no -0.0


def _lines(path: Path) -> Iterator[_Kept]:
    for line in path.read_bytes().splitlines():
        with suppress(msgspec.MsgspecError):  # torn when the machine went down: that attempt is made again
            yield msgspec.json.decode(line, type=_Kept)
