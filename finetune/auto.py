"""`sluice finetune auto`: the nightly run. It learns when there is a reason and says in a line when there is none.

    trial under way? ──▶ promote what has proven itself, wait for the rest ──▶ a reason? ──▶ learn ──▶ roll out

A release that passed every gate goes to a share of the clients first where the site has the traffic to tell whether it
does harm there, and to all of them a day later (`PROVEN`); where it has not, a canary would prove nothing and the gates
have the last word. Only trials that this command began are ended by it.
"""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

import msgspec

from classifier import drift
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.registry import Registry
from classifier.tallies import HOUR, SCORE, Tallies
from finetune.crowd import clients
from finetune.labels import NothingToLearn
from finetune.lock import Busy, exclusive
from finetune.outcome import DIRECT, Options, Outcome
from finetune.reasons import SURE, Facts, decide

CANARY: Final = "canary"
SHADOW: Final = "shadow"
SUITED: Final = "auto"
"""The `--rollout` that asks the site's traffic."""
PROVEN: Final = 1000
"""Decisions of a canary, and a day on trial, before everybody gets it."""
FEWEST: Final = 3
"""Clients that a canary is expected to decide for, so that it decides for any at all: with 3 in 19 of 20 cases."""
_DAY: Final = 86_400.0

Action = Literal["none", "waiting", "promoted", "learned", "refused"]


class Night(msgspec.Struct):
    """What came of it, as `--json` prints it. `why` is one line; `psi` is of the figure that moved most."""

    action: Action
    why: str
    labels: int = 0
    fresh: int = 0
    psi: float | None = None
    rollout: str = ""
    release: str | None = None
    outcome: Outcome | None = None


def auto(options: Options, percent: float, run: Callable[[Options], Outcome]) -> Night:
    """Do what the site needs tonight; `percent` is a canary's share of the clients. Raises UserError.

    `options.rollout` may be SUITED. `run` is `pipeline.run`, which needs torch: it is not called without a reason.
    """
    if not (options.state / "sluice.db").exists():
        raise UserError(f"no sluice.db in {options.state}: run `sluice run` with this --state first")
    journal = Journal(options.state / "sluice.db")
    registry = Registry(options.registry or options.state)
    try:
        with exclusive(options.state):
            night = _trial(registry, journal, options) or _reason(registry, journal, options)
            if night.action == "learned":
                night.rollout = _rollout(registry, journal, options, percent)
        return night if night.action != "learned" else _learn(night, journal, options, run)
    except Busy as error:
        return Night("waiting", str(error))
    finally:
        journal.close()


def step_back() -> None:
    """Leave processor and disk to everybody else. With SCHED_IDLE Linux puts the disk's queue last as well
    (ioprio_set(2): the class follows the scheduler's where none was set).
    """
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it; nice is enough then
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _trial(registry: Registry, journal: Journal, options: Options) -> Night | None:
    """What to do with a release on trial; None when there is none, or only a shadow that is in nobody's way."""
    if options.rollout == SHADOW and (shadow := registry.followed(SHADOW)) is not None:
        return Night("waiting", f"{shadow} is on trial as a shadow: promote or withdraw it first", release=shadow)
    release = registry.followed(CANARY)
    if release is None or release == registry.resolve(options.channel):
        return None
    begun = journal.rows("select max(time) from audit where action = 'auto' and detail = ?", _began(release))[0][0]
    if begun is None:
        said = f"`sluice model promote {release}` or `sluice model withdraw canary` ends it"
        return Night("waiting", f"{release} is on trial as a canary, by hand: {said}", release=release)
    hours, judged = (time.time() - begun) / HOUR, _judged(journal, release, int(begun // HOUR))
    if hours < drift.DAY or judged < PROVEN:
        told = f"{judged:,} of {PROVEN:,} decisions, {hours:.0f} of {drift.DAY} hours"
        return Night("waiting", f"{release} is on trial as a canary: {told}", release=release)
    registry.promote(release, options.channel)
    registry.withdraw(CANARY)
    journal.audit("auto", f"{release} to {options.channel}: nothing spoke against it in {judged} decisions as a canary")
    told = f"{release} serves everybody now: nothing spoke against it in {judged:,} decisions as a canary"
    return Night("promoted", told, release=release)


def _reason(registry: Registry, journal: Journal, options: Options) -> Night:
    facts = known(journal, registry.resolve(options.channel), time.time())
    worth, why = decide(facts)
    psi = facts.furthest.psi if facts.furthest else None
    if worth and not options.flows and not (options.state / "captures").is_dir():
        worth, why = False, f"{why}, but no captures to learn from"
    return Night("learned" if worth else "none", why, facts.labels, facts.fresh, psi)


def known(journal: Journal, release: str, now: float) -> Facts:
    """What is known of the site at `now` (Unix seconds)."""
    query = "select max(time) from audit where action = 'finetune' and detail not like 'dry run%'"
    last = journal.rows(query)[0][0]
    told = [row.time for row in journal.labels().values() if row.weight >= SURE]
    fresh = [moment for moment in told if last is None or moment > last]
    return Facts(
        labels=len(told),
        fresh=len(fresh),
        waiting=(now - min(fresh)) / _DAY if fresh else 0.0,
        learned=None if last is None else (now - last) / _DAY,
        figures=tuple(drift.summary(journal, release, now=now)),
    )


def _rollout(registry: Registry, journal: Journal, options: Options, percent: float) -> str:
    """The roll-out asked for; where the site decides, a canary if it is expected to be judged within three days."""
    if options.rollout != SUITED:
        return options.rollout
    now, share = time.time(), percent / 100.0
    daily = _judged(journal, registry.resolve(options.channel), int((now - _DAY) // HOUR))
    enough = 3 * daily * share >= PROVEN and clients(options.state / "captures", now - _DAY) * share >= FEWEST
    return CANARY if enough else DIRECT


def _learn(night: Night, journal: Journal, options: Options, run: Callable[[Options], Outcome]) -> Night:
    try:
        outcome = night.outcome = run(replace(options, rollout=night.rollout))
    except NothingToLearn as error:
        return Night("none", f"{night.why}, but {error}", night.labels, night.fresh, night.psi)
    night.release = outcome.release
    if not outcome.passed:
        night.action = "refused"
    elif outcome.promoted and night.rollout == CANARY:
        journal.audit("auto", _began(outcome.release or ""))
    return night


def _began(release: str) -> str:
    return f"{release} to {CANARY}"


def _judged(journal: Journal, release: str, since: int) -> int:
    """Decisions of a release since an hour, over all phases and workers."""
    tallies = Tallies(journal)
    return sum(rows for phase in drift.PHASES for hour, rows in tallies.hours(release, phase, SCORE) if hour >= since)
