"""One worker as its supervisor sees it: a process that was started, what it says of itself, what it is told."""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from classifier.errors import UserError
from proxy.channel import Answer, Channel, Mistake, Order, Report, Said, Verb
from proxy.config import Section
from proxy.metrics import Result

PATIENCE: Final = 120.0
"""Seconds until an order is answered; a large model is proved in less."""
_ENDED: Final = Answer(0, "failed", "it ended meanwhile")


@dataclass(frozen=True)
class Job:
    """What all workers are started with.

    `fixed` are the tables of the configuration that hold until a restart, `scratch` is a folder of this start's own,
    `listening` are descriptors of the sockets that all share, `ports` those that are ours.
    """

    file: Path | None
    options: Mapping[str, Mapping[str, Any]]
    folder: Path
    scratch: Path
    trusted: Path
    fixed: Mapping[str, Section]
    listening: Sequence[int]
    ports: Sequence[int]


class Process:
    """A running worker. `number` is its own among those that live: its metrics and captures are filed under it."""

    def __init__(self, job: Job, number: int) -> None:
        self.number = number
        self.report: Report | None = None
        self.mistake: Mistake | None = None
        self.since = time.monotonic()
        self.silent = 0
        """Ticks of the supervisor's since it last said something."""
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0
        ours, theirs = socket.socketpair()
        self._popen = _start(job, number, theirs)
        theirs.close()
        self._channel: Channel[Said] = Channel(ours, Said)  # type: ignore[arg-type]
        self._life = asyncio.get_running_loop().create_task(self._live())

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._popen.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.since

    async def settled(self) -> bool:
        """Wait until it serves or is gone; whether it serves."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.ready, self.gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self.ready.is_set() and not self.gone.is_set()

    @property
    def end(self) -> str:
        """How it ended, in words."""
        code = self._popen.returncode or 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def tell(self, verb: Verb) -> None:
        """Give an order that is not answered."""
        self._channel.send(Order(verb))

    async def ask(self, verb: Verb) -> tuple[Result | None, str]:
        """Give an order: what came of it."""
        self._last += 1
        answer = self._answers[self._last] = asyncio.get_running_loop().create_future()
        self._channel.send(Order(verb, self._last))
        if self.gone.is_set():
            answer.set_result(_ENDED)
        try:
            found = await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            return "failed", "no answer"
        finally:
            del self._answers[self._last]
        return found.result, found.text

    def kill(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.kill()

    async def _live(self) -> None:
        await self._channel.open()
        while (said := await self._channel.receive()) is not None:
            self._hear(said)
        await self._channel.close()
        # One that has closed its end and does not end itself is of no more use.
        for _ in range(200):
            if self._popen.poll() is not None:
                break
            await asyncio.sleep(0.05)
        else:
            self.kill()
            await asyncio.to_thread(self._popen.wait)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(_ENDED)
        self.gone.set()

    def _hear(self, said: Said) -> None:
        self.silent = 0
        if isinstance(said, Report):
            self.report = said
            if not said.waiting:
                self.ready.set()
        elif isinstance(said, Mistake):
            self.mistake = said
        elif (waiting := self._answers.get(said.number)) is not None and not waiting.done():
            waiting.set_result(said)


def _start(job: Job, number: int, theirs: socket.socket) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "proxy.worker", str(number), str(theirs.fileno())]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            pass_fds=(theirs.fileno(), *job.listening),
            process_group=0,  # Ctrl-C is for the supervisor, which tells its workers what to do
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(job.scratch)},
        )
    except OSError as error:
        raise UserError(f"cannot start a worker: {error.strerror}") from None
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        pickle.dump(job, process.stdin)
    return process
