"""What goes over the line between a supervisor and a worker."""

import asyncio
import socket

from proxy.channel import Answer, Channel, Mistake, Order, Report, Said


async def pair() -> tuple[Channel[Said], Channel[Order]]:
    ours, theirs = socket.socketpair()
    one: Channel[Said] = Channel(ours, Said)  # type: ignore[arg-type]
    other = Channel(theirs, Order)
    await asyncio.gather(one.open(), other.open())
    return one, other


async def test_everything_arrives_as_it_was_said() -> None:
    supervisor, worker = await pair()
    supervisor.send(Order("reload", 7))
    assert await worker.receive() == Order("reload", 7)
    said = [
        Report(waiting=["the model is not loaded"], mode="monitor", cause="the default", memory=5),
        Answer(7, None, "a line\nand another"),
        Mistake("no such release", 2),
    ]
    for message in said:
        worker.send(message)
    assert [await supervisor.receive() for _ in said] == said


async def test_the_end_of_a_process_is_the_last_message() -> None:
    supervisor, worker = await pair()
    worker.send(Mistake("the last word", 2))
    await worker.close()
    assert await supervisor.receive() == Mistake("the last word", 2)
    assert await supervisor.receive() is None
    supervisor.send(Order("poke"))
    await supervisor.close()
    worker.send(Mistake("nobody hears it", 2))


async def test_a_torn_line_is_the_end_too() -> None:
    ours, theirs = socket.socketpair()
    channel: Channel[Said] = Channel(ours, Said)  # type: ignore[arg-type]
    await channel.open()
    theirs.sendall(b'{"type":"Mist')
    theirs.close()
    assert await channel.receive() is None
    await channel.close()
