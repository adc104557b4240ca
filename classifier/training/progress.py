"""A progress bar on the terminal; silent when the output is piped."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def at(self, done: int, loss: float | None = None) -> None:
        """`done` so far; the loss stands beside the title."""
        title = self._title if loss is None else f"{self._title} (loss {loss:.3f})"
        self._progress.update(self._task, completed=done, description=title)
