"""The same encoder on raw sessions: does the architecture transfer beyond requests? (USTC-TFC2016 and its like.)

    python -m classifier.training.sessions TRAIN [TEST] [--json] [--baselines] [--seed N] [--epochs N]

TRAIN and TEST are Parquet files with `payload` and `label`. A session's first bytes are one segment of tokens;
no address, port, protocol or length is given. Without TEST a part of TRAIN is judged, split by server and
without duplicates.
"""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import torch
import typer

from classifier.errors import UserError
from classifier.evaluate import Bools, Ints
from classifier.training.arrays import Arrays, Shuffle, batch_of
from classifier.training.fit import Group, fit
from classifier.training.network import Config, Network
from classifier.training.progress import Bar
from classifier.training.sessions import payloads, trees
from classifier.training.sessions.payloads import Sessions

EPOCHS: Final = 2
BATCH: Final = 128
RATE: Final = 2e-3
ALL: Final = "all"

Told = npt.NDArray[np.str_]
Parts = dict[str, Bools]


def report(train: Sessions, test: Sessions, *, seed: int, epochs: int, baselines: bool) -> dict[str, Any]:
    """Train on `train`, judge on `test`: the object that `--json` prints."""
    begun = time.monotonic()
    told = predict(learn(train, seed, epochs), test, np.unique(train.labels))
    seconds = time.monotonic() - begun
    masks = dict(payloads.parts(test, train))
    found: dict[str, dict[str, Any]] = {}
    if baselines:
        with Bar("Trees", 2 * len(trees.WIDTHS)) as bar:
            for name, theirs in trees.predictions(train, test, seed, bar.at):
                found[name] = figures(test.labels, theirs, masks)
    return {
        **figures(test.labels, told, masks),
        "per_class": per_class(test.labels, told),
        "baselines": found,
        "train_rows": len(train),
        "epochs": epochs,
        "seed": seed,
        "seconds": round(seconds, 1),
    }


def learn(train: Sessions, seed: int = 0, epochs: int = EPOCHS) -> Network:
    """Fit a new network to all rows; its outputs are the labels in sorted order."""
    classes, place = np.unique(train.labels, return_inverse=True)
    torch.manual_seed(seed)
    network = Network(config(len(classes)))
    batches = Shuffle(arrays(train, place, len(classes)), np.arange(len(train)), BATCH, seed)
    steps = epochs * batches.per_epoch
    with Bar("Training", steps) as bar:
        moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
        fit(network, [Group(moving, RATE)], batches, steps=steps, seed=seed, progress=bar.at)
    return network


def config(outputs: int) -> Config:
    """The sizes of the base model with other ends: these outputs, no numbers, one segment (0 is padding)."""
    return Config(outputs=outputs, numbers=0, groups=(0, 1), fold_case=False)


def arrays(sessions: Sessions, place: Ints, classes: int) -> Arrays:
    """Sessions as rows of the training loop; `place` [N] is each row's output."""
    raw = np.frombuffer(b"".join(sessions.payloads), np.uint8)
    count = len(sessions)
    return Arrays(
        raw.astype(np.uint16) + 256,  # segment 1: a zero byte is a token, 0 is padding
        np.cumsum([0, *map(len, sessions.payloads)], dtype=np.int64),
        np.zeros((count, 0), np.float32),
        np.eye(classes, dtype=np.bool_)[place],
        np.ones(count, np.float32),
        np.zeros(count, np.bool_),
    )


def predict(network: Network, sessions: Sessions, classes: Told) -> Told:
    """The likeliest label of each row."""
    rows = arrays(sessions, np.zeros(len(sessions), np.int64), len(classes))
    order = np.argsort(np.diff(rows.ends), kind="stable")  # like lengths together: little padding
    told = np.zeros(len(sessions), np.int64)
    network.eval()
    with torch.no_grad(), Bar("Judging", len(sessions)) as bar:
        for start in range(0, len(order), 2 * BATCH):
            chosen = order[start : start + 2 * BATCH]
            batch = batch_of(rows, chosen)
            told[chosen] = network(batch.tokens, batch.numbers)[0].argmax(1).numpy()
            bar.at(start + len(chosen))
    return classes[told]


def figures(labels: Told, told: Told, masks: Parts) -> dict[str, Any]:
    """Accuracy and macro F1 over all rows and over each part."""
    return {
        **_score(labels, told),
        "by_part": {name: _score(labels[mask], told[mask]) for name, mask in masks.items()},
    }


def per_class(labels: Told, told: Told) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and rows of each class that has rows. A class never told has precision 0."""
    found = {}
    for label in np.unique(labels):
        right = int(((labels == label) & (told == label)).sum())
        rows, claimed = int((labels == label).sum()), int((told == label).sum())
        found[str(label)] = {
            "precision": right / max(1, claimed),
            "recall": right / rows,
            "f1": 2 * right / (rows + claimed),
            "rows": rows,
        }
    return found


def _score(labels: Told, told: Told) -> dict[str, Any]:
    """Macro F1: the mean over the classes that have rows here; None for no rows."""
    classes = [one["f1"] for one in per_class(labels, told).values()]
    return {
        "accuracy": float((labels == told).mean()) if len(labels) else None,
        "macro_f1": sum(classes) / len(classes) if classes else None,
        "rows": len(labels),
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures as tables."""
    systems = {"encoder": found, **found["baselines"]}
    names = [ALL, *found["by_part"]]
    print(f"{'':28}" + "".join(f"{name:>24}" for name in names))
    print(f"{'rows':28}" + "".join(f"{_part(found, name)['rows']:>24}" for name in names))
    for system, figures in systems.items():
        cells = [f"{_text(_part(figures, name))}" for name in names]
        print(f"{system:28}" + "".join(f"{cell:>24}" for cell in cells))
    print("\n(accuracy / macro F1)\n")
    for label, one in found["per_class"].items():
        print(f"{label:28}{one['rows']:>8}{one['precision']:>8.3f}{one['recall']:>8.3f}{one['f1']:>8.3f}")
    print(f"\n{found['train_rows']} training rows, {found['epochs']} epochs, {found['seconds']} s")


def _part(figures: dict[str, Any], name: str) -> dict[str, Any]:
    part: dict[str, Any] = figures if name == ALL else figures["by_part"][name]
    return part


def _text(part: dict[str, Any]) -> str:
    return f"{part['accuracy']:.4f} / {part['macro_f1']:.4f}" if part["rows"] else "-"


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def run(
    train: Annotated[Path, typer.Argument(help="Parquet with payload and label, to learn from.")],
    test: Annotated[Path | None, typer.Argument(help="The like, to judge by; by default a part of TRAIN.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    baselines: Annotated[bool, typer.Option("--baselines", help="Beside decision trees and random forests.")] = False,
    seed: Annotated[int, typer.Option(help="Of the split, the start and the order of rows.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training rows.")] = EPOCHS,
) -> None:
    """Train the encoder on raw sessions and say how well it tells others apart."""
    rows = payloads.read(train)
    if test is None:
        learned, judged = payloads.split(rows, seed)
        rows, asked = rows.take(learned), rows.take(judged)
    else:
        asked = payloads.read(test)
    found = report(rows, asked, seed=seed, epochs=epochs, baselines=baselines)
    if as_json:
        print(json.dumps(found))
    else:
        show(found)


def main() -> None:
    """Run the command line. A `UserError` becomes one line on stderr and its exit code."""
    try:
        app()
    except UserError as error:
        print(f"sessions: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
