"""The running proxy: puts the parts together on one event loop, and takes them apart again.

Start: admin port, model (proved in a thread), mitmproxy, then ready. Stop (SIGTERM, SIGINT): no new connections, flows
under way are let finish for `DRAIN` seconds, captures are sealed. A second signal does not wait.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from mitmproxy.options import Options
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from classifier.artifact import Model
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.store import CaptureWriter
from proxy import admin, core, state
from proxy.addon import Filter
from proxy.config import Settings
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.policy import Hosts
from proxy.reload import Reloader
from proxy.upkeep import Upkeep
from proxy.values import Address

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

log = logging.getLogger(__name__)

DRAIN: Final = 10.0
"""Seconds that flows under way are given at the end."""


@dataclass
class Parts:
    """What lives as long as the proxy."""

    settings: Settings
    folder: Path
    trusted: Path
    registry: Registry
    metrics: Metrics
    journal: Journal
    captures: CaptureWriter
    status: admin.Status


async def serve(settings: Settings, folder: Path, console: socket.socket, trusted: Path) -> None:
    """Run until told to stop; `console` is the bound admin port, `trusted` certifies origins. Raises UserError."""
    parts = assemble(settings, folder, trusted)
    if settings.proxy.workers != 1:
        log.warning("proxy.workers = %s: this version serves with one worker", settings.proxy.workers)
    try:
        with _unwrapped():
            async with asyncio.TaskGroup() as group:
                web = _Console(admin.build(parts.status, settings.proxy.admin.host))
                tasks = [group.create_task(web.serve(sockets=[console]))]
                await _proxy(parts, group, tasks, console)
                web.should_exit = True
                for task in tasks[1:]:
                    task.cancel()
    finally:
        await asyncio.to_thread(parts.captures.close)
        parts.journal.close()


async def _proxy(
    parts: Parts, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]], console: socket.socket
) -> None:
    model = await _load(parts)
    judge = Judge(Scorer(model), _policy(parts.settings, model), parts.metrics, parts.journal)
    parts.metrics.serving(model.release, model.provider)
    plain = Hosts(parts.settings.policy.do_not_decrypt)
    addon = Filter(judge, parts.captures, parts.metrics, plain)
    parts.status.outgoing = addon.outgoing
    reloader = Reloader(
        parts.registry,
        parts.settings.model.channel,
        parts.settings.model.device,
        judge=judge,
        metrics=parts.metrics,
        build=lambda model: _policy(parts.settings, model),
    )
    parts.status.reload = lambda: reloader.check(force=True)
    master = _master(parts, addon)
    running = group.create_task(master.run())
    await _first(running, group.create_task(master.serving.wait()))
    tasks += [
        group.create_task(reloader.follow(_home(parts) / "models" / "channels")),
        group.create_task(Upkeep(parts.captures, parts.metrics, parts.status, judge).run()),
    ]
    _ready(parts, master, console)
    await _until_stopped(master, addon, reloader)
    await running


def assemble(settings: Settings, folder: Path, trusted: Path) -> Parts:
    """Open what the proxy writes to. Raises UserError."""
    registry = CollectorRegistry()
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    home = settings.model.registry or folder
    (home / "models" / "channels").mkdir(parents=True, exist_ok=True)
    captures = CaptureWriter(
        folder / "captures",
        worker="0",
        max_age=settings.capture.max_age,
        max_bytes=settings.capture.max_bytes,
    )
    return Parts(
        settings,
        folder,
        trusted,
        Registry(home),
        Metrics(registry, settings.mode),
        Journal(folder / "sluice.db"),
        captures,
        admin.Status(ca=state.authority(folder), mode=settings.mode, registry=shared),
    )


class _Console(uvicorn.Server):
    """uvicorn on a loop that belongs to somebody else: signals are not its business."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def _load(parts: Parts) -> Model:
    channel, device = parts.settings.model.channel, parts.settings.model.device
    release = parts.registry.resolve(channel)
    model = await asyncio.to_thread(parts.registry.load, release, device)
    parts.status.release, parts.status.provider = model.release, model.provider
    parts.status.waiting.pop(0)
    return model


def _policy(settings: Settings, model: Model) -> Any:
    return settings.build_policy(model.card.operating_points)


def _home(parts: Parts) -> Path:
    return parts.settings.model.registry or parts.folder


def _master(parts: Parts, addon: Filter) -> core.Core:
    core.tune()
    master = core.Core(Options())
    master.addons.add(addon)
    master.options.update(
        listen_host=parts.settings.proxy.listen.host,
        listen_port=parts.settings.proxy.listen.port,
        confdir=str(parts.folder / "ca"),
        ssl_verify_upstream_trusted_ca=str(parts.trusted),
    )
    return master


async def _first(running: asyncio.Task[None], serving: asyncio.Task[Any]) -> None:
    """Wait until the proxy serves, or has failed to."""
    await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    if running.done():
        await running


def _ready(parts: Parts, master: core.Core, console: socket.socket) -> None:
    host, port = master.listening()
    status = parts.status
    status.listen = str(Address(host, port))
    status.waiting.clear()
    gc.collect()
    gc.freeze()
    admin_address = Address(*console.getsockname()[:2])
    print(
        f"Sluice filters at http://{status.listen} ({status.mode}, release {status.release} on {status.provider}); "
        f"console http://{admin_address}, CA certificate {status.ca}",
        flush=True,
    )


async def _until_stopped(master: core.Core, addon: Filter, reloader: Reloader) -> None:
    loop, stop, now = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (now if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, reloader.poke)
    await stop.wait()
    await master.refuse()
    deadline = loop.time() + DRAIN
    while addon.active > 0 and loop.time() < deadline and not now.is_set():
        await asyncio.sleep(0.05)
    master.shutdown()


@contextlib.contextmanager
def _unwrapped() -> Iterator[None]:
    """One error out of a task group, not a group of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        mistakes = group.subgroup(UserError)
        while isinstance(mistakes, BaseExceptionGroup):
            mistakes = mistakes.exceptions[0]  # type: ignore[assignment]
        raise mistakes or group from None
