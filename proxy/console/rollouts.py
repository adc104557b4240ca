"""Releases on trial: which follow the channels `shadow` and `canary`, and how they do beside the release in service.

To begin and to end a trial are `sluice model promote --channel` and `sluice model withdraw`, run beside the proxy,
which notices by itself. The counts are the proxy's own metrics, of all trials since it started.
"""

import contextlib
import json
from collections import Counter
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

from classifier.channels import Channels
from classifier.errors import UserError
from proxy.console import tool
from proxy.console.context import Console
from proxy.trials import CHANNELS, Channel

RANKS: Final = ("allow", "flag", "block")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of a group of clients."""

    decisions: int = 0
    flagged: int = 0
    blocked: int = 0


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """One channel. `release` is empty where nothing is on trial; `since` is ISO 8601.

    Of a shadow `same`, `stricter`, `milder` and `failed` say how its decisions compare with those that were taken; of a
    canary `own` are the decisions on its clients, `rest` those on all others. `withdrawn` counts canaries sent home.
    """

    channel: Channel
    release: str = ""
    since: str = ""
    same: int = 0
    stricter: int = 0
    milder: int = 0
    failed: int = 0
    own: Group = Group()
    rest: Group = Group()
    withdrawn: int = 0


def every(console: Console) -> list[Rollout]:
    """Both channels. Reads files; not for an event loop."""
    shadow, canary, withdrawn = _counters(console.status.registry)
    compared = Counter[str]()
    for (action, other), count in shadow.items():
        compared[_compared(action, other)] += count
    return [
        Rollout(
            channel="canary",
            release=_followed(console, "canary")[0],
            since=_followed(console, "canary")[1],
            own=_group(canary, "canary"),
            rest=_group(canary, "control"),
            withdrawn=withdrawn,
        ),
        Rollout(
            channel="shadow",
            release=_followed(console, "shadow")[0],
            since=_followed(console, "shadow")[1],
            same=compared["same"],
            stricter=compared["stricter"],
            milder=compared["milder"],
            failed=compared["failed"],
        ),
    ]


async def begin(console: Console, release: str, channel: str) -> str:
    """Put a release on trial. Raises UserError when it cannot serve, or serves already."""
    if channel not in CHANNELS:
        raise UserError(f"{channel!r} is no trial; one of {', '.join(CHANNELS)}")
    if release == console.status.release:
        raise UserError(f"{release} is in service: there is nothing to try")
    await _run(console, "promote", "--channel", channel, release=release)
    return release


async def end(console: Console, channel: str) -> str:
    """End a trial; the release that was tried. Raises UserError when nothing is."""
    if channel not in CHANNELS:
        raise UserError(f"{channel!r} is no trial; one of {', '.join(CHANNELS)}")
    return await _run(console, "withdraw", release=channel)


async def _run(console: Console, verb: str, *options: str, release: str) -> str:
    done = await tool.run("model", verb, *options, "--state", str(console.status.home), "--json", "--", release)
    if done.code:
        raise UserError(done.problem)
    return str(json.loads(done.out)["release"])


def _followed(console: Console, channel: Channel) -> tuple[str, str]:
    """The release that is on trial in a channel, and since when."""
    with contextlib.suppress(UserError):
        pointer = Channels(console.status.home / "models" / "channels").current(channel)
        if pointer is not None and pointer.release != console.status.release:
            return pointer.release, pointer.since
    return "", ""


def _compared(action: str, other: str) -> str:
    if other not in RANKS:
        return "failed"
    mine, theirs = RANKS.index(action), RANKS.index(other)
    return "same" if mine == theirs else "stricter" if theirs > mine else "milder"


def _group(counts: Counter[tuple[str, str]], name: str) -> Group:
    total = sum(count for (group, _), count in counts.items() if group == name)
    return Group(decisions=total, flagged=counts[name, "flag"], blocked=counts[name, "block"])


def _counters(registry: CollectorRegistry) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], int]:
    shadow, canary, withdrawn = Counter[tuple[str, str]](), Counter[tuple[str, str]](), 0
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == "sluice_shadow_flows_total":
                shadow[sample.labels["action"], sample.labels["shadow"]] += int(sample.value)
            elif sample.name == "sluice_canary_flows_total":
                canary[sample.labels["group"], sample.labels["action"]] += int(sample.value)
            elif sample.name == "sluice_canary_withdrawn_total":
                withdrawn += int(sample.value)
    return shadow, canary, withdrawn
