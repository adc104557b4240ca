"""Fine-tuning from the console: one `sluice finetune run --json` at a time, its progress and how it ended.

The run is a process of its own (the proxy never imports torch); it is told by `SLUICE_PROGRESS` to write a line of JSON
to standard error whenever it has got further.
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import msgspec

from classifier.errors import UserError
from proxy.console import tool
from proxy.console.status import Status

REFUSED: Final = 3
"""Exit code of a run that a gate refused."""


class Run(msgspec.Struct, kw_only=True):
    """One run. `state`: running, promoted, published, refused, failed. Times are Unix seconds, `ended` 0 meanwhile.

    `step` says what it is doing, `done` of `total` how far that is; `outcome` is what `--json` printed, `problem` why
    it failed.
    """

    state: str = "running"
    started: float
    ended: float = 0.0
    step: str = "Reading captures and labels"
    done: int = 0
    total: int = 0
    outcome: dict[str, Any] | None = None
    problem: str = ""

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.time()) - self.started


class _Progress(msgspec.Struct):
    progress: str
    done: int = 0
    total: int = 0


class Learning:
    """The latest run, if any."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.latest: Run | None = None

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
            self._process = await tool.start(*self._command(), SLUICE_PROGRESS="json")
        except OSError as error:
            run.state, run.problem, run.ended = "failed", error.strerror or str(error), time.time()
            return run
        self._task = asyncio.get_running_loop().create_task(self._follow(run, self._process))
        return run

    async def stop(self) -> None:
        """End a run that is under way; nothing of it remains."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        if self._task is not None:
            await self._task

    def _command(self) -> list[str]:
        named = ["--config", str(self._status.config)] if self._status.config else []
        return ["finetune", "run", "--json", "--state", str(self._status.state), *named]

    async def _follow(self, run: Run, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        out, last = await asyncio.gather(process.stdout.read(), _read(run, process))
        code = await process.wait()
        _end(run, code, out, last)


async def _read(run: Run, process: asyncio.subprocess.Process) -> str:
    """Take note of progress; the last other line."""
    assert process.stderr is not None
    last = ""
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:  # a line longer than the buffer says nothing to anybody
            continue
        if not line:
            return last
        try:
            told = msgspec.json.decode(line, type=_Progress)
            run.step, run.done, run.total = told.progress, told.done, told.total
        except msgspec.MsgspecError:
            last = line.decode("utf-8", "replace").strip() or last


def _end(run: Run, code: int, out: bytes, last: str) -> None:
    run.ended = time.time()
    try:
        run.outcome = msgspec.json.decode(out, type=dict[str, Any]) if out.strip() else None
    except msgspec.MsgspecError:
        run.outcome = None
    if run.outcome is None or code not in (0, REFUSED):
        stopped = code < 0 or code > 128
        run.state, run.problem = "failed", "it was stopped" if stopped else last.removeprefix("sluice: ")
    elif code == REFUSED:
        run.state = "refused"
    else:
        run.state = "promoted" if run.outcome.get("promoted") else "published"
