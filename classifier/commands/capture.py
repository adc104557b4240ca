"""`sluice capture --live IFACE`: flows that do not pass the proxy, watched where they pass by."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from classifier.errors import UserError
from classifier.options import STATE, State

if TYPE_CHECKING:
    from classifier.importers.live import Sniffer
    from classifier.records import FlowRecord
    from classifier.store import CaptureWriter

STDOUT: Final = Path("-")
_KEPT: Final = 2**62
"""No limit: how long captures are kept is the proxy's business."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Put = Callable[["FlowRecord"], None]


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(capture)


def capture(
    live: Annotated[str, typer.Option("--live", metavar="IFACE", help="The interface to listen on.")],
    bpf: Annotated[str, typer.Option("--filter", metavar="BPF", help="Which packets, as for tcpdump.")] = "",
    seconds: Annotated[float, typer.Option(min=0.0, help="Stop after so long; 0 waits for Ctrl-C.")] = 0.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JSON lines there, - is standard output.")
    ] = None,
    state: State = STATE,
) -> None:
    """Watch an interface and keep the flows that pass by, masked, as captures of the state or as JSON lines."""
    from classifier.importers.live import Sniffer, watch
    from classifier.masking import mask

    flows = 0
    with Sniffer(live, bpf) as sniffer, _stopping(seconds) as stopped, _kept(out, state) as put, _counts() as show:
        for record in watch(sniffer, stopped):
            if record is None:
                show(_said(sniffer, flows))
                continue
            put(mask(record))
            flows += 1
    typer.echo(f"sluice: {_said(sniffer, flows)}", err=True)


def _said(sniffer: "Sniffer", flows: int) -> str:
    said = f"{sniffer.seen:,} packets, {flows:,} flows"
    return f"{said}, {sniffer.dropped:,} packets missed: narrow the filter" if sniffer.dropped else said


@contextmanager
def _stopping(seconds: float) -> Iterator[Callable[[], bool]]:
    """Whether to stop: time is up, Ctrl-C, or asked to terminate."""
    asked: list[int] = []
    end = time.monotonic() + seconds if seconds else float("inf")
    before = {number: signal.signal(number, lambda number, _: asked.append(number)) for number in _SIGNALS}
    try:
        yield lambda: bool(asked) or time.monotonic() >= end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _kept(out: Path | None, state: Path) -> Iterator[Put]:
    """Where records go: JSON lines, or the captures of a state."""
    if out is None:
        from classifier.store import CaptureWriter

        writer = CaptureWriter(state / "captures", worker="live", max_age=float(_KEPT), max_bytes=_KEPT)
        try:
            yield lambda record: _offer(writer, record)
        finally:
            writer.close()
        return
    from classifier.records import to_json

    try:
        number = sys.stdout.fileno() if out == STDOUT else os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}; name a file that does not exist yet") from None
    with open(number, "wb", closefd=out != STDOUT) as file:
        yield lambda record: _write(file, to_json(record))


def _offer(writer: "CaptureWriter", record: "FlowRecord") -> None:
    """Nobody waits for us as for a proxy, so wait for room instead of dropping."""
    from classifier.store import CaptureRow

    while writer.waiting >= writer.limit:
        time.sleep(0.01)
    writer.offer(CaptureRow(record=record))


def _write(file: BinaryIO, line: bytes) -> None:
    file.write(line + b"\n")
    file.flush()  # who reads the other end of a pipe wants it now, and a crash loses nothing


@contextmanager
def _counts() -> Iterator[Callable[[str], None]]:
    """Shows what was counted on standard error, only where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, redirect_stdout=False) as progress:
        task = progress.add_task("listening", total=None)
        yield lambda said: progress.update(task, description=said)
