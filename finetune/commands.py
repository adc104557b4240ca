"""`sluice finetune`: adapt the model to the site and let the gates decide."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from classifier.errors import UserError
from classifier.options import STATE, Config, State
from finetune.comparison.commands import compare
from finetune.strategies import names

if TYPE_CHECKING:
    from finetune.auto import Night
    from finetune.gate import Gate
    from finetune.outcome import Options, Outcome

REFUSED: Final = 3
EXTRA: Final = ("torch", "onnx", "safetensors")
"""What the extra `train` brings."""


def register(app: typer.Typer) -> None:
    """Add the `finetune` commands to the root."""
    group = typer.Typer(no_args_is_help=True, help="Adapt the model to the traffic of the site it protects.")
    group.command("run")(run)
    group.command("auto")(auto)
    group.command("compare")(compare)
    app.add_typer(group, name="finetune")


def run(
    flows: Annotated[
        list[Path] | None, typer.Option(help="Flows to learn from (captures, JSON lines, HAR, mitmproxy dump, pcap).")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help='Labels, one {"id", "label"} a line, or an EVE log.')] = None,
    strategy: Annotated[str, typer.Option(help=f"WAY[+PART…]: {', '.join(names.WAYS)}.")] = names.DEFAULT,
    state: State = STATE,
    config: Annotated[Path | None, typer.Option(help="Configuration file (default: sluice.toml).")] = None,
    rollout: Annotated[
        str, typer.Option(help="How a passed release goes live: direct, shadow (judges, decides nothing) or canary.")
    ] = "direct",
    promote: Annotated[bool, typer.Option("--promote/--no-promote", help="Serve the release when it passes.")] = True,
    wrong: Annotated[
        str, typer.Option("--budget", help="Most wrong blocks, such as '1 in 10000' (default: policy.budget).")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge a candidate but publish nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Learn from captured flows and labels; publish the result when every gate passes (exit code 3: refused)."""
    names.parse(strategy)
    outcome = _run(_options(flows or [], labels, strategy, state, config, promote, rollout, wrong, dry_run, seed))
    _print_json(outcome) if as_json else _print(outcome)
    if not outcome.passed:
        raise typer.Exit(REFUSED)


def auto(
    state: State = STATE,
    config: Config = None,
    rollout: Annotated[
        str, typer.Option(help="auto (a canary where there is the traffic to judge one), direct, shadow or canary.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Learn at low priority if new labels or drift justify it; say in a line why or why not (for a nightly timer)."""
    from finetune import settings
    from finetune.auto import SUITED, step_back
    from finetune.auto import auto as decide

    options = _options([], None, names.DEFAULT, state, config, True, rollout, "", False, 0, (SUITED,))
    step_back()
    night = decide(options, settings.load(config).canary_percent, _run)
    if as_json:
        _print_json(night)
    else:
        print(f"{night.action}: {night.why}")
        if night.outcome is not None:
            _print(night.outcome)
    if night.action == "refused":
        raise typer.Exit(REFUSED)


def _options(
    flows: list[Path],
    labels: Path | None,
    strategy: str,
    state: Path,
    config: Path | None,
    promote: bool,
    rollout: str,
    wrong: str,
    dry_run: bool,
    seed: int,
    also: tuple[str, ...] = (),
) -> "Options":
    from finetune import budget, settings
    from finetune.outcome import ROLLOUTS, Options

    if rollout not in (*also, *ROLLOUTS):
        raise UserError(f"unknown --rollout {rollout!r}; one of {', '.join((*also, *ROLLOUTS))}")
    found = settings.load(config)
    return Options(
        state=state,
        flows=flows,
        labels=labels,
        strategy=strategy,
        registry=found.registry,
        corpus=found.corpus,
        channel=found.channel,
        promote=promote,
        rollout=rollout,
        seed=seed,
        thresholds=found.thresholds,
        budget=budget.read(wrong) if wrong else found.budget,
        dry_run=dry_run,
        lists=found.lists,
    )


def _run(options: "Options") -> "Outcome":
    try:
        from finetune import pipeline
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise UserError(
            f"fine-tuning needs {error.name}: install the extra, `pip install sluice-proxy[train]`"
        ) from None
    return pipeline.run(options)


def _print_json(outcome: "Outcome | Night") -> None:
    import msgspec

    print(msgspec.json.encode(outcome).decode())


def _print(outcome: "Outcome") -> None:
    for gate in outcome.gates:
        _print_gate(gate)
    for promise in outcome.promises:
        print(f"{'kept' if promise.kept else 'open'}  {promise.said}")
    if outcome.refused:
        print(f"refused by {', '.join(outcome.refused)}; the model in service stays ({outcome.seconds:.0f} s)")
    elif outcome.release is None:
        print(f"every gate passed; a dry run publishes nothing ({outcome.seconds:.0f} s)")
    else:
        served = "promoted" if outcome.promoted else f"not promoted: `sluice model promote {outcome.release}`"
        print(f"release {outcome.release} {served} ({outcome.seconds:.0f} s)")
    if outcome.report:
        print(f"report: {outcome.report}")


def _print_gate(gate: "Gate") -> None:
    """The verdict in words; beneath it the figures and what is uncertain."""
    print(f"{'pass' if gate.passed else 'FAIL'}  {gate.name:<18}  {gate.said or gate.note}")
    if gate.high or gate.limit:
        figures = f"{gate.value:.4g} [{gate.low:.4g}, {gate.high:.4g}] limit {gate.limit:.4g}"
        print(f"{'':<26}{figures}  {gate.note}".rstrip())
