"""`sluice score FILE…`: judge recorded flows with any release, without a proxy (see `classifier.offline`)."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from classifier.errors import UserError
from classifier.options import STATE, State

if TYPE_CHECKING:
    from rich.progress import Progress

STDIN: Final = "-"
_COLOURS: Final = {"block": "red", "flag": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(score)


def score(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="JSON lines, HAR, mitmproxy dump or pcap; - is standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a flow, one flow a line.")] = False,
    model: Annotated[str, typer.Option(metavar="ID|PATH", help="A release or a model file.")] = "",
    config: Annotated[Path | None, typer.Option(help="Take actions under the policy of this sluice.toml.")] = None,
    state: State = STATE,
) -> None:
    """Judge recorded flows: what each is, how much of a threat, and what the policy would do.

    What cannot be read is named on standard error, and the exit code is 1 then.
    """
    from classifier.offline import chunks, run, source

    _check(files)
    flows = bad = 0
    seen: Counter[str] = Counter()
    with _progress(files) as progress:
        for result in run(source(model, state, config), chunks(files)):
            for where, reason in result.bad:
                progress.console.print(f"{where}: {reason}", markup=False, highlight=False, soft_wrap=True)
            bad += len(result.bad)
            if as_json:
                sys.stdout.buffer.write(result.lines)
                sys.stdout.buffer.flush()
            else:
                seen += _table(result.lines)
            flows += result.count
            progress.update(progress.task_ids[0], advance=result.size, flows=flows)
    if not as_json:
        typer.echo(", ".join(f"{count} {action}" for action, count in seen.most_common()) or "no flows")
    if bad:
        typer.echo(f"sluice: {bad} of the inputs could not be judged", err=True)
        raise typer.Exit(1)


def _check(files: list[str]) -> None:
    """Notice a mistyped name before hours of work, not after."""
    missing = [name for name in files if name != STDIN and (not Path(name).exists() or Path(name).is_dir())]
    if missing:
        raise UserError(f"no such file: {', '.join(missing)}")


@contextmanager
def _progress(files: list[str]) -> "Iterator[Progress]":
    """A bar on standard error, only where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    total = None if STDIN in files else sum(Path(name).stat().st_size for name in files)
    columns = TextColumn("judging"), BarColumn(), TextColumn("{task.fields[flows]} flows"), TimeRemainingColumn()
    # Rich would otherwise catch what is written to standard output, which is the result.
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), redirect_stdout=False) as progress:
        progress.add_task("judging", total=total or None, flows=0)
        yield progress


def _table(lines: bytes) -> "Counter[str]":
    """Print verdicts for people to read; how many flows met which action."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    rows = [msgspec.json.decode(line) for line in lines.splitlines()]
    if rows:
        table = Table("id", "kind", "phase", "label", "threat", "action")
        for row in rows:
            values = [row["id"], row["kind"], row["phase"], row["label"], f"{row['threat']:.4f}", row["action"]]
            table.add_row(*map(_plain, values), style=_COLOURS.get(row["action"]))
        Console().print(table)
    return Counter(row["action"] for row in rows)


def _plain(value: str) -> str:
    """Ids come from files: neither rich's markup nor a terminal's escapes may act."""
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value))
