"""The process that a person starts: the supervisor of the workers, and the admin port.

The admin port is here and not in a worker, because what it keeps in memory must outlive workers: sessions and failed
logins, the invitation, the fine-tuning run under way. A page that takes long to make, or a scrape, holds up no flow.
Workers are started first; what the console needs is imported while they start.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from proxy import state, sweep
from proxy.config import Settings
from proxy.console.status import Status
from proxy.ends import Ends
from proxy.process import Job
from proxy.staff import Staff
from proxy.supervisor import Supervisor
from proxy.unwrapped import unwrapped
from proxy.values import Address

if TYPE_CHECKING:
    import uvicorn

    from proxy.console.context import Console


async def run(job: Job, settings: Settings, count: int, console: socket.socket, listening: list[socket.socket]) -> None:
    """Serve with `count` workers until told to stop; `console` is the bound admin port. Raises UserError."""
    shared = CollectorRegistry()
    MultiProcessCollector(shared, str(job.scratch))  # type: ignore[no-untyped-call]
    status = Status(
        ca=state.authority(job.folder),
        mode=settings.mode,
        cause=settings.cause,
        registry=shared,
        state=job.folder,
        home=settings.model.registry or job.folder,
        channel=settings.model.channel,
        config=job.file,
        outgoing=Ends(job.scratch, -1, ()),
    )
    supervisor = Supervisor(job, count, settings.proxy, status, Staff(CollectorRegistry()))
    status.reload, status.apply = supervisor.reload, supervisor.apply
    supervisor.handle_signals()
    with unwrapped():
        async with asyncio.TaskGroup() as group:
            crew = group.create_task(supervisor.run())
            await asyncio.sleep(0)
            desk = await asyncio.to_thread(_desk, status)
            web = _server(desk, settings.proxy.admin.host)
            tasks = [group.create_task(sweep.follow(desk.journal, settings.capture.max_age))]
            serving = group.create_task(web.serve(sockets=[console]))
            tasks.append(group.create_task(_welcome(supervisor, status, desk, console)))
            await supervisor.stopping.wait()
            for each in listening:
                each.close()
            await crew
            web.should_exit = True
            await desk.learning.stop()
            await desk.changes.stop()
            for task in tasks:
                task.cancel()
            await serving


def _desk(status: Status) -> "Console":
    """The console. Imports much."""
    from classifier.journal import Journal
    from proxy.console import context

    return context.make(status, Journal(status.state / "sluice.db"))


def _server(desk: "Console", host: str) -> "uvicorn.Server":
    """uvicorn on a loop that belongs to somebody else: signals are not its business."""
    import uvicorn

    from proxy import admin

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    app: Any = admin.build(desk, host)
    return Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))


async def _welcome(supervisor: Supervisor, status: Status, desk: "Console", console: socket.socket) -> None:
    """Once all workers serve, say where."""
    await supervisor.serving.wait()
    admin = Address(*console.getsockname()[:2])
    print(
        f"Sluice filters at {status.place} ({status.mode}, release {status.release} on {status.provider}); "
        f"console http://{admin}, CA certificate {status.ca}",
        flush=True,
    )
    if not desk.vault.settled:
        print(f"Choose the console's password: http://{admin}/welcome?key={desk.invitation}", flush=True)
