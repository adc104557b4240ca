"""A queue before a GPU: flows that wait at the same time are judged together.

    hook ── verdict ──▶ queue ──▶ one thread drains it, runs batches (`lanes`) ──▶ one call into the loop per batch
      ▲                                                                                          │
      └──────────────────────────────── its future resolves ◀────────────────────────────────────┘

1. No timer: what has come while a batch ran is the next batch, so a lone flow waits for nobody.
2. Every wait ends: by a verdict, by `Late` after `deadline` seconds, or by `Overloaded` at once when `limit` flows
   wait. What is late is not run any more.
3. An error of a batch is that of its flows alone, a bad score that of its flow alone.
4. Each model has a queue and a thread of its own. A swap puts the next flows into the new one's; the old thread judges
   what is in its queue, with the old model, and ends.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Literal, NamedTuple

from classifier.artifact import Floats, Model
from classifier.features import Features
from classifier.lanes import SHAPES, Lanes, Shape
from classifier.records import Verdict
from classifier.runtime import CUDA
from classifier.scorer import BadScore, Late, Overloaded, Scorer, speak

log = logging.getLogger(__name__)

Choice = Literal["auto", "on", "off"]

DEADLINE: Final = 0.25
"""Seconds. A GPU takes a few milliseconds with all that may wait; a flow held for longer than this is noticed."""
LIMIT: Final = 4096
"""Flows that wait at most."""


class BatchFailed(RuntimeError):
    """The batch that a record was in could not be run."""


class Waiting(NamedTuple):
    """A record and who waits for its verdict; `timer` ends the wait."""

    features: Features
    future: asyncio.Future[Verdict]
    timer: asyncio.TimerHandle


class Batching(Scorer):
    """Judges through a queue. Warm when made, which takes seconds: make it in another thread than the event loop's.

    `verdict`, `submit` and `swap` belong to the event loop. `score`, `score_many` and `embed` go past the queue, one
    run for each call. Raises ModelRefused when the model does not come out in batches as it does one by one.
    """

    def __init__(
        self, model: Model, *, deadline: float = DEADLINE, limit: int = LIMIT, shapes: Sequence[Shape] = SHAPES
    ) -> None:
        super().__init__(model)
        self.deadline, self.limit, self.shapes = deadline, limit, shapes
        self._queue = _Queue(model, shapes)
        self._next: _Queue | None = None

    def prepare(self, model: Model) -> None:
        """Warm every shape of `model`. Raises ModelRefused."""
        queue = _Queue(model, self.shapes)
        before, self._next = self._next, queue
        if before is not None:  # prepared, and then something else was swapped in
            before.end()

    def swap(self, model: Model) -> Model:
        """Judge with `model`, which should be prepared, from the next record on; the old one judges what waits."""
        following, self._next = self._next, None
        if following is None or following.model is not model:
            if following is not None:
                following.end()
            following = _Queue(model, self.shapes)
        old, self._queue = self._queue, following
        old.end()
        return super().swap(model)

    def close(self) -> None:
        """Judge what waits, and end; `verdict` raises Overloaded from then on. Does not wait for the end."""
        self.limit = 0
        for queue in (self._next, self._queue):
            if queue is not None:
                queue.end()

    async def verdict(self, features: Features) -> Verdict:
        """Wait for the verdict. Raises BadScore, BatchFailed, Late, Overloaded."""
        return await self.submit(features)

    def hear(self, features: Features, told: Callable[[Verdict | Exception], None]) -> None:
        """Tell what comes of a record, later."""
        try:
            future = self.submit(features)
        except Overloaded as error:
            told(error)
        else:
            future.add_done_callback(lambda done: told(_outcome(done)))

    def submit(self, features: Features) -> asyncio.Future[Verdict]:
        """The verdict to come. Raises Overloaded."""
        if self._queue.waiting >= self.limit:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        self._queue.put(Waiting(features, future, loop.call_later(self.deadline, _late, future)))
        return future


class _Queue:
    """The records that wait for one model, and the thread that judges them."""

    def __init__(self, model: Model, shapes: Sequence[Shape]) -> None:
        self.model = model
        self._records: SimpleQueue[Waiting | None] = SimpleQueue()
        warm: Future[None] = Future()
        threading.Thread(target=self._work, args=(shapes, warm), name="scorer", daemon=True).start()
        warm.result()

    @property
    def waiting(self) -> int:
        """Records that no batch has been made of."""
        return self._records.qsize()

    def put(self, record: Waiting) -> None:
        """Let a record wait."""
        self._records.put(record)

    def end(self) -> None:
        """Judge what waits, and no more."""
        self._records.put(None)

    def _work(self, shapes: Sequence[Shape], warm: "Future[None]") -> None:
        try:
            lanes = Lanes(self.model, shapes)
        except BaseException as error:
            warm.set_exception(error)
            return
        warm.set_result(None)
        while self._turn(lanes):
            pass

    def _turn(self, lanes: Lanes) -> bool:
        """Judge what waits now, or wait for something to judge; whether there may be more."""
        found, more = self._take()
        wanted = [record for record in found if not record.future.done()]
        try:
            plan = lanes.plan([record.features for record in wanted])
        except Exception as error:
            _answer(wanted, _failed(error, len(wanted)))
            return more
        for batch in plan:
            records = [wanted[place] for place in batch.members]
            _answer(records, _judged(lanes, records, batch.length))
        return more

    def _take(self) -> tuple[list[Waiting], bool]:
        found: list[Waiting] = []
        record = self._records.get()
        with suppress(Empty):
            while record is not None:
                found.append(record)
                record = self._records.get_nowait()
            return found, False
        return found, True


def scorer(model: Model, choice: Choice) -> Scorer:
    """The scorer for where a model runs: a queue on a GPU (`auto`) or anywhere (`on`), else inline."""
    queue = choice == "on" or (choice == "auto" and model.provider == CUDA)
    return Batching(model) if queue else Scorer(model)


def _judged(lanes: Lanes, records: list[Waiting], length: int) -> Sequence[Verdict | Exception]:
    """Run a batch: a verdict or an error for each record."""
    try:
        found = lanes.run([record.features for record in records], length)
        return [_spoken(windows, lanes.model.release) for windows in found]
    except Exception as error:
        return _failed(error, len(records))


def _spoken(windows: Floats, release: str) -> Verdict | Exception:
    try:
        return speak(windows, release)
    except BadScore as error:
        return error


def _failed(error: Exception, count: int) -> Sequence[Exception]:
    log.error(
        "a batch of %d flows could not be judged: %s", count, " ".join(f"{type(error).__name__}: {error}".split())
    )
    return [BatchFailed(type(error).__name__) for _ in range(count)]


def _answer(records: list[Waiting], found: Sequence[Verdict | Exception]) -> None:
    """Hand each record its verdict or its error, all in one call into the loop."""
    if records:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            records[0].future.get_loop().call_soon_threadsafe(_resolve, records, found)


def _resolve(records: list[Waiting], found: Sequence[Verdict | Exception]) -> None:
    for record, verdict in zip(records, found, strict=True):
        record.timer.cancel()
        if record.future.done():
            continue
        if isinstance(verdict, Exception):
            record.future.set_exception(verdict)
        else:
            record.future.set_result(verdict)


def _outcome(done: "asyncio.Future[Verdict]") -> Verdict | Exception:
    try:
        return done.result()
    except Exception as error:
        return error


def _late(future: "asyncio.Future[Verdict]") -> None:
    if not future.done():
        future.set_exception(Late())
