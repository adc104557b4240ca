"""`sluice train` and `sluice evaluate`. Torch, scikit-learn and matplotlib are imported only when they are needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifier.errors import UserError

if TYPE_CHECKING:
    from classifier.importers import BadLine
    from classifier.training.measure import Example, System


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command()(train)
    app.command()(evaluate)


def train(
    corpus: Annotated[Path, typer.Option(help="The folder of corpora: http/, url/, flows/.")],
    out: Annotated[Path, typer.Option(help="The release folder to write; a run cut short goes on from it.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows and the same start.")] = 0,
) -> None:
    """Train a base model from corpora. On two CPU cores this takes up to an hour."""
    try:
        from classifier.training.train import Settings, main
    except ModuleNotFoundError as error:
        raise UserError(f"training needs the extra 'train' ({error.name} is not installed): make setup") from None
    typer.echo(main(corpus, out, Settings(seed=seed)))


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
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the table and curves.")] = None,
    state: Annotated[Path, typer.Option(help="The state directory.")] = Path("state"),
) -> None:
    """Say how good a model is, source by source, with intervals and at low false-positive rates.

    What cannot be read or has no label is named on standard error, and the exit code is 1 then.
    """
    from classifier.training import measure, report
    from classifier.training.progress import Bar

    _check(files or [], corpus, baseline, [path for path in (json, html) if path])
    systems = _systems(model or [""], corpus if baseline else None, baseline_rows, state)
    bad: list[BadLine] = []
    with Bar("Judging") as bar:
        judgement = measure.judge(_examples(files or [], corpus, bad), systems, bar)
    for where, reason in bad:
        typer.echo(f"{where}: {reason}", err=True)
    if judgement.sources:
        found = {system.name: measure.reports(judgement, system) for system in systems}
        report.show(found)
        if json:
            pairs = [(system, found[system.name]) for system in systems]
            json.write_bytes(measure.encode(pairs, len(judgement.sources), len(bad)))
        if html:
            report.write_html(html, found, judgement)
    if bad or not judgement.sources:
        raise UserError(f"{len(bad)} of the inputs are no labelled flows", exit_code=1)


def _check(files: list[Path], corpus: Path | None, baseline: bool, outputs: list[Path]) -> None:
    """Notice mistakes before the work, not after it."""
    if not files and corpus is None:
        raise UserError("nothing to evaluate: name files of labelled flows, or --corpus DIR")
    if baseline and corpus is None:
        raise UserError("--baseline is trained on corpora: add --corpus DIR")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UserError(f"no such file: {', '.join(missing)}")
    for path in outputs:
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise UserError(f"cannot write {path}: its folder does not exist, or it is a folder itself")


def _systems(models: list[str], corpus: Path | None, rows: int, state: Path) -> "list[System]":
    from classifier.training.systems import Served

    systems: list[System] = [Served.load(name, state) for name in models]
    if len({system.name for system in systems}) < len(systems):
        raise UserError("a model is named twice; compare two different ones")
    if corpus:
        from classifier.training.baseline import Baseline
        from classifier.training.data import training_rows

        typer.echo(f"fitting the baseline to at most {rows} training rows …", err=True)
        systems.append(Baseline(training_rows(corpus), rows))
    return systems


def _examples(files: list[Path], corpus: Path | None, bad: "list[BadLine]") -> "Iterator[Example]":
    from classifier.training.data import holdout
    from classifier.training.measure import Example, family, read

    yield from read(files, bad)
    if corpus:
        for source, record in holdout(corpus):
            yield Example(source, family(source, record), record)
