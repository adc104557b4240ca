"""`sluice train` and `sluice evaluate`. Torch, scikit-learn and matplotlib are imported only when they are needed."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifier.errors import UserError
from classifier.options import STATE, State
from classifier.training.datasets import commands as datasets

if TYPE_CHECKING:
    from classifier.training.evaluation.judging import Outcome


class Size(StrEnum):
    """Sizes of the network."""

    SMALL = "small"
    LARGE = "large"


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(train)
    app.command()(evaluate)
    datasets.register(app)


def train(
    corpus: Annotated[Path, typer.Option(help="The folder of corpora: http/, url/, flows/.")],
    out: Annotated[Path, typer.Option(help="The release folder to write; a run cut short goes on from it.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows and the same start.")] = 0,
    size: Annotated[Size, typer.Option(help="`large` is a wider network for proxies with a GPU.")] = Size.SMALL,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the weights of this release, measure thresholds anew.")
    ] = None,
) -> None:
    """Train a base model from corpora. On two CPU cores this takes up to an hour, or many with `--size large`."""
    try:
        from classifier.training.network import LARGE, Config
        from classifier.training.train import Settings, main, renew
    except ModuleNotFoundError as error:
        raise UserError(f"training needs the extra 'train' ({error.name} is not installed): make setup") from None
    if weights is not None:
        typer.echo(renew(corpus, out, weights, Settings(seed=seed)))
        return
    network = LARGE if size is Size.LARGE else Config()
    typer.echo(main(corpus, out, Settings(seed=seed, network=network)))


def evaluate(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILES…", help="JSON lines with `label` and, if you like, `source`.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="ID|PATH", help="A release or a model file; repeat it to compare.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="Judge the held-out sources of these corpora too.")] = None,
    baseline: Annotated[bool, typer.Option("--baseline", help="Beside TF-IDF and logistic regression.")] = False,
    baseline_rows: Annotated[int, typer.Option(min=2, help="Training rows of the baseline; mind the memory.")] = 60_000,
    evasions: Annotated[
        bool, typer.Option("--evasions", help="Rewrite attacks as evaders do, and score again.")
    ] = False,
    against: Annotated[
        str, typer.Option(metavar="crs", help="Beside ModSecurity with the OWASP Core Rule Set, if it is installed.")
    ] = "",
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with tables, curves, errors.")] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the model card, as Markdown.")] = None,
    state: State = STATE,
) -> None:
    """Say how good a model is, source by source, with intervals and at low false-positive rates.

    What cannot be read or has no label is named on standard error, and the exit code is 1 then.
    """
    _check(files or [], corpus, baseline, against, [path for path in (json, html, card) if path])
    from classifier.training.evaluation import judging as evaluation

    rows = baseline_rows if baseline else 0
    if rows:
        typer.echo(f"fitting the baseline to at most {rows} training rows …", err=True)
    inputs = evaluation.Inputs(files or [], model or [], corpus, rows, evasions, against, html is not None, state)
    outcome = evaluation.run(inputs)
    for where, reason in outcome.bad:
        typer.echo(f"{where}: {reason}", err=True)
    if outcome.evaluation.rows:
        _write(outcome, json, html, card)
    if outcome.bad or not outcome.evaluation.rows:
        raise UserError(f"{len(outcome.bad)} of the inputs are no labelled flows", exit_code=1)


def _write(outcome: "Outcome", json: Path | None, html: Path | None, card: Path | None) -> None:
    from classifier.training.evaluation import card as cards
    from classifier.training.evaluation import figures, page, report

    report.show(outcome.evaluation)
    if json:
        json.write_bytes(figures.encode(outcome.evaluation))
    if html:
        page.write(html, outcome.evaluation, outcome.judgement, outcome.cases)
    if card:
        card.write_text(cards.render(outcome.evaluation, outcome.served.card), "utf-8")


def _check(files: list[Path], corpus: Path | None, baseline: bool, against: str, outputs: list[Path]) -> None:
    """Notice mistakes before the work, not after it."""
    if not files and corpus is None:
        raise UserError("nothing to evaluate: name files of labelled flows, or --corpus DIR")
    if baseline and corpus is None:
        raise UserError("--baseline is trained on corpora: add --corpus DIR")
    if against not in ("", "crs"):
        raise UserError(f"--against {against} is not known; there is --against crs")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UserError(f"no such file: {', '.join(missing)}")
    for path in outputs:
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise UserError(f"cannot write {path}: its folder does not exist, or it is a folder itself")
