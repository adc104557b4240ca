"""`sluice model`: which releases there are, what is in them, and which one is served (`diff` is the proxy's)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classifier.errors import UserError
from classifier.options import STATE, Json, State

if TYPE_CHECKING:
    from classifier.registry import Registry, Release

group = typer.Typer(name="model", help="List, inspect, verify, promote, roll back, export and import model releases.")

Channel = Annotated[str, typer.Option("--channel", help="Which channel: stable, canary or shadow.")]
Name = Annotated[str, typer.Argument(metavar="RELEASE", help="A release id; `sluice model ls` lists them.")]
Trial = Annotated[str, typer.Argument(metavar="CHANNEL", help="canary or shadow.")]
Target = Annotated[Path, typer.Argument(metavar="FILE", help="The file of an exported release.")]
Served = Annotated[str, typer.Argument(metavar="[RELEASE]", help="A release id; by default the stable one.")]


def register(app: typer.Typer) -> None:
    """Add `sluice model` to the root."""
    app.add_typer(group)


@group.command("ls")
def ls(state: State = STATE, as_json: Json = False) -> None:
    """List the releases, oldest first, and the channels that follow them."""
    releases = _registry(state).list()
    if as_json:
        import msgspec

        print(json.dumps([msgspec.to_builtins(release) for release in releases]))
    elif releases:
        _table(releases)
    else:
        print("no releases; `sluice train` makes the first")


@group.command("show")
def show(release: Served = "", state: State = STATE, as_json: Json = False) -> None:
    """Show a release's lineage, metrics and operating points."""
    registry = _registry(state)
    shown = registry.show(release or registry.resolve())
    print(json.dumps(shown) if as_json else "\n".join(_lines(shown)))


@group.command("verify")
def verify(release: Served = "", state: State = STATE, as_json: Json = False) -> None:
    """Check a release's signature and files, and prove that its model can serve."""
    registry = _registry(state)
    name = registry.load(release or registry.resolve(), "cpu").release
    _done({"release": name, "verified": True}, f"{name}: signature, files and model are fine", as_json)


@group.command("promote")
def promote(release: Name, channel: Channel = "stable", state: State = STATE, as_json: Json = False) -> None:
    """Serve a release: a running proxy swaps to it by itself."""
    registry = _registry(state)
    registry.load(release, "cpu")  # what could not serve is better refused here than by every proxy
    registry.promote(release, channel)
    _done({"release": release, "channel": channel}, f"{channel} now follows {release}", as_json)


@group.command("rollback")
def rollback(channel: Channel = "stable", state: State = STATE, as_json: Json = False) -> None:
    """Serve again what was served before the last promotion."""
    release = _registry(state).rollback(channel)
    _done({"release": release, "channel": channel}, f"{channel} now follows {release} again", as_json)


@group.command("withdraw")
def withdraw(channel: Trial, state: State = STATE, as_json: Json = False) -> None:
    """End the trial of a release: the channel follows nothing afterwards."""
    release = _registry(state).withdraw(channel)
    _done({"release": release, "channel": channel}, f"{channel} no longer follows {release}", as_json)


@group.command("export")
def export(release: Name, file: Target, state: State = STATE, as_json: Json = False) -> None:
    """Write a release into one signed file that another site can import."""
    from classifier import parcel

    files = _registry(state).pack(release)
    parcel.write(file, files)
    key = state / "keys" / "release.pub"
    text = (
        f"{file}: {release}, {sum(map(len, files.values())) / 1e6:.1f} MB; the other site needs {key} in keys/trusted/"
    )
    _done({"release": release, "file": str(file), "key": str(key)}, text, as_json)


@group.command("import")
def import_(file: Target, state: State = STATE, as_json: Json = False) -> None:
    """Take in a release that another site exported. Its key must lie in this state's keys/trusted/."""
    from classifier import parcel
    from classifier.card import ModelRefused

    try:
        release = _registry(state).adopt(parcel.read(file))
    except ModelRefused as error:
        trusted = state / "keys" / "trusted"
        hint = f"; if you trust its maker, put the maker's keys/release.pub into {trusted}"
        raise UserError(f"{file}: {error}{hint if error.reason == 'signature' else ''}") from None
    _done({"release": release}, f"{release} imported; `sluice model promote {release}` serves it", as_json)


def _registry(state: Path) -> "Registry":
    from classifier.registry import Registry

    return Registry(state)


def _done(result: dict[str, Any], text: str, as_json: bool) -> None:
    print(json.dumps(result) if as_json else text)


def _table(releases: "Sequence[Release]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    # an id that is cut short cannot be promoted: the rest may wrap, ids may not
    whole = [Column(title, no_wrap=True, min_width=21) for title in ("release", "parent")]
    made = Column("created (UTC)", no_wrap=True)
    table = Table(whole[0], made, whole[1], "channels", box=None, pad_edge=False)
    for release in releases:
        note = release.problem or ("shipped" if release.shipped else "")
        when = release.created[:16].replace("T", " ")
        table.add_row(release.release, when, release.parent, "; ".join(filter(None, [*release.channels, note])))
    Console().print(table)


def _lines(shown: dict[str, Any]) -> list[str]:
    """The fields that fit on a line each, then the threat thresholds."""
    plain = [f"{name}: {value}" for name, value in shown.items() if isinstance(value, str | float | int) and value]
    listed = [f"{name}: {', '.join(shown[name])}" for name in ("channels", "labels", "files") if shown[name]]
    metrics = [f"metrics: {json.dumps(shown['metrics'])}"] if shown["metrics"] else []
    points = [
        f"{key} threat at {rate}: {point['threshold']:.4f} (false-positive rate at most {point['upper_bound']:.2g})"
        for key, labels in sorted(shown["operating_points"].items())
        for rate, point in labels.get("threat", {}).items()
    ]
    return plain + listed + metrics + points
