"""`sluice finetune compare`: every strategy on the same sites, beside the controls."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from classifier import options
from classifier.errors import UserError
from finetune.strategies import names

if TYPE_CHECKING:
    from finetune.comparison.rows import Result

VARIANTS: Final = (
    *("full+plain", "full+replay", "full+ewc", "full+lwf", "full+replay+wise", "two-stage+replay+ewc"),
    "full+replay+ewc+pu",
)
"""What is compared beside the default and each way's usual parts, to see what the parts are for."""
DEFAULT: Final = ",".join([names.DEFAULT, *(way for way in names.WAYS if way != "from-scratch"), *VARIANTS])
EXTRA: Final = ("torch", "onnx", "safetensors", "sklearn", "matplotlib")


def compare(
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="More sites.")] = None,
    site: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Flows of one site, each with a `label`; repeat it.")
    ] = None,
    base: Annotated[str, typer.Option(metavar="RELEASE|PATH", help="Start from this release or release folder.")] = "",
    labels_n: Annotated[str, typer.Option(metavar="N,…", help="How many flows are labelled.")] = "50,200,1000",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions, each with other labels and grafts.")] = 3,
    strategies: Annotated[str, typer.Option(metavar="NAME,…", help="WAY[+PART…] each, as for `run`.")] = DEFAULT,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write result, plots and a page here; go on from what is there.")
    ] = None,
    state: options.State = options.STATE,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Train every strategy on the same part of labelled traffic and judge it on the rest, beside three controls.

    A run that is cut short goes on when it is started again with the same --out.
    """
    sites = [*(site or []), *(more or [])]
    _check(sites, out)
    counts = _counts(labels_n)
    chosen = [name for name in strategies.split(",") if name]
    for name in chosen:
        names.parse(name)
    result = _run(sites, base, counts, seeds, chosen, out, state, config)
    if out:
        _write(result, out)
    _print_json(result) if as_json else _print(result)


def _run(
    sites: list[Path],
    base: str,
    labels: list[int],
    seeds: int,
    strategies: list[str],
    out: Path | None,
    state: Path,
    config: Path | None,
) -> "Result":
    from finetune import settings

    found = settings.load(config)
    try:
        from finetune.comparison import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise UserError(f"comparing needs {error.name}: install the extra, `pip install sluice-proxy[train]`") from None
    asked = run.Options(
        sites=sites,
        strategies=strategies,
        labels=labels,
        seeds=seeds,
        base=base,
        state=found.registry or state,
        corpus=found.corpus,
        channel=found.channel,
        out=out,
    )
    return run.run(asked)


def _check(sites: list[Path], out: Path | None) -> None:
    """Notice mistakes before the work, not after it."""
    if not sites:
        raise UserError("nothing to compare on: name labelled flows with --site FILE")
    missing = [str(path) for path in sites if not path.exists()]
    if missing:
        raise UserError(f"no such file: {', '.join(missing)}")
    if out:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write to {out}: {error.strerror}") from None
        if not os.access(out, os.W_OK):
            raise UserError(f"cannot write to {out}: make it writable or change --out")


def _counts(text: str) -> list[int]:
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = []
    if not counts or counts[0] < 1:
        raise UserError(f"--labels-n {text}: expected numbers from 1 on, such as 50,200,1000")
    return counts


def _write(result: "Result", out: Path) -> None:
    import msgspec

    from finetune.comparison import page, plots

    (out / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    images = dict(plots.draw(result))
    for name, image in images.items():
        (out / f"{name}.png").write_bytes(image)
    page.write(out / "index.html", result, images)


def _print_json(result: "Result") -> None:
    import msgspec

    print(msgspec.json.encode(result).decode())


def _print(result: "Result") -> None:
    from finetune.comparison import table

    table.show(result)
