"""Keeps N workers at work on one port: starts them, puts another in the place of one that is gone, sees them off.

    supervisor ─┬─▶ worker 0 ─┐
                ├─▶ worker 1 ─┼─ one listening socket, opened here and inherited: who is free takes the next connection
                └─▶ …        ─┘

1. The socket is never closed while we live, so that a connection that nobody has taken yet waits for the next worker
   when one dies or is replaced (with a socket each, SO_REUSEPORT, it would be reset).
2. A worker that dies is replaced at once; one that dies again soon after, later and later (`PAUSE`).
3. One that is old or large is replaced in peace: the fresh one serves first, then the old one takes no more connections
   and ends with its last.
4. What cannot start is one clear line: at the first start at once, later after `TRIES` in a row with nobody serving.

It loads neither mitmproxy nor a model. When it dies, its workers notice, finish their flows, and end (`orders`).
"""

import asyncio
import itertools
import logging
import signal
from typing import Any, Final

from prometheus_client.multiprocess import mark_process_dead

from classifier.errors import UserError
from proxy import ends, recycle
from proxy.channel import DRAIN, Verb
from proxy.config import ProxyTable
from proxy.console.status import START, Status
from proxy.metrics import Result
from proxy.process import Job, Process
from proxy.staff import Cause, Staff

log = logging.getLogger(__name__)

TICK: Final = 1.0
SETTLED: Final = 30.0
"""A worker that lived so many seconds did not die of how it was started."""
PAUSE: Final = (0.5, 30.0)
"""Seconds before the second try in a row, which double with every further one, and at most."""
TRIES: Final = 5
SILENT: Final = 60
"""Ticks without a word, after which a worker hangs. They are counted, not measured: a machine may have slept."""
AGAIN: Final = 600.0
"""Seconds until a replacement that could not start is tried again."""
OVERTIME: Final = 5.0
"""Seconds beyond those that a worker gives its flows, after which it is ended."""
HURRY: Final = 2.0


