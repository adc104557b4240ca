"""`sluice label ID LABEL`: say what a flow is, for the next fine-tuning."""

from typing import Annotated

import typer

from classifier.options import STATE, State
from classifier.records import LABELS


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(label)


def label(
    flow: Annotated[str, typer.Argument(metavar="ID", help="The flow's id, as `sluice score` or the proxy gave it.")],
    name: Annotated[str, typer.Argument(metavar="LABEL", help=f"One of {', '.join(LABELS)}.")],
    weight: Annotated[float, typer.Option(min=0.0, max=1.0, help="How sure you are, 0 to 1.")] = 1.0,
    state: State = STATE,
) -> None:
    """Say what a flow is, for the next fine-tuning. A later label of the same flow replaces the earlier."""
    from classifier.journal import Journal

    Journal(state / "sluice.db").label(flow, name, weight)
    typer.echo(f"{flow} is {name}")
