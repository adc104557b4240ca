"""A benchmark from start to end: processes up, turns taken, figures checked."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from classifier.errors import UserError
from proxy.bench import machine, mix, report, scoring, servers
from proxy.bench.load import Job, Turn
from proxy.bench.servers import Server

WARM: Final = 0.5
"""Seconds of each turn before the figures are taken: new connections, cold caches."""

SCORED: Final = ("scored", "scored_cached")


@dataclass(frozen=True)
class Plan:
    """How much to measure; `releases` is the state directory whose stable release is served (None: the shipped one)."""

    rounds: int
    seconds: float
    connections: int
    releases: Path | None


@dataclass(frozen=True)
class Outcome:
    """Figures by variant, one a round, and what those that score say of themselves."""

    results: dict[str, list[report.Figures]]
    scored: dict[str, scoring.Scoring]


def measure(plan: Plan, progress: Callable[[str], None]) -> Outcome:
    """Run the benchmark; `progress` is told of each turn. Raises UserError when a variant does not work."""
    on_server, on_load = machine.cores()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        with machine.pinned(on_load):
            origin = stack.enter_context(_process("proxy.bench.origin"))
            authority = f"127.0.0.1:{int(_line(origin))}"
            load = stack.enter_context(_process("proxy.bench.load", authority))
        progress("starting")
        with machine.pinned(on_server):
            started = [
                stack.enter_context(servers.running(name, folder, plan.releases, authority))
                for name in servers.available()
            ]
        turns: dict[str, list[Turn]] = {server.name: [] for server in started}
        for number in range(plan.rounds):
            for server in started:
                progress(f"round {number + 1}, {server.name}")
                turns[server.name].append(_turn(load, server, _job(plan, number, server, origin.pid)))
        scored = {server.name: scoring.read(server) for server in started if server.name in SCORED}
    for name, found in scored.items():
        scoring.check(found, sum(turn.answered for turn in turns[name]))
    return Outcome({name: [report.figures(turn) for turn in taken] for name, taken in turns.items()}, scored)


def _job(plan: Plan, number: int, server: Server, origin: int) -> Job:
    """The variants of one round send the same part of the mix; each round begins at another."""
    return Job(
        port=server.place.port,
        connections=plan.connections,
        warm=WARM,
        seconds=plan.seconds,
        first=number * mix.COUNT // plan.rounds,
        watched=[server.pid, origin],
    )


def _turn(load: subprocess.Popen[bytes], server: Server, job: Job) -> Turn:
    assert load.stdin is not None
    load.stdin.write(msgspec.json.encode(job) + b"\n")
    load.stdin.flush()
    turn = msgspec.json.decode(_line(load), type=Turn)
    if turn.wrong or not turn.times:
        problems = ", ".join(f"{problem} ({times}x)" for problem, times in turn.wrong.items()) or "no answers"
        raise UserError(f"{server.name} does not answer as the origin does: {problems}; no figures", exit_code=1)
    return turn


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of our own programs, spoken to in lines."""
    command = [sys.executable, "-m", module, *arguments]
    # A group of its own: Ctrl-C is for us alone, who then end it.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
    with servers.stopping(process), process:
        try:
            yield process
        finally:
            process.terminate()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise UserError("the load generator or the origin has ended; no figures", exit_code=1)
    return line
