"""`sluice bench`. What is heavy is imported inside the functions."""

import contextlib
import json as codec
import signal
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from classifier.errors import UserError

if TYPE_CHECKING:
    from proxy.bench.run import Outcome, Plan
    from proxy.bench.scorer import Plan as Batches

SECONDS: Final = 4.0

Device = Literal["auto", "cuda", "cpu"]


class What(StrEnum):
    """What is measured."""

    TRAFFIC = "traffic"
    SCORING = "scoring"
    SCORER = "scorer"
    TLS = "tls"


def bench(
    what: Annotated[
        What, typer.Argument(help="Whole servers, one record, batches (for a GPU), or new TLS connections.")
    ] = What.TRAFFIC,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw requests per second as SVG.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each variant.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of a turn.")] = SECONDS,
    connections: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 16,
    state: Annotated[
        Path,
        typer.Option(help="Whose stable release is measured, if it has one.", envvar="SLUICE_STATE"),
    ] = Path("state"),
    device: Annotated[Device, typer.Option(help="`scorer`: where it runs.")] = "auto",
    model: Annotated[str, typer.Option(metavar="ID|PATH", help="`scorer`: another release or a model file.")] = "",
    rows: Annotated[
        list[int] | None, typer.Option(min=1, help="`scorer`: only this batch size; again for more.")
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="`scorer`: flows a second offered to the queue.")] = 10_000.0,
) -> None:
    """Measure requests per second and latency against stock mitmdump, on loopback.

    Servers take turns: stock mitmdump, our core without the filter, the proxy (requests and responses scored, captures
    and metrics on) without and with its memory of verdicts, and nginx with ModSecurity and the Core Rule Set where that
    is installed. Compare the ratios; the absolute figures are this machine's, now.
    `scoring` measures in this process what judging one record costs, by stage, size and phase, `scorer` how many flows
    a second are judged in batches, how long they wait in a queue, and how far that is from what the device can do.
    `tls` measures what a new decrypted connection costs, against stock mitmdump.
    """
    from proxy.bench import machine
    from proxy.bench.run import Plan

    for file in (json, plot):
        if file is not None:
            _writable(file)
    if what is What.SCORING:
        _scoring(rounds, state, json)
        return
    if what is What.SCORER:
        from proxy.bench.scorer import Plan as Batches

        _scorer(Batches(device, tuple(rows or ()), rate, seconds), model, state, json)
        return
    if what is What.TLS:
        _tls(rounds, seconds, json)
        return
    plan = Plan(rounds, seconds, connections, state if (state / "models").is_dir() else None)
    before = machine.describe()
    for ending in (signal.SIGTERM, signal.SIGHUP):  # so that no server is left behind
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    outcome = _measure(plan)
    if plot is not None:
        from proxy.bench.plot import svg

        plot.write_text(svg(outcome.results, f"sluice bench: {_machine(before)}"), "utf-8")
    _show(outcome, plan, before, json)


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


def _scorer(plan: "Batches", name: str, state: Path, file: Path | None) -> None:
    from rich.console import Console

    from classifier.artifact import Model
    from classifier.offline import source
    from proxy.bench import machine, scorer, sheet

    found = source(name, state)
    model = Model.from_bytes(found.data, plan.device, release=found.release)
    before = machine.describe()
    with _bar(scorer.count(plan)) as tell:
        outcome = scorer.measure(model, found.data, plan, tell)
    if file is not None:
        file.write_text(codec.dumps(scorer.document(outcome, before, plan), indent=2) + "\n", "utf-8")
        file.with_suffix(".svg").write_text(sheet.plot(outcome), "utf-8")
    print(_machine(before))
    Console(width=None if sys.stdout.isatty() else 120).print(sheet.table(outcome))
    print("\n".join(sheet.remarks(outcome)))


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

    with _bar(plan.rounds * len(servers.available())) as tell:
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

    from proxy.bench import crs, machine, report

    if file is not None:
        settings = {"rounds": plan.rounds, "seconds": plan.seconds, "connections": plan.connections}
        made = report.document(outcome.results, before, settings=settings, release=outcome.scored["scored"].release)
        file.write_text(codec.dumps(made, indent=2) + "\n", "utf-8")
    print(_machine(before))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(report.table(outcome.results))
    for remark in report.remarks(outcome.results, outcome.scored, pinned=bool(machine.cores()[0])):
        print(remark)
    if missing := crs.missing():
        print(f"crs is left out: no {missing}; apt-get install {crs.PACKAGES}")


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
        raise UserError(f"cannot write {file}: {error.strerror}; choose another") from None
