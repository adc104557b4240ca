"""A progress bar on the terminal; silent when the output is piped, unless `SLUICE_PROGRESS=json` asks for JSON lines.

The console starts what takes long that way, reads the lines from standard error and shows them on a page.
"""

import json
import os
import sys
import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PAUSE: Final = 0.5
"""Seconds between two lines of JSON."""


class Bar:
    """`with Bar("Training", 100) as bar: bar.at(1)`. Without a total it only counts."""

    def __init__(self, title: str, total: int | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._title = title
        self._task = self._progress.add_task(title, total=total)
        self._total, self._told = total or 0, 0.0

    def __enter__(self) -> "Bar":
        self._progress.start()
        self._tell(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def at(self, done: int, loss: float | None = None) -> None:
        """`done` so far; the loss stands beside the title."""
        title = self._title if loss is None else f"{self._title} (loss {loss:.3f})"
        self._progress.update(self._task, completed=done, description=title)
        if time.monotonic() - self._told >= PAUSE:
            self._tell(done)

    def _tell(self, done: int) -> None:
        if os.environ.get("SLUICE_PROGRESS") == "json":
            self._told = time.monotonic()
            line = {"progress": self._title, "done": done, "total": self._total}
            print(json.dumps(line), file=sys.stderr, flush=True)
