"""A worker: puts the parts of the filter together on one event loop, and takes them apart again.

Start: model (proved in a thread), mitmproxy, then ready. Stop, when the supervisor or a signal says so: no new
connections, flows under way are let finish for `DRAIN` seconds, captures are sealed.
"""

import asyncio
import functools
import gc
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from classifier import batching
from classifier.artifact import Model
from classifier.journal import Journal
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.store import CaptureWriter
from proxy import core, live, modes, patches, state, tickets
from proxy.addon import Filter
from proxy.channel import DRAIN
from proxy.config import Settings
from proxy.console.status import Status
from proxy.desk import Desk
from proxy.drift import Drift
from proxy.ends import Ends
from proxy.heartbeat import Heartbeat
from proxy.judge import Judge
from proxy.metrics import Metrics
from proxy.orders import Orders
from proxy.parting import Parting
from proxy.pins import Pins
from proxy.policy import Hosts, Policy
from proxy.portal import Portal
from proxy.process import Job
from proxy.rehearsal import Rehearsal
from proxy.reload import Reloader
from proxy.trials import Trials
from proxy.unread import Unread
from proxy.unwrapped import unwrapped
from proxy.upkeep import Upkeep
from proxy.values import Address

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

LINGER: Final = 3600.0
"""Seconds that the connections of a worker that was replaced are given to end by themselves."""
GRACE: Final = 0.2
"""Seconds in which a connection that was taken at the last moment shows what it wants."""


@dataclass
class Parts:
    """What lives as long as the worker."""

    job: Job
    settings: Settings
    number: int
    registry: Registry
    metrics: Metrics
    journal: Journal
    captures: CaptureWriter
    status: Status


async def serve(job: Job, settings: Settings, number: int, orders: Orders, source: Callable[[], Settings]) -> None:
    """Run until told to stop, as worker `number`; `source` reads the settings again. Raises UserError."""
    parts = assemble(job, settings, number)
    orders.status = parts.status
    try:
        with unwrapped():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(orders.tell())]
                await _proxy(parts, group, tasks, orders, source)
                for task in tasks:
                    task.cancel()
    finally:
        await asyncio.to_thread(parts.captures.close)
        parts.journal.close()


async def _proxy(
    parts: Parts,
    group: asyncio.TaskGroup,
    tasks: list[asyncio.Task[None]],
    orders: Orders,
    source: Callable[[], Settings],
) -> None:
    model = await _load(parts)
    folder, settings = parts.job.folder, parts.settings
    scorer = await asyncio.to_thread(_scorer, settings, model)
    policy = live.build(settings, folder, model)
    judge = Judge(scorer, policy, parts.metrics, parts.journal, cache=settings.model.cache)
    parts.metrics.serving(model.release, model.provider)
    parts.metrics.under(settings.mode, settings.cause)
    addon = _filter(parts, judge)
    policies = live.Live(settings, source, folder, judge, addon, functools.partial(_told, parts.status))
    judge.trials = _trials(parts, policies.build)
    judge.drift = Drift(
        parts.journal, parts.registry, parts.metrics, lambda: judge.scorer.model, settings.capture.max_age
    )
    table = settings.model
    reloader = Reloader(
        parts.registry, table.channel, table.device, judge=judge, metrics=parts.metrics, build=policies.build
    )
    parts.status.reload = functools.partial(_reload, policies, reloader)
    parts.status.apply = policies.apply
    orders.poke = functools.partial(_poke, policies, reloader)
    rehearsal = Rehearsal(tickets.key(folder / "keys"))
    master = _master(parts, addon, rehearsal)
    running = group.create_task(master.run())
    await _first(running, group.create_task(master.serving.wait()))
    tasks += [
        group.create_task(reloader.follow(_home(settings, folder) / "models" / "channels")),
        group.create_task(policies.follow()),
        group.create_task(Upkeep(parts.captures, parts.metrics, parts.status, judge, addon.pins).run()),
        group.create_task(judge.drift.run()),
    ]
    gc.collect()
    gc.freeze()
    parts.status.listen, parts.status.place = modes.place(settings.proxy.modes, master)
    parts.status.waiting.clear()
    if conf := master.tunnel():
        print(f"WireGuard clients take {state.tunnel(folder, conf)}", flush=True)
    tasks.append(group.create_task(_heartbeat(parts, master, rehearsal).run()))
    orders.report()
    await orders.leaving.wait()
    await _leave(master, addon, orders)
    await running
    judge.scorer.close()


