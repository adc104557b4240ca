"""`sluice datasets`: which public sources the training tables come from, and building them again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifier.errors import UserError

if TYPE_CHECKING:
    from classifier.training.datasets.build import Report
    from classifier.training.datasets.manifest import Source

ALL = "all labels"
"""Stands in the manifest where a table's rows are known only in sum."""

group = typer.Typer(name="datasets", help="The public sources of the training tables.")

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Repositories already at hand: OWNER__NAME/, .tar.gz or .zip."),
]


def register(app: typer.Typer) -> None:
    """Add `sluice datasets` to the root."""
    app.add_typer(group)


@group.command("ls")
def ls(kept: From = None) -> None:
    """List the sources: table, format, rows the shipped model saw, licence, and which are at hand."""
    from classifier.training.datasets import files, manifest

    rows: list[tuple[str, ...]] = [("source", "table", "format", "rows", "there", "licence", "repository@commit")]
    for source in manifest.load():
        there = [bool(kept and files.locate(kept, pin)) for pin in source.repositories]
        told = "yes" if all(there) else "in part" if any(there) else "no"
        seen = sum(sum(labels.values()) for labels in source.rows.values())
        pins = " ".join(source.pins)
        rows.append((source.name, source.table, source.format, f"{seen:,}", told, source.licence, pins))
    _print(rows)


@group.command("build")
def build(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write: http/, url/, flows/ and the lock.")],
    only: Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="Of this source alone; repeatable.")] = None,
    kept: From = None,
) -> None:
    """Build the training tables from their public sources: fetched at pinned commits, or from `--from`.

    The tables hold what this run built and nothing of an earlier one.
    """
    from classifier.training.datasets import manifest
    from classifier.training.datasets.build import build as run

    sources = manifest.select(manifest.load(), only or [])
    report = run(out, sources, kept)
    _print(account(report, sources))
    for line in complaints(report):
        typer.echo(line, err=True)
    if report.failed:
        raise UserError(f"failed: {len(report.failed)}; the other sources were built", exit_code=1)


def account(report: "Report", sources: "list[Source]") -> list[tuple[str, ...]]:
    """Rows built beside the rows that the shipped model saw of the same sources, by table, source and label."""
    told = {
        (table, _called(source, table), label): count
        for source in sources
        if source.name in report.read
        for table, labels in source.rows.items()
        for label, count in labels.items()
    }
    rows: list[tuple[str, ...]] = [("table", "source", "label", "rows", "trained on", "difference")]
    for key in sorted(told.keys() | report.rows.keys()):
        if key not in told and (*key[:2], ALL) in told:
            continue  # what was trained on is known in sum only
        same = [count for other, count in report.rows.items() if other[:2] == key[:2] and key[2] in (other[2], ALL)]
        built, seen = sum(same), told.get(key, 0)
        rows.append((*key, f"{built:,}", f"{seen:,}", f"{built - seen:+,}"))
    for table in sorted({key[0] for key in told} | {key[0] for key in report.rows}):
        built = sum(count for key, count in report.rows.items() if key[0] == table)
        seen = sum(count for key, count in told.items() if key[0] == table)
        rows.append((table, "all of these", ALL, f"{built:,}", f"{seen:,}", f"{built - seen:+,}"))
    return rows


def complaints(report: "Report") -> list[str]:
    """What was left out and why, a line each."""
    lines = [f"failed: {line}" for line in report.failed]
    for source, bad in report.bad.items():
        if bad:
            lines.append(f"{source}: {len(bad)} parts could not be read, the first: {bad[0]}")
    for names, what in (
        (report.unknown, "skipped, their format is unknown"),
        (report.absent, "not there"),
        (list(dict.fromkeys(report.trusted)), "trusted at first sight, their digests are in the lock now"),
    ):
        if names:
            lines.append(f"{len(names)} sources {what}: {', '.join(names)}")
    return lines


def _called(source: "Source", table: str) -> str:
    """What the table's rows call the source: its name among URLs, else its repository."""
    return source.name if table == "urls" else source.pins[0].split("@")[0]


def _print(rows: list[tuple[str, ...]]) -> None:
    """Columns under each other, the last as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
