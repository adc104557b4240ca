"""A worker's side of its channel: does what the supervisor says, and tells it how things are."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from classifier.errors import UserError
from proxy import recycle
from proxy.channel import Answer, Channel, Order, Report, Verb
from proxy.console.status import Status

log = logging.getLogger(__name__)

TICK: Final = 1.0


class Orders:
    """What a worker was told so far. `leaving` is set when it is to end, `way` says how, `now` that it must not wait.

    Before it is ready there is nothing to end in order: the task that made this is cancelled.
    """

    def __init__(self, channel: Channel[Order]) -> None:
        self.status: Status | None = None
        self.leaving, self.now = asyncio.Event(), asyncio.Event()
        self.way: Verb = "drain"
        self.poke: Callable[[], None] = _nothing
        self._channel = channel
        self._main = asyncio.current_task()
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Do what is said. Returns when the supervisor is gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._leave, "drain")
        loop.add_signal_handler(signal.SIGHUP, lambda: self.poke())
        while (order := await self._channel.receive()) is not None:
            self._do(order)
        self._leave("drain")

    async def tell(self) -> None:
        """Report once a second. Never returns."""
        while True:
            self.report()
            await asyncio.sleep(TICK)

    def report(self) -> None:
        """Say how things are now."""
        if (status := self.status) is not None:
            self._channel.send(
                Report(
                    waiting=list(status.waiting),
                    mode=status.mode,
                    cause=status.cause,
                    release=status.release,
                    provider=status.provider,
                    listen=status.listen,
                    place=status.place,
                    memory=recycle.held(),
                )
            )

    def _do(self, order: Order) -> None:
        if order.verb == "poke":
            self.poke()
        elif order.verb in ("drain", "retire", "stop"):
            self._leave(order.verb)
        else:
            task = asyncio.get_running_loop().create_task(self._answer(order))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _leave(self, way: Verb) -> None:
        """A word to drain hurries one who takes his time, not the other way round."""
        if self.status is None or self.status.waiting:
            if self._main is not None:
                self._main.cancel()
            return
        if not self.leaving.is_set() or self.way == "retire":
            self.way = way
        if way == "stop":
            self.now.set()
        self.leaving.set()

    async def _answer(self, order: Order) -> None:
        status = self.status
        wanted: Callable[[], Awaitable[object]] | None = None
        if status is not None:
            wanted = status.reload if order.verb == "reload" else status.apply
        if wanted is None:
            self._channel.send(Answer(order.number, None, "it is starting, and reads everything anew"))
            return
        try:
            match await wanted():
                case (("ok" | "refused" | "failed" | None) as result, str(text)):
                    self._channel.send(Answer(order.number, result, text))
                case _:
                    self._channel.send(Answer(order.number, None, "applied"))
        except UserError as error:
            self._channel.send(Answer(order.number, "refused", str(error)))
        except Exception as error:
            log.exception("an order failed: %s", order.verb)
            self._channel.send(Answer(order.number, "failed", type(error).__name__))
        self.report()


def _nothing() -> None:
    pass
