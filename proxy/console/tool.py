"""`sluice` commands run by the console: heavy work leaves the proxy's loop, interpreter lock and memory alone."""

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from classifier.errors import UserError

_SLUICE: Final = (sys.executable, "-c", "from classifier.cli import main; main()")
_NICE: Final = 10
_DROPPED: Final = ("PROMETHEUS_MULTIPROC_DIR",)
"""What the commands must not inherit: they are no workers, and would leave their counters among the proxy's."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """What it complained about last."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1].removeprefix("sluice: ") if lines else f"the command ended with code {self.code}"


class Work(msgspec.Struct, kw_only=True):
    """A command that is followed: `step` says what it is doing, `done` of `total` how far that is.

    Times are Unix seconds, `ended` 0 meanwhile; `state` is running until then, `problem` says why it failed.
    """

    state: str = "running"
    started: float
    ended: float = 0.0
    step: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.time()) - self.started


class Runner[Kind: Work]:
    """Runs one command at a time beside the console. `end` is told how it ended, and `kept` in a thread what became."""

    def __init__(self, end: Callable[[Kind, Done], None], kept: Callable[[Kind], object]) -> None:
        self._end, self._kept = end, kept
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, work: Kind, *arguments: str) -> None:
        """Start a command that says how far it is. Raises OSError."""
        self._process = await start(*arguments, SLUICE_PROGRESS="json")
        self._task = asyncio.get_running_loop().create_task(self._follow(work, self._process))

    async def stop(self) -> None:
        """End what is under way."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        if self._task is not None:
            await self._task

    async def _follow(self, work: Kind, process: asyncio.subprocess.Process) -> None:
        done = await follow(process, work)
        work.ended = time.time()
        self._end(work, done)
        await asyncio.to_thread(self._kept, work)


class _Told(msgspec.Struct):
    progress: str
    done: int = 0
    total: int = 0


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command, with lower priority, its outputs piped."""
    nice = [found, "-n", str(_NICE)] if (found := shutil.which("nice")) else []
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return await asyncio.create_subprocess_exec(
        *nice,
        *_SLUICE,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=kept | environment,
        start_new_session=True,
    )


async def run(*arguments: str, seconds: float = 120.0) -> Done:
    """Run a command to its end. Raises UserError when it takes too long."""
    process = await start(*arguments)
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        raise UserError(f"sluice {arguments[0]} took longer than {seconds:.0f} seconds") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
    return Done(process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


async def follow(process: asyncio.subprocess.Process, work: Work) -> Done:
    """Wait for a command that was told to write lines of JSON about its progress; the last other line is its `err`."""
    assert process.stdout is not None
    out, last = await asyncio.gather(process.stdout.read(), _progress(process, work))
    return Done(await process.wait(), out.decode("utf-8", "replace"), last)


async def _progress(process: asyncio.subprocess.Process, work: Work) -> str:
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
            told = msgspec.json.decode(line, type=_Told)
            work.step, work.done, work.total = told.progress, told.done, told.total
        except msgspec.MsgspecError:
            last = line.decode("utf-8", "replace").strip() or last
