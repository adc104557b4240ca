"""Commands that need a policy: `sluice run`, `sluice policy check|test`, `sluice explain`, …

What is heavy is imported inside the functions, so that `sluice --help` stays quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from classifier.commands.model import group as model
from proxy.bench.commands import bench
from proxy.console.commands import console
from proxy.doctor.commands import doctor

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration; ./sluice.toml where there is one.")]
StateOption = Annotated[Path, typer.Option("--state", help="State directory.", envvar="SLUICE_STATE")]

policy = typer.Typer(no_args_is_help=True, help="Check and try a policy.")


def register(app: typer.Typer) -> None:
    """Add this package's commands to the root."""
    app.command()(run)
    app.command()(explain)
    app.command()(review)
    app.command()(bench)
    app.command()(doctor)
    app.command()(drift)
    app.add_typer(policy, name="policy")
    app.add_typer(console, name="console")


def run(
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    listen: Annotated[str | None, typer.Option(help="Where clients connect, HOST:PORT [127.0.0.1:8080].")] = None,
    admin: Annotated[str | None, typer.Option(help="Metrics and console, HOST:PORT [127.0.0.1:8081].")] = None,
    workers: Annotated[str | None, typer.Option(help="Processes that filter, or auto: one a processor [1].")] = None,
    mode: Annotated[str | None, typer.Option(help="monitor (decide, let pass) or enforce.")] = None,
) -> None:
    """Run the proxy until it is told to stop."""
    from proxy.main import run as start

    start(config, state, {"proxy": {"listen": listen, "admin": admin, "workers": workers}, "policy": {"mode": mode}})


@policy.command()
def check(
    file: Annotated[Path, typer.Argument(help="A sluice.toml.")],
    state: StateOption = Path("state"),
) -> None:
    """Read a configuration and say what it means and what in it is out of date, or everything that is wrong with it."""
    from proxy.check import check as look

    look(file, state)


@policy.command()
def test(
    target: Annotated[str, typer.Argument(help="A URL, a host name, a file as for `sluice score`, or captures.")],
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    client: Annotated[str, typer.Option(help="Address of the client, for flows that name none.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a flow, one flow a line.")] = False,
) -> None:
    """Say what the policy would do with a URL or with recorded traffic, and why. Nothing is enforced or fetched."""
    from proxy.trial import trial

    trial(target, config, state, client=client, as_json=as_json)


@policy.command()
def budget(
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure which block threshold keeps the budget on the site's own traffic, or how much of it is still missing."""
    from proxy.budget import measure

    measure(config, state, as_json)


@policy.command()
def pins(
    state: StateOption = Path("state"),
    forget: Annotated[str, typer.Option(help="Take a server's pins back; * takes all.")] = "",
) -> None:
    """List the servers that pass unread because their clients accept no certificate but their own."""
    from proxy.pins import show

    show(state, forget)


def drift(
    since: Annotated[
        str, typer.Option(help="Compare what came since: 7d, 12h, 30m or a date; by default the last day or more.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the index day by day.")] = None,
    config: ConfigOption = None,
    state: StateOption = Path("state"),
) -> None:
    """Say whether the traffic has moved away from what the model is used to, what moved, and what to do."""
    from proxy.shift import show

    show(since, as_json, html, config, state)


def explain(
    event: Annotated[str, typer.Argument(help="The number on the block page (X-Sluice-Event), or a flow's id.")],
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say why a flow was flagged, blocked or let pass, and which parts of it carried the score."""
    from proxy.explain import explain as show

    show(event, config, state, as_json)


def review(
    limit: Annotated[int, typer.Option(min=1, max=400, help="Flows at most.")] = 40,
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    as_json: Annotated[bool, typer.Option("--json", help="List the queue instead: one JSON array.")] = False,
) -> None:
    """Say what flows are, a key each: users' reports first, then those whose label is worth most."""
    from proxy.asking import ask

    ask(config, state, limit, as_json)


@model.command()
def diff(
    before: Annotated[str, typer.Argument(help="A release id, a model file or a release folder.")],
    after: Annotated[str, typer.Argument(help="The one to compare it with.")],
    flows: Annotated[
        list[Path] | None, typer.Option("--flows", help="Recorded flows; by default the state's captures.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = Path("state"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every change.")] = False,
) -> None:
    """Replay recorded flows through two releases and list the verdicts that change."""
    from proxy.differences import compare

    compare(before, after, flows or [], config, state, as_json)