def _trials(parts: Parts, build: Callable[[Model], Policy]) -> Trials:
    table, make = parts.settings.model, functools.partial(_scorer, parts.settings)
    return Trials(parts.registry, table.device, parts.metrics, parts.journal, build, table.canary_percent, make=make)


def _scorer(settings: Settings, model: Model) -> Scorer:
    return batching.scorer(model, settings.model.batching)


def assemble(job: Job, settings: Settings, number: int) -> Parts:
    """Open what a worker writes to. Raises UserError."""
    registry = CollectorRegistry()
    home = _home(settings, job.folder)
    (home / "models" / "channels").mkdir(parents=True, exist_ok=True)
    captures = CaptureWriter(
        job.folder / "captures",
        worker=str(number),
        max_age=settings.capture.max_age,
        max_bytes=settings.capture.max_bytes,
    )
    status = Status(
        ca=state.authority(job.folder),
        mode=settings.mode,
        cause=settings.cause,
        registry=registry,
        state=job.folder,
        home=home,
        channel=settings.model.channel,
    )
    journal = Journal(job.folder / "sluice.db")
    return Parts(job, settings, number, Registry(home), Metrics(registry), journal, captures, status)


async def _load(parts: Parts) -> Model:
    channel, device = parts.settings.model.channel, parts.settings.model.device
    release = parts.registry.resolve(channel)
    model = await asyncio.to_thread(parts.registry.load, release, device)
    parts.status.release, parts.status.provider = model.release, model.provider
    parts.status.waiting.pop(0)
    return model


def _heartbeat(parts: Parts, master: core.Core, rehearsal: Rehearsal) -> Heartbeat:
    parts.metrics.authority.set(state.expiry(parts.status.ca))
    listen, interval = Address(*master.asked()), parts.settings.proxy.heartbeat
    return Heartbeat(listen, parts.status.ca, rehearsal, parts.metrics, interval)


def _filter(parts: Parts, judge: Judge) -> Filter:
    """The filter with what its block pages and its list of pinned servers need."""
    key = tickets.key(parts.job.folder / "keys")
    desk = Desk(key, parts.journal, parts.metrics, live.terms(parts.settings))
    judge.permitted = desk.permitted
    pins = Pins(parts.journal, live.limits(parts.settings))
    return Filter(judge, parts.captures, Hosts(parts.settings.policy.do_not_decrypt), pins, desk)


def _told(status: Status, settings: Settings) -> None:
    """The status page's mode is the one in force."""
    status.mode, status.cause = settings.mode, settings.cause


async def _reload(policies: live.Live, reloader: Reloader) -> tuple[Any, str]:
    """Policy and release, whatever changed; the answer is the worse of the two."""
    policy, said = await policies.reload()
    release, told = await reloader.check(force=True)
    worst = next((result for result in ("failed", "refused", "ok") if result in (policy, release)), None)
    return worst, f"{said}; {told}"


def _poke(policies: live.Live, reloader: Reloader) -> None:
    reloader.poke()
    policies.poked.set()


def _home(settings: Settings, folder: Path) -> Path:
    return settings.model.registry or folder


def _master(parts: Parts, addon: Filter, rehearsal: Rehearsal) -> core.Core:
    settings = parts.settings
    sockets = [socket.socket(fileno=descriptor) for descriptor in parts.job.listening]
    patches.share(sockets)
    listen = Address(*sockets[0].getsockname()[:2]) if sockets else settings.proxy.listen
    ends = Ends(parts.job.scratch, parts.number, parts.job.ports)
    parts.status.outgoing = ends
    portal, unread = Portal(parts.status, rehearsal), Unread(parts.metrics, addon.tunnels)
    return modes.master(
        settings.proxy.modes,
        (ends, portal, addon, unread, rehearsal),
        listen=listen,
        confdir=str(parts.job.folder / "ca"),
        trusted=str(parts.job.trusted),
    )


async def _first(running: asyncio.Task[None], serving: asyncio.Task[Any]) -> None:
    """Wait until the proxy serves, or has failed to."""
    await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    if running.done():
        await running


async def _leave(master: core.Core, addon: Filter, orders: Orders) -> None:
    """Take no more connections, let end what is under way, and stop."""
    await master.refuse()
    master.addons.add(Parting())
    await asyncio.sleep(GRACE)
    loop = asyncio.get_running_loop()
    since, way = loop.time(), orders.way
    while not orders.now.is_set():
        if orders.way != way:
            since, way = loop.time(), orders.way
        under_way, longest = (addon.active, DRAIN) if way == "drain" else (master.connections, LINGER)
        if under_way <= 0 or loop.time() - since >= longest:
            break
        await asyncio.sleep(0.05)
    master.shutdown()
