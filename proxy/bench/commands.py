"""`sluice bench`. What is heavy is imported inside the functions."""

import contextlib
import json as codec
import signal
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from classifier.errors import UserError

if TYPE_CHECKING:
    from proxy.bench.run import Outcome, Plan

SECONDS: Final = 4.0


class What(StrEnum):
    """What is measured."""

    TRAFFIC = "traffic"
    SCORING = "scoring"
    TLS = "tls"


def bench(
    what: Annotated[What, typer.Argument(help="Whole servers, one record, or new TLS connections.")] = What.TRAFFIC,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each variant.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of a turn.")] = SECONDS,
    connections: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 16,
    state: Annotated[
        Path,
        typer.Option(help="Whose stable release is measured, if it has one.", envvar="SLUICE_STATE"),
    ] = Path("state"),
) -> None:
    """Measure requests per second and latency against stock mitmdump, on loopback.

    Three servers take turns: stock mitmdump, our core without the filter, and the proxy as it is shipped (requests and
    responses scored, captures and metrics on). Compare the ratios; the absolute figures are this machine's, now.
    `scoring` measures in this process what judging one record costs, by stage, size and phase; `tls` what a new
    decrypted connection costs, against stock mitmdump.
    """
    from proxy.bench import machine
    from proxy.bench.run import Plan

    if json is not None:
        _writable(json)
    if what is What.SCORING:
        _scoring(rounds, state, json)
        return
    if what is What.TLS:
        _tls(rounds, seconds, json)
        return
    plan = Plan(rounds, seconds, connections, state if (state / "models").is_dir() else None)
    before = machine.describe()
    for ending in (signal.SIGTERM, signal.SIGHUP):  # so that no server is left behind
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    _show(_measure(plan), plan, before, json)


def _scoring(rounds: int, state: Path, file: Path | None) -> None:
    from rich.console import Console

    from classifier.artifact import Model
    from classifier.offline import source
    from proxy.bench import cost, machine

    found = source("", state)
    model = Model.from_bytes(found.data, "cpu", release=found.release)
    before = machine.describe()
    with _bar(rounds * len(cost.SIZES)) as tell:
        costs = cost.measure(model, rounds, tell)
    if file is not None:
        file.write_text(cost.document(costs, before, model.release), "utf-8")
    print(_machine(before))
    Console(width=None if sys.stdout.isatty() else 120).print(cost.table(costs))
    print(
        f"Processor time of one thread, medians of {rounds * cost.COUNT} flows a line, release {model.release}; body: "
        "bytes of the request's; a response is judged with its request, which was masked and read before."
    )


def _tls(rounds: int, seconds: float, file: Path | None) -> None:
    from proxy.bench import handshakes, machine

    before = machine.describe()
    with _bar(rounds * len(handshakes.VARIANTS)) as tell:
        costs = handshakes.measure(rounds, seconds, tell)
    if file is not None:
        file.write_text(codec.dumps({"variants": costs, "machine": before}, indent=2) + "\n", "utf-8")
    print(_machine(before))
    print("\n".join(handshakes.lines(costs)))


def _measure(plan: "Plan") -> "Outcome":
    from proxy.bench import run, servers

    with _bar(plan.rounds * len(servers.VARIANTS)) as tell:
        return run.measure(plan, tell)


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    """A bar that goes on each time it is told what is done now."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), refresh_per_second=2)
    with bar:
        task = bar.add_task("starting", total=total, completed=-1)
        yield lambda said: bar.update(task, description=said, advance=1)


def _show(outcome: "Outcome", plan: "Plan", before: dict[str, str | int | float], file: Path | None) -> None:
    from rich.console import Console

    from proxy.bench import machine, report

    if file is not None:
        settings = {"rounds": plan.rounds, "seconds": plan.seconds, "connections": plan.connections}
        made = report.document(outcome.results, before, settings=settings, release=outcome.scored.release)
        file.write_text(codec.dumps(made, indent=2) + "\n", "utf-8")
    print(_machine(before))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(report.table(outcome.results))
    for remark in report.remarks(outcome.results, outcome.scored, pinned=bool(machine.cores()[0])):
        print(remark)


def _machine(before: dict[str, str | int | float]) -> str:
    return (
        f"{before['cpu']}, {before['cores']} cores, Python {before['python']}, load {before['load']} before the start"
    )


def _writable(file: Path) -> None:
    """Better refused now than after a minute of measuring."""
    try:
        with file.open("a"):
            pass
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another with --json") from None
