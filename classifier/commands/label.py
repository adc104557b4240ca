"""`sluice label`: say what flows are, for the next fine-tuning, one by one or by the alerts of an EVE log."""

from pathlib import Path
from typing import Annotated

import typer

from classifier.errors import UserError
from classifier.options import STATE, State
from classifier.records import LABELS


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(label)


def label(
    flow: Annotated[
        str, typer.Argument(metavar="ID", help="The flow's id, as `sluice score` or the proxy gave it.")
    ] = "",
    name: Annotated[str, typer.Argument(metavar="LABEL", help=f"One of {', '.join(LABELS)}.")] = "",
    weight: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="How sure you are, 0 to 1 (default 1; 0.7 for alerts).")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Label the captures that alerts of an EVE log fit.")
    ] = None,
    state: State = STATE,
) -> None:
    """Say what a flow is, for the next fine-tuning. A later label of the same flow replaces the earlier."""
    if log is not None and not flow:
        _import(log, weight, state)
    elif log is None and flow and name:
        from classifier.journal import Journal

        Journal(state / "sluice.db").label(flow, name, 1.0 if weight is None else weight)
        typer.echo(f"{flow} is {name}")
    else:
        raise UserError(
            "name a flow and its label, or an EVE log: `sluice label ID LABEL`, `sluice label --import FILE`"
        )


def _import(log: Path, weight: float | None, state: Path) -> None:
    """Label captures by alerts; what fits no flow and what has no label is told. Exit code 1 for bad lines."""
    from classifier import alerts, store
    from classifier.importers import BadLine
    from classifier.journal import Journal

    found = list(alerts.read(log))
    bad = [each for each in found if isinstance(each, BadLine)]
    join = alerts.Join(each for each in found if not isinstance(each, BadLine))
    if not join.alerts and not join.unmapped:
        raise UserError(f"no alert in {log}: expected Suricata's EVE log, one JSON event a line")
    journal = Journal(state / "sluice.db")
    labelled = 0
    for row in store.read(state / "captures"):
        alert = join.match(row.record)
        if alert is not None and alert.label is not None and row.record.id:
            said = alerts.WEIGHT if weight is None else weight
            journal.label(row.record.id, alert.label, said, alerts.ORIGIN)
            labelled += 1
    journal.audit("label", f"{labelled} flows by the alerts of {log.name}")
    for line in bad[:5]:
        typer.echo(f"sluice: {line.where}: {line.reason}", err=True)
    typer.echo(f"{labelled:,} flows labelled by alerts; {join.told}")
    if bad:
        typer.echo(f"sluice: {len(bad):,} lines of {log} are no events", err=True)
        raise typer.Exit(1)
