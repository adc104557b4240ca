"""`sluice finetune run`: adapt the model to the site and let the gates decide."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from classifier.errors import UserError
from finetune.strategies import names

if TYPE_CHECKING:
    from finetune.pipeline import Outcome

REFUSED: Final = 3
EXTRA: Final = ("torch", "onnx", "safetensors")
"""What the extra `train` brings."""


def register(app: typer.Typer) -> None:
    """Add the `finetune` commands to the root."""
    group = typer.Typer(no_args_is_help=True, help="Adapt the model to the traffic of the site it protects.")
    group.command("run")(run)
    app.add_typer(group, name="finetune")


def run(
    flows: Annotated[
        list[Path] | None, typer.Option(help="Flows to learn from (captures, JSON lines, HAR, mitmproxy dump, pcap).")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help='Labels, one {"id", "label"} a line.')] = None,
    strategy: Annotated[str, typer.Option(help=f"WAY[+PART…]: {', '.join(names.WAYS)}.")] = names.DEFAULT,
    state: Annotated[Path, typer.Option(help="State directory.")] = Path("state"),
    config: Annotated[Path | None, typer.Option(help="Configuration file (default: sluice.toml).")] = None,
    rollout: Annotated[str, typer.Option(help="How a passed release goes live: direct.")] = "direct",
    promote: Annotated[bool, typer.Option("--promote/--no-promote", help="Serve the release when it passes.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Learn from captured flows and labels; publish the result when every gate passes (exit code 3: refused)."""
    names.parse(strategy)
    if rollout != "direct":
        raise UserError(f"--rollout {rollout} is not supported yet: use direct")
    outcome = _run(flows or [], labels, strategy, state, config, promote, seed)
    _print_json(outcome) if as_json else _print(outcome)
    if not outcome.passed:
        raise typer.Exit(REFUSED)


def _run(
    flows: list[Path], labels: Path | None, strategy: str, state: Path, config: Path | None, promote: bool, seed: int
) -> "Outcome":
    from finetune import settings

    found = settings.load(config)
    try:
        from finetune import pipeline
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise UserError(
            f"fine-tuning needs {error.name}: install the extra, `pip install sluice-proxy[train]`"
        ) from None
    options = pipeline.Options(
        state=state,
        flows=flows,
        labels=labels,
        strategy=strategy,
        registry=found.registry,
        corpus=found.corpus,
        channel=found.channel,
        promote=promote,
        seed=seed,
    )
    return pipeline.run(options)


def _print_json(outcome: "Outcome") -> None:
    import msgspec

    print(msgspec.json.encode(outcome).decode())


def _print(outcome: "Outcome") -> None:
    for gate in outcome.gates:
        told = f"{gate.value:.4g} [{gate.low:.4g}, {gate.high:.4g}] limit {gate.limit:.4g}"
        told = gate.note if gate.needed and not gate.high else f"{told}  {gate.note}".rstrip()
        print(f"{'pass' if gate.passed else 'FAIL'}  {gate.name:<16}  {told}")
    if outcome.release is None:
        refused = ", ".join(gate.name for gate in outcome.gates if not gate.passed)
        print(f"refused by {refused}; the model in service stays ({outcome.seconds:.0f} s)")
    else:
        served = "promoted" if outcome.promoted else f"not promoted: `sluice model promote {outcome.release}`"
        print(f"release {outcome.release} {served} ({outcome.seconds:.0f} s)")