class Supervisor:
    """`count` workers under `table`; `status` shows what they report, `staff` counts them."""

    def __init__(self, job: Job, count: int, table: ProxyTable, status: Status, staff: Staff) -> None:
        self.job, self.count, self.table, self.status, self.staff = job, count, table, status, staff
        self.serving = asyncio.Event()
        """All workers have been ready once."""
        self.stopping, self.hurrying = asyncio.Event(), asyncio.Event()
        self._crew: dict[int, Process | None] = dict.fromkeys(range(count))
        self._alive: set[Process] = set()
        self._changing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until `stop`. Raises UserError when no worker can start."""
        try:
            async with asyncio.TaskGroup() as group:
                slots = [group.create_task(self._keep(slot)) for slot in self._crew]
                watch = group.create_task(self._watch())
                await self.stopping.wait()
                for task in (*slots, watch):
                    task.cancel()
                await self._see_off()
        finally:
            for worker in self._alive:
                worker.kill()

    def stop(self) -> None:
        """Let the workers finish; a second time: do not wait."""
        (self.hurrying if self.stopping.is_set() else self.stopping).set()

    def poke(self) -> None:
        """Let all workers look for changes."""
        for worker in self._alive:
            worker.tell("poke")

    async def reload(self) -> tuple[Result | None, str]:
        """Let all workers look for changes: the worst of what came of it, and what they say of it."""
        return await self._everywhere("reload")

    async def apply(self) -> None:
        """Let all workers build their policy anew. Raises UserError."""
        result, text = await self._everywhere("apply")
        if result is not None:
            raise UserError(text)

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP pokes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.poke)

    async def _everywhere(self, verb: Verb) -> tuple[Result | None, str]:
        asked = sorted((one for one in self._alive if one.ready.is_set()), key=lambda one: one.number)
        answers = await asyncio.gather(*(worker.ask(verb) for worker in asked))
        results = {result for result, _ in answers}
        worst = next((result for result in ("failed", "refused", "ok") if result in results), None)
        return worst, "; ".join(dict.fromkeys(text for _, text in answers)) or "no worker serves yet"

    async def _keep(self, slot: int) -> None:
        """One place in the crew: somebody is always in it, or on his way."""
        failures = 0
        while True:
            worker = self._crew[slot] = self._hire()
            served = await worker.settled()
            if served:
                worker = await self._accompany(slot, worker)
            failures = 0 if served and worker.age > SETTLED else failures + 1
            self._mourn(worker, served, failures)
            await asyncio.sleep(_pause(failures, served))

    async def _accompany(self, slot: int, worker: Process) -> Process:
        """Until whoever is in this place is gone."""
        tried = 0.0
        while True:
            self._show()
            try:
                await asyncio.wait_for(worker.gone.wait(), TICK)
                return worker
            except TimeoutError:
                cause = self._due(worker)
            if cause is not None and (not tried or worker.age - tried > AGAIN):
                tried = worker.age
                async with self._changing:  # one after the other, or all of an age would start anew at once
                    fresh = await self._replace(worker, cause)
                if fresh is not None:
                    worker = self._crew[slot] = fresh
                    tried = 0.0

    def _due(self, worker: Process) -> recycle.Cause | None:
        memory = worker.report.memory if worker.report else 0
        return recycle.due(worker.age, memory, after=self.table.recycle_after, limit=self.table.recycle_at)

    async def _replace(self, worker: Process, cause: recycle.Cause) -> Process | None:
        """A fresh worker that serves, with the old one on its way out; None when that did not come to be."""
        fresh = self._hire()
        if not await fresh.settled():
            said = fresh.mistake.text if fresh.mistake else fresh.end
            log.warning("a worker is due for replacement (%s), but the fresh one cannot start: %s", cause, said)
            self._bury(fresh)
            return None
        log.info("worker %d takes over from worker %d (%s)", fresh.number, worker.number, cause)
        self.staff.restarted(cause)
        worker.tell("retire")
        task = asyncio.get_running_loop().create_task(self._follow_out(worker))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return fresh

    async def _follow_out(self, worker: Process) -> None:
        await worker.gone.wait()
        self._bury(worker)

    def _hire(self) -> Process:
        taken = {worker.number for worker in self._alive}
        number = next(number for number in itertools.count() if number not in taken)
        worker = Process(self.job, number)
        self._alive.add(worker)
        self._show()
        return worker

    def _mourn(self, worker: Process, served: bool, failures: int) -> None:
        """Clean up after a worker that is gone, and say so. Raises UserError when there is no more hope."""
        self._bury(worker)
        nobody = not any(other.ready.is_set() for other in self._alive)
        if not served:
            said = worker.mistake.text if worker.mistake else f"a worker {worker.end} before it served"
            if nobody and (failures >= TRIES or (worker.mistake and not self.serving.is_set())):
                raise UserError(said, exit_code=worker.mistake.code if worker.mistake else 1)
            log.warning("%s; another try follows", said)
        else:
            log.warning("worker %d (process %d) %s; another takes its place", worker.number, worker.pid, worker.end)
        cause: Cause = "died" if served else "start"
        self.staff.restarted("hung" if worker.silent > SILENT else cause)

    def _bury(self, worker: Process) -> None:
        self._alive.discard(worker)
        mark_process_dead(worker.number, str(self.job.scratch))  # type: ignore[no-untyped-call]
        ends.forget(self.job.scratch, worker.number)
        self._show()

    async def _watch(self) -> None:
        """Count how long each has been silent."""
        while True:
            await asyncio.sleep(TICK)
            for worker in self._alive:
                worker.silent += 1
                if worker.silent == SILENT + 1 and worker.ready.is_set():
                    log.error("worker %d (process %d) hangs and is ended", worker.number, worker.pid)
                    worker.kill()
            self._show()

    async def _see_off(self) -> None:
        """Let all workers end: those that serve with their flows, others at once."""
        for worker in self._alive:
            if worker.ready.is_set():
                worker.tell("drain")
            else:
                worker.kill()
        over: asyncio.Future[Any] = asyncio.gather(*(worker.gone.wait() for worker in self._alive))
        hurry: asyncio.Future[Any] = asyncio.ensure_future(self.hurrying.wait())
        await asyncio.wait({over, hurry}, timeout=DRAIN + OVERTIME, return_when=asyncio.FIRST_COMPLETED)
        if hurry.done():
            for worker in self._alive:
                worker.tell("stop")
            await asyncio.wait({over}, timeout=HURRY)
        hurry.cancel()
        over.cancel()

    def _show(self) -> None:
        """Bring the status and the count of workers up to date."""
        crew = self._crew.values()
        ready = [worker for worker in crew if worker is not None and worker.ready.is_set() and not worker.gone.is_set()]
        self.staff.here(len(ready))
        self.status.waiting = [line for slot, worker in self._crew.items() for line in self._lacks(slot, worker)]
        if report := next((worker.report for worker in ready if worker.report), None):
            self.status.release, self.status.provider = report.release, report.provider
            self.status.mode, self.status.cause = report.mode, report.cause
            self.status.listen, self.status.place = report.listen, report.place
        if len(ready) == self.count:
            self.serving.set()

    def _lacks(self, slot: int, worker: Process | None) -> list[str]:
        """Why a place in the crew does not serve; empty when it does."""
        known = worker.report if worker is not None and not worker.gone.is_set() else None
        lines = known.waiting if known else START
        return list(lines) if self.count == 1 else [f"worker {slot + 1} of {self.count}: {line}" for line in lines]


def _pause(failures: int, served: bool) -> float:
    """Seconds until the next try; none after the first death of a worker that had served."""
    first, most = PAUSE
    return 0.0 if failures <= served else min(most, first * 2.0 ** (failures - 1 - served))
