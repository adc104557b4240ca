"""Fine-tuning from the console: one `sluice finetune run --json` at a time, its progress and how it ended.

The run is a process of its own (the proxy never imports torch); it is told by `SLUICE_PROGRESS` to write a line of JSON
to standard error whenever it has got further. How runs ended is kept in the state (`proxy.console.kept`).
"""

import time
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.errors import UserError
from classifier.journal import Journal
from proxy.console import tool
from proxy.console.kept import Kept
from proxy.console.status import Status

REFUSED: Final = 3
"""Exit code of a run that a gate refused."""


class Run(tool.Work, kw_only=True):
    """One run. `state`: running, promoted, published, refused, failed. Times are Unix seconds, `ended` 0 meanwhile.

    `step` says what it is doing, `done` of `total` how far that is; `outcome` is what `--json` printed, `problem` why
    it failed.
    """

    step: str = "Reading captures and labels"
    outcome: dict[str, Any] | None = None


class Learning:
    """The runs of this state, the latest of them perhaps under way. Reads the journal at first."""

    def __init__(self, status: Status, journal: Journal) -> None:
        self._status = status
        self._kept = Kept(journal, "finetune", Run)
        self._runner = tool.Runner(_end, self._kept.put)
        self.latest: Run | None = next(iter(self.runs()), None)

    def runs(self) -> list[Run]:
        """How runs ended, the latest first. Reads the journal; not for an event loop."""
        return self._kept.latest()

    def report(self, started: float) -> Path | None:
        """The page that a run left behind; None where there is none. Reads the journal; not for an event loop."""
        found = next((run for run in self.runs() if run.started == started), None)
        named = (found.outcome or {}).get("report") if found else None
        if not isinstance(named, str) or not named:
            return None
        path = Path(named).resolve()
        ours = (self._status.home / "models" / "releases", self._status.state / "finetune" / "reports")
        inside = any(path.is_relative_to(folder.resolve()) for folder in ours)
        return path if inside and path.suffix == ".html" and path.is_file() else None

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.latest is not None and self.latest.state == "running"

    async def start(self) -> Run:
        """Start a run. Raises UserError while one is under way."""
        if self.running:
            raise UserError("a fine-tuning run is under way; wait for it to end")
        run = self.latest = Run(started=time.time())
        try:
            await self._runner.start(run, *self._command())
        except OSError as error:
            run.state, run.problem, run.ended = "failed", error.strerror or str(error), time.time()
        return run

    async def stop(self) -> None:
        """End a run that is under way; nothing of it remains."""
        await self._runner.stop()

    def _command(self) -> list[str]:
        named = ["--config", str(self._status.config)] if self._status.config else []
        return ["finetune", "run", "--json", "--state", str(self._status.state), *named]


def _end(run: Run, done: tool.Done) -> None:
    try:
        run.outcome = msgspec.json.decode(done.out, type=dict[str, Any]) if done.out.strip() else None
    except msgspec.MsgspecError:
        run.outcome = None
    if run.outcome is None or done.code not in (0, REFUSED):
        stopped = done.code < 0 or done.code > 128
        run.state, run.problem = "failed", "it was stopped" if stopped else done.problem
    elif done.code == REFUSED:
        run.state = "refused"
    else:
        run.state = "promoted" if run.outcome.get("promoted") else "published"
