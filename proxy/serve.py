"""The running proxy: puts the parts together on one event loop, and takes them apart again.

Start: admin port, model (proved in a thread), mitmproxy, then ready. Stop (SIGTERM, SIGINT): no new connections, flows
under way are let finish for `DRAIN` seconds, captures are sealed. A second signal does not wait.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
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
from proxy import admin, core, live, patches, state, tickets
from proxy.addon import Filter
from proxy.config import Settings
from proxy.console import context
from proxy.desk import Desk
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.pins import Pins
from proxy.policy import Hosts, Policy
from proxy.portal import Portal
from proxy.reload import Reloader
from proxy.trials import Trials
from proxy.unread import Unread
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


async def serve(
    settings: Settings,
    folder: Path,
    console: socket.socket,
    trusted: Path,
    source: Callable[[], Settings],
    file: Path | None = None,
) -> None:
    """Run until told to stop; `console` is the bound admin port, `trusted` certifies origins. Raises UserError.

    `source` reads the settings again; `file` is where from, if it was named.
    """
    parts = assemble(settings, folder, trusted)
    parts.status.config = file
    desk = context.make(parts.status, parts.journal)
    if settings.proxy.workers != 1:
        log.warning("proxy.workers = %s: this version serves with one worker", settings.proxy.workers)
    try:
        with _unwrapped():
            async with asyncio.TaskGroup() as group:
                web = _Console(admin.build(desk, settings.proxy.admin.host))
                tasks = [group.create_task(web.serve(sockets=[console]))]
                await _proxy(parts, group, tasks, desk, console, source)
                web.should_exit = True
                await desk.learning.stop()
                for task in tasks[1:]:
                    task.cancel()
    finally:
        await asyncio.to_thread(parts.captures.close)
        parts.journal.close()


async def _proxy(
    parts: Parts,
    group: asyncio.TaskGroup,
    tasks: list[asyncio.Task[None]],
    desk: context.Console,
    console: socket.socket,
    source: Callable[[], Settings],
) -> None:
    model = await _load(parts)
    policy = live.build(parts.settings, parts.folder, model)
    judge = Judge(Scorer(model), policy, parts.metrics, parts.journal, cache=parts.settings.model.cache)
    parts.metrics.serving(model.release, model.provider)
    parts.metrics.under(parts.settings.mode, parts.settings.cause)
    addon = _filter(parts, judge)
    policies = live.Live(parts.settings, source, parts.folder, judge, addon, functools.partial(_told, parts.status))
    judge.trials = _trials(parts, policies.build)
    parts.status.outgoing = addon.outgoing
    reloader = Reloader(
        parts.registry,
        parts.settings.model.channel,
        parts.settings.model.device,
        judge=judge,
        metrics=parts.metrics,
        build=policies.build,
    )
    parts.status.reload = functools.partial(_reload, policies, reloader)
    parts.status.apply = policies.apply
    master = _master(parts, addon)
    running = group.create_task(master.run())
    await _first(running, group.create_task(master.serving.wait()))
    tasks += [
        group.create_task(reloader.follow(_home(parts) / "models" / "channels")),
        group.create_task(policies.follow()),
        group.create_task(Upkeep(parts.captures, parts.metrics, parts.status, judge, addon.pins).run()),
    ]
    _ready(parts, master, desk, console)
    await _until_stopped(master, addon, reloader, policies)
    await running


def _trials(parts: Parts, build: Callable[[Model], Policy]) -> Trials:
    table = parts.settings.model
    return Trials(parts.registry, table.device, parts.metrics, parts.journal, build, table.canary_percent)


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
        Metrics(registry),
        Journal(folder / "sluice.db"),
        captures,
        admin.Status(
            ca=state.authority(folder),
            mode=settings.mode,
            cause=settings.cause,
            registry=shared,
            state=folder,
            home=home,
            channel=settings.model.channel,
        ),
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


def _filter(parts: Parts, judge: Judge) -> Filter:
    """The filter with what its block pages and its list of pinned servers need."""
    key = tickets.key(parts.folder / "keys")
    desk = Desk(key, parts.journal, parts.metrics, live.terms(parts.settings))
    judge.permitted = desk.permitted
    pins = Pins(parts.journal, live.limits(parts.settings))
    return Filter(judge, parts.captures, Hosts(parts.settings.policy.do_not_decrypt), pins, desk)


def _told(status: admin.Status, settings: Settings) -> None:
    """The status page's mode is the one in force."""
    status.mode, status.cause = settings.mode, settings.cause


async def _reload(policies: live.Live, reloader: Reloader) -> tuple[Any, str]:
    """Policy and release, whatever changed; the answer is the worse of the two."""
    policy, said = await policies.reload()
    release, told = await reloader.check(force=True)
    worst = next((result for result in ("failed", "refused", "ok") if result in (policy, release)), None)
    return worst, f"{said}; {told}"


def _home(parts: Parts) -> Path:
    return parts.settings.model.registry or parts.folder


def _master(parts: Parts, addon: Filter) -> core.Core:
    patches.tune()
    master = core.Core(Options())
    master.addons.add(Portal(parts.status), addon, Unread(parts.metrics, addon.tunnels))
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


def _ready(parts: Parts, master: core.Core, desk: context.Console, console: socket.socket) -> None:
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
    if not desk.vault.settled:
        print(f"Choose the console's password: http://{admin_address}/welcome?key={desk.invitation}", flush=True)


async def _until_stopped(master: core.Core, addon: Filter, reloader: Reloader, policies: live.Live) -> None:
    loop, stop, now = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (now if stop.is_set() else stop).set()

    def on_hangup() -> None:
        reloader.poke()
        policies.poked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
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
