"""The model card, from a saved evaluation and the model file: no figure in it is typed.

    python -m classifier.training.evaluation.card docs/evaluation/base.json classifier/base/model.onnx > MODEL_CARD.md

The prose lies in `card.md`, with `{{name}}` where something computed goes.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from classifier.artifact import read_card
from classifier.card import ModelCard, OperatingPoint
from classifier.records import LABELS
from classifier.thresholds import BLOCK_AT, FIRM, FLAG_AT, THREAT
from classifier.training.corpus import TABLES
from classifier.training.evaluation import tables
from classifier.training.evaluation.baseline import NAME as BASELINE
from classifier.training.evaluation.baseline import TERMS
from classifier.training.evaluation.figures import Evaluation, decode
from classifier.training.evaluation.sources import NOMINAL
from classifier.training.evaluation.tables import Table

PROSE: Final = Path(__file__).with_name("card.md")
_HOLE: Final = re.compile(r"\{\{(\w+)\}\}")
_DIGEST: Final = 16
"""Characters of a digest that are shown."""


def render(evaluation: Evaluation, card: ModelCard) -> str:
    """The card as Markdown. `evaluation`'s first system is the model that `card` belongs to."""
    parts: dict[str, Callable[[], str]] = {
        "release": lambda: evaluation.systems[0].release,
        "labels": lambda: ", ".join(map(str, LABELS)),
        "label_count": lambda: str(len(LABELS)),
        "files": lambda: _files(evaluation),
        "targets": lambda: markdown(tables.targets(evaluation)) or "This evaluation was saved without targets.",
        "data": lambda: _data(card),
        "training": lambda: _training(card),
        "points": lambda: markdown(points(card)),
        "flag_at": lambda: FLAG_AT,
        "block_at": lambda: BLOCK_AT,
        "firm": lambda: f"{FIRM:g}",
        "command": lambda: _command(evaluation.settings),
        "rows": lambda: f"{evaluation.rows:,}",
        "beside": lambda: _beside(evaluation),
        "results": lambda: "\n\n".join(_results(evaluation)),
    }
    return _HOLE.sub(lambda hole: parts[hole[1]](), PROSE.read_text("utf-8"))


def points(card: ModelCard) -> Table:
    """The threat's operating points by kind and phase."""
    rows = [
        [key, *(_point(named.get(THREAT, {}).get(rate)) for rate in NOMINAL)]
        for key, named in sorted(card.operating_points.items())
    ]
    return Table("", "", ["kind/phase", *(f"threat at {rate}" for rate in NOMINAL)], rows)


def markdown(table: Table) -> str:
    """A table as Markdown; empty without rows."""
    if not table.rows:
        return ""
    lines = [list(table.headings), ["---"] * len(table.headings), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _point(point: OperatingPoint | None) -> str:
    return f"{point.threshold:.4f} (≤ {point.upper_bound:.2g})" if point else ""


def _files(evaluation: Evaluation) -> str:
    system = evaluation.systems[0]
    told = [f"`{name}` is {size / 1e6:.1f} MB" for name, size in system.bytes.items()]
    if system.microseconds is not None:
        told.append(f"a request of the evaluation takes {system.microseconds:.0f} µs (median, alone, on one core)")
    return f"{'; '.join(told)}." if told else "Sizes and times were not taken in this evaluation."


def _data(card: ModelCard) -> str:
    held = _held_out(card)
    rows = [
        [name, f"`{TABLES.get(name, name)}`", f"`{digest[:_DIGEST]}…`", held.get(name, "")]
        for name, digest in card.data.items()
    ]
    return markdown(Table("", "", ["table", "file in the corpus folder", "SHA-256", "held out whole"], rows))


def _held_out(card: ModelCard) -> dict[str, str]:
    """Table → sources, from the notes that training wrote: `Held out: table: a, b; table: c`."""
    listed = card.notes.partition("Held out: ")[2]
    pairs = (part.partition(": ") for part in listed.split("; ") if ": " in part)
    return {name: sources for name, _, sources in pairs}


def _training(card: ModelCard) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {_told(value)}" for name, value in _scalars(card.metrics))
    return f"{card.method[:1].upper()}{card.method[1:]}, {card.created[:10]}. As training reports it: {told}."


def _scalars(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in metrics.items() if isinstance(value, int | float | str))


def _told(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _command(settings: Mapping[str, Any]) -> str:
    rows = settings.get("baseline_rows")
    words = ["sluice evaluate --corpus DIR"]
    words += [f"--baseline --baseline-rows {rows}"] if rows else []
    words += ["--evasions"] if settings.get("evasions") else []
    words += [f"--against {settings['against']}"] if settings.get("against") else []
    return " ".join([*words, "--json FILE"])


def _beside(evaluation: Evaluation) -> str:
    names = [system.name for system in evaluation.systems[1:]]
    told = []
    if BASELINE in names:
        rows = evaluation.settings.get("baseline_rows")
        fitted = f", fitted to the first {rows:,} of the same shuffled rows" if rows else ""
        told.append(f"{BASELINE} is TF-IDF of character n-grams ({TERMS:,} terms) with logistic regression{fitted}.")
    told += [f"Beside the model stands {name}." for name in names if name != BASELINE]
    return " ".join(told) or "Nothing stands beside the model."


def _results(evaluation: Evaluation) -> Iterator[str]:
    yield from _titled("###", tables.summary(evaluation))
    for family in tables.families(evaluation):
        yield f"### {tables.TITLES.get(family, family)}"
        for make in (tables.hostile, tables.harmless, tables.others):
            yield from filter(None, [markdown(make(evaluation, family))])
    yield from _titled("###", tables.phases(evaluation.systems[0]))
    yield from _titled("###", tables.evasions(evaluation, pooled=True))
    yield from _titled("###", tables.ablations(evaluation))


def _titled(level: str, table: Table) -> Iterator[str]:
    if table.rows:
        yield f"{level} {table.title}"
        yield table.note
        yield markdown(table)


if __name__ == "__main__":
    sys.stdout.write(render(decode(Path(sys.argv[1])), read_card(Path(sys.argv[2]))))
