"""`python -m proxy.worker NUMBER DESCRIPTOR`: one of the processes that filter, started by the supervisor.

What it is to do comes pickled on standard input, from the process that started it; orders come over the socket that
DESCRIPTOR names. Its metrics go under its number, which the next one takes over when it is gone: what a dead worker
counted stays counted, and the files do not grow in number.
"""

import asyncio
import contextlib
import functools
import pickle
import socket
import sys

from prometheus_client import values

from classifier.errors import UserError
from proxy import config, logs
from proxy.channel import Channel, Mistake, Order
from proxy.process import Job


def main(number: int, descriptor: int) -> None:
    """Serve until told to stop."""
    job: Job = pickle.load(sys.stdin.buffer)
    logs.configure()
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    own = socket.socket(fileno=descriptor)
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(_run(job, number, own))


async def _run(job: Job, number: int, own: socket.socket) -> None:
    from proxy.orders import Orders
    from proxy.serve import serve

    channel = Channel(own, Order)
    await channel.open()
    orders = Orders(channel)
    following = asyncio.get_running_loop().create_task(orders.follow())
    source = functools.partial(config.load, job.file, job.options)
    try:
        settings = (await asyncio.to_thread(source)).model_copy(update=dict(job.fixed))
        await serve(job, settings, number, orders, source)
    except UserError as error:
        channel.send(Mistake(str(error), error.exit_code))
    finally:
        following.cancel()
        await channel.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
