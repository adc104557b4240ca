"""Releases: what there is, what the gates said of each, and which one is in service.

To promote and to roll back are `sluice model promote|rollback`, run beside the proxy: they prove that the model can
serve, and the running proxy notices the channel by itself.
"""

import contextlib
import json
from typing import Any

import msgspec

from classifier.errors import UserError
from classifier.registry import Registry
from proxy.console import tool
from proxy.console.context import Console


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A release. `created` is ISO 8601, `gates` those of its report, `site` and `base` the report's figures.

    `serving`: the channel that this proxy follows points at it.
    """

    release: str
    created: str = ""
    parent: str = ""
    method: str = ""
    channels: tuple[str, ...] = ()
    shipped: bool = False
    serving: bool = False
    problem: str = ""
    gates: list[dict[str, Any]] = []
    site: dict[str, Any] = {}
    base: dict[str, Any] = {}
    seconds: float = 0.0


def every(console: Console) -> list[Shown]:
    """All releases, newest first. Reads manifests and reports, verifies nothing; not for an event loop."""
    registry, channel = console.registry, console.status.channel
    with contextlib.suppress(UserError):
        return [_shown(registry, found, channel) for found in reversed(registry.list())]
    return []


def one(console: Console, release: str) -> Shown:
    """One release. Raises UserError when there is none of that id."""
    console.registry.path(release)
    return next(found for found in every(console) if found.release == release)


async def promote(console: Console, release: str) -> str:
    """Put a release in service. Raises UserError when it cannot serve."""
    return await _change(console, "promote", release)


async def rollback(console: Console) -> str:
    """Put in service what served before the last promotion; that release. Raises UserError when there is none."""
    return await _change(console, "rollback")


async def _change(console: Console, verb: str, *names: str) -> str:
    where = ["--channel", console.status.channel, "--state", str(console.status.home), "--json"]
    done = await tool.run("model", verb, *where, "--", *names)
    if done.code:
        raise UserError(done.problem)
    release = str(json.loads(done.out)["release"])
    if console.status.reload is not None:
        await console.status.reload()
    return release


def _shown(registry: Registry, found: Any, channel: str) -> Shown:
    report: dict[str, Any] = {}
    manifest: dict[str, Any] = {}
    with contextlib.suppress(UserError, OSError, ValueError):
        folder = registry.path(found.release)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        report = json.loads((folder / "report.json").read_bytes())
    return Shown(
        release=found.release,
        created=found.created,
        parent=found.parent,
        method=str(manifest.get("method", "")),
        channels=found.channels,
        shipped=found.shipped,
        serving=channel in found.channels,
        problem=found.problem,
        gates=report.get("gates") or [],
        site=report.get("site") or {},
        base=report.get("base") or {},
        seconds=report.get("seconds") or 0.0,
    )
