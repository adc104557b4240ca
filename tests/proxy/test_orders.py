"""What a worker does with what it is told."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from classifier.errors import UserError
from consoles import make_status
from proxy.channel import Answer, Channel, Order, Report, Said, Verb
from proxy.console.status import Status
from proxy.orders import Orders


class Line:
    """A worker's orders and the supervisor's end of its line."""

    def __init__(self, orders: Orders, supervisor: Channel[Said], status: Status) -> None:
        self.orders, self.supervisor, self.status = orders, supervisor, status

    async def answer(self, verb: Verb) -> Answer:
        """What comes of an order that is answered."""
        self.supervisor.send(Order(verb, 3))
        while not isinstance(said := await self.supervisor.receive(), Answer):
            assert said is not None
        return said


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    ours, theirs = socket.socketpair()
    supervisor: Channel[Said] = Channel(ours, Said)  # type: ignore[arg-type]
    channel = Channel(theirs, Order)
    await asyncio.gather(supervisor.open(), channel.open())
    orders = Orders(channel)
    status = orders.status = make_status(tmp_path)
    following = asyncio.get_running_loop().create_task(orders.follow())
    yield Line(orders, supervisor, status)
    following.cancel()
    await asyncio.gather(supervisor.close(), channel.close())


async def ok() -> tuple[str, str]:
    return "ok", "done"


async def mistaken() -> None:
    raise UserError("rule 1: no action")


async def broken() -> None:
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("verb", "does", "answer"),
    [
        ("reload", ok, ("ok", "done")),
        ("apply", mistaken, ("refused", "rule 1: no action")),
        ("reload", broken, ("failed", "RuntimeError")),
        ("apply", None, (None, "it is starting, and reads everything anew")),
    ],
)
async def test_an_order_is_answered(line: Line, verb: Verb, does: Any, answer: tuple[str | None, str]) -> None:
    line.status.reload = line.status.apply = does
    said = await line.answer(verb)
    assert (said.number, said.result, said.text) == (3, *answer)


async def test_it_says_how_it_is(line: Line) -> None:
    line.orders.report()
    said = await line.supervisor.receive()
    assert isinstance(said, Report) and said.waiting == [] and said.memory > 0


async def test_a_signal_and_a_lost_supervisor_mean_to_end_in_order(line: Line) -> None:
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(line.orders.leaving.wait(), 5)
    assert line.orders.way == "drain" and not line.orders.now.is_set()


async def test_the_end_of_the_line_means_to_end_in_order(line: Line) -> None:
    await line.supervisor.close()
    await asyncio.wait_for(line.orders.leaving.wait(), 5)
    assert line.orders.way == "drain"


@pytest.mark.parametrize(
    ("words", "way", "now"),
    [(("retire",), "retire", False), (("retire", "drain"), "drain", False), (("drain", "retire"), "drain", False),
     (("drain", "stop"), "drain", True), (("retire", "stop"), "stop", True)],
)  # fmt: skip
async def test_who_takes_his_time_can_be_hurried(line: Line, words: tuple[Verb, ...], way: Verb, now: bool) -> None:
    for word in words:
        line.supervisor.send(Order(word))
    await asyncio.wait_for(line.orders.leaving.wait(), 5)
    await line.answer("apply")
    assert (line.orders.way, line.orders.now.is_set()) == (way, now)
