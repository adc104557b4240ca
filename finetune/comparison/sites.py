"""Site files for a comparison, from whole sources of the corpora: `python -m finetune.comparison.sites`.

    held out       webapp, company, captures, api      of sources that base training never saw: for the result
    --development  tool, blog, browsing, links         of sources that it knows: for choosing constants

Each file is JSON lines with a `label` each. The tables of requests and URLs have no times, so times are made up: a
group of flows (a registered domain, or a skeleton) gets a random hour of one week and its flows follow each other
within it, which makes "newer" mean "other groups", as an unlucky week would. Captures keep their order.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from classifier.errors import UserError
from classifier.records import HARMLESS, FlowRecord, to_json
from classifier.training.corpus import Row, rows
from finetune.comparison.task import grouped

WEEK: Final = 7 * 24
_BEGIN: Final = 1_767_225_600.0
"""Midnight UTC of 1 January 2026."""


class Source(NamedTuple):
    """A source of a table, as `table:name`, and at most how many of its harmless and hostile flows."""

    name: str
    harmless: int
    hostile: int


class Recipe(NamedTuple):
    """What a site is made of."""

    name: str
    sources: tuple[Source, ...]


ALL: Final = 100_000
HELD_OUT: Final = (
    Recipe("webapp", (Source("requests:csic-2010-classifier", ALL, ALL),)),
    Recipe(
        "company",
        (
            Source("urls:citizenlab", 1000, 0),
            Source("urls:iscx2016_benign", 1000, 0),
            Source("urls:octokit_cassettes", 400, 0),
            Source("urls:opendns_top", 600, 0),
            Source("urls:youtubedl_tests", 1000, 0),
            Source("urls:phishtank", 0, 200),
            Source("urls:urlhaus_2018", 0, 100),
            Source("urls:executemalware_iocs", 0, 100),
        ),
    ),
    Recipe("captures", (Source("transactions:Pcaps", ALL, ALL),)),
    Recipe("api", (Source("requests:praw", ALL, ALL),)),
)
DEVELOPMENT: Final = (
    Recipe("tool", (Source("requests:octokit.rb", ALL, ALL),)),
    Recipe("blog", (Source("requests:examples", 3000, 0),)),
    Recipe("browsing", (Source("transactions:compare", ALL, ALL), Source("transactions:mitmproxy", ALL, ALL))),
    Recipe(
        "links",
        (
            Source("urls:ruanyf_weekly", 2000, 0),
            Source("urls:simple_icons", 500, 0),
            Source("urls:rss_feeds", 500, 0),
            Source("urls:ebbu2017", 0, 200),
            Source("urls:eset_iocs", 0, 60),
        ),
    ),
)


def write(corpus: Path, out: Path, recipes: Sequence[Recipe], seed: int = 0) -> Iterator[tuple[Path, int, int]]:
    """Write a file for each recipe; yields its path and its harmless and hostile flows. Raises UserError."""
    wanted = {source.name for recipe in recipes for source in recipe.sources}
    found: dict[str, list[FlowRecord]] = defaultdict(list)
    for row in rows(corpus):
        if row.source in wanted and len(row.labels) == 1 and not row.carried:
            found[row.source].append(_asked(row))
    out.mkdir(parents=True, exist_ok=True)
    for recipe in recipes:
        flows = timed(_drawn(recipe, found, random.Random(f"{recipe.name} {seed}")), random.Random(f"times {seed}"))
        if not flows:
            raise UserError(f"the corpus has no flow for the site {recipe.name}; is it complete?")
        path = out / f"{recipe.name}.jsonl"
        path.write_bytes(b"".join(to_json(flow) + b"\n" for flow in flows))
        harmless = sum(flow.label in HARMLESS for flow in flows)
        yield path, harmless, len(flows) - harmless


def timed(flows: Sequence[FlowRecord], rng: random.Random) -> list[FlowRecord]:
    """The flows with made-up times where they have none, and ids, oldest first."""
    named = [msgspec.structs.replace(flow, id=str(number)) for number, flow in enumerate(flows)]
    groups, _ = grouped(named)
    start = {group: rng.uniform(0, WEEK) for group in sorted(set(groups.values()))}
    placed = [flow if flow.time else _at(flow, start[groups[flow.id]] + rng.random()) for flow in named]
    return sorted(placed, key=lambda flow: flow.time)


def _at(flow: FlowRecord, hours: float) -> FlowRecord:
    return msgspec.structs.replace(flow, time=_BEGIN + 3600 * hours)


def _drawn(recipe: Recipe, found: dict[str, list[FlowRecord]], rng: random.Random) -> list[FlowRecord]:
    chosen: list[FlowRecord] = []
    for source in recipe.sources:
        flows = rng.sample(found[source.name], len(found[source.name]))
        chosen += [flow for flow in flows if flow.label in HARMLESS][: source.harmless]
        chosen += [flow for flow in flows if flow.label not in HARMLESS][: source.hostile]
    return chosen


def _asked(row: Row) -> FlowRecord:
    """The record as a proxy would see it: who lists a URL leaves out the verb."""
    record = row.record
    return record if record.method or record.phase == "connect" else msgspec.structs.replace(record, method="GET")


def main(arguments: Iterable[str] | None = None, say: Callable[[str], object] = print) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m finetune.comparison.sites", description="Write site files.")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with http/, url/ and flows/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--development", action="store_true", help="sites of sources that base training knows")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        for path, harmless, hostile in write(
            options.corpus, options.out, DEVELOPMENT if options.development else HELD_OUT, options.seed
        ):
            say(f"{path}: {harmless} harmless and {hostile} hostile flows")
    except UserError as error:
        parser.exit(error.exit_code, f"sluice: {error}\n")


if __name__ == "__main__":
    main()
