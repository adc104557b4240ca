"""Training rows: the corpora with their traps countered.

Every trap of the corpora is a difference between sources that is no difference between labels. The cure is
the same each time: do to all rows, with the same chances, what only some of them have.

- headers: attacks come with none or two, harmless requests with a browser's → all rows are dressed from the same
  wardrobe, stripped, thinned and shuffled;
- carriers: payload lists are bare values → hostile and harmless values go into the same carriers;
- hosts: exploit templates have none → harmless hosts are lent out, and any row may lose its own;
- addresses: malware lists are full of bare ones, captures of harmless devices of private ones → inside addresses
  (RFC 1918, loopback) are lent to all rows that ask for more than a host, hostile ones as often as harmless ones;
- encodings: attacks are encoded more often → harmless and hostile values are rewritten by the same spellings
  (`rewrites`), attacks by tricks of their own as well;
- length: attacks are short → hostile and harmless requests are padded with the same harmless text (`burying`), and an
  attack keeps the window that holds it;
- responses: only captures have one, and devices answer as C2 servers do → any request may borrow one from a harmless
  capture, hostile flows get harmless answers now and then, and harmless ones the plain answers of C2 servers;
- URLs: harmless ones are bare → the tables' `w_struct` weights, no scheme, no `www`.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from classifier.records import FlowRecord, Label
from classifier.training import synthetic
from classifier.training.corpus import Row, rows
from classifier.training.wardrobe import BURIED, Wardrobe, carried

SYNTHETIC_SHARE: Final = 0.12
"""Synthetic rows, as a share of the rest: they cover what the corpora lack, and teach replay's own traffic."""
CELL: Final = 60_000
"""Rows kept of one source and label."""
SCARCE: Final = frozenset({Label.COMMAND_INJECTION, Label.SSRF_XXE})
"""Labels with few payloads: each is carried three times, others twice."""


def holdout(corpus: Path) -> Iterator[tuple[str, FlowRecord]]:
    """The rows of the held-out sources as (source, labelled record), values put into plain carriers.

    Rows that are known only to be some web attack carry no label and are left out.
    """
    rng = random.Random("holdout")
    for row in rows(corpus):
        if row.part != "holdout" or len(row.labels) != 1:
            continue
        record = carried(row, rng, None) if row.carried else row.record
        yield row.source, msgspec.structs.replace(record, label=row.labels[0])


def training_rows(
    corpus: Path | None,
    seed: int = 0,
    limit: int | None = None,
    *,
    padded: bool = False,
    known: Iterable[Row] | None = None,
) -> Iterator[Row]:
    """Augmented, weighted, shuffled rows of the training sources and of our synthetic traffic.

    Without `corpus` the synthetic traffic alone (`limit` rows of it, 20,000 by default). The same seed
    gives the same rows. `part` is `train` or `val`. With `padded` some requests have their values in a later window:
    for those who keep the window that holds a row's evidence. `known` are the
    corpus's rows where they are read already.
    """
    rng = random.Random(f"rows {seed}")
    read = rows(corpus) if corpus and known is None else known or ()
    plain = [row for row in read if row.part != "holdout"]
    rng.shuffle(plain)
    plain = _capped(plain)[:limit]
    wardrobe = Wardrobe(plain, rng, padded=BURIED if padded else 0.0)
    weights = _balance(plain)
    made = max(1, int(len(plain) * SYNTHETIC_SHARE)) if plain else (limit or 20_000)
    extra = _synthetic(made, seed, wardrobe)
    every = max(1, len(plain) // made)
    for index, row in enumerate(plain):
        for copy in range(_copies(row)):
            changed = wardrobe.wear(row, rng)
            share = 0.5 if copy else 1.0
            yield changed._replace(weight=row.weight * share * weights[_cell(row)])
        if index % every == 0:
            yield from _next(extra)
    yield from extra


def _capped(plain: list[Row]) -> list[Row]:
    """At most `CELL` rows of a source and label: more of the same cost time and teach nothing."""
    seen: Counter[tuple[str, Label]] = Counter()
    kept = []
    for row in plain:
        seen[_cell(row)] += 1
        if seen[_cell(row)] <= CELL:
            kept.append(row)
    return kept


def _cell(row: Row) -> tuple[str, Label]:
    return row.source, row.labels[0]


def _balance(plain: list[Row]) -> dict[tuple[str, Label], float]:
    """Weights that keep a large source from speaking for its label: 1/sqrt(size), mean about 1 over a table."""
    sizes = Counter(map(_cell, plain))
    if not sizes:
        return {}
    typical = sum(size**0.5 for size in sizes.values()) / len(sizes)
    return {cell: min(4.0, max(0.25, typical / size**0.5)) for cell, size in sizes.items()}


def _copies(row: Row) -> int:
    """How often a row is used: a value is seen in several carriers, and spelled in several ways."""
    if not row.carried:
        return 1
    return 3 if row.labels[0] in SCARCE else 2


def _synthetic(count: int, seed: int, wardrobe: Wardrobe) -> Iterator[Row]:
    """Half harmless, half hostile; one in twenty is for validation."""
    rng = random.Random(f"synthetic {seed}")
    streams = (synthetic.benign(seed + 1), synthetic.attacks(seed + 1))
    for index in range(count):
        record = next(streams[index % 2])
        label = record.label or Label.BENIGN
        if label is not Label.BENIGN and record.kind == "http":
            record = wardrobe.move(record, rng)
        row = Row(record, (label,), 1.0, "synthetic:", "val" if index % 40 < 2 else "train")
        yield row if row.part == "val" else wardrobe.pad(row, rng)


def _next(extra: Iterator[Row]) -> Iterator[Row]:
    row = next(extra, None)
    if row is not None:
        yield row
