"""Building, read top to bottom: fetch → read and label each source → clean across sources → write → account.

Everything is held in memory between reading and writing.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from classifier import disk
from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.datasets import fetch, files, labels, tables, traffic, urls
from classifier.training.datasets.formats import FORMATS
from classifier.training.datasets.lock import Lock
from classifier.training.datasets.manifest import UNKNOWN, Pin, Source
from classifier.training.datasets.traffic import Item
from classifier.training.progress import Bar

ARCHIVES: Final = "archives"
"""Where fetched archives are kept, below the output folder."""

Labelled = list[tuple[Source, Item]]


@dataclass
class Report:
    """What was built. Rows are counted by (table, source, label)."""

    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """One line a source that could not be fetched or read."""
    bad: dict[str, list[str]] = field(default_factory=dict)
    """By source, what could not be read in it."""
    read: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)
    """Sources seen for the first time: their digests were written down, not checked."""


def build(out: Path, sources: list[Source], kept: Path | None) -> Report:
    """Build the tables of these sources in `out`, from the repositories in `kept` or from the network.

    Raises UserError where nothing can be built, or where a source is no longer what the lock says.
    """
    report = Report(unknown=[source.name for source in sources if source.format == UNKNOWN])
    usable = [source for source in sources if source.format != UNKNOWN]
    with disk.writing(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = Lock(out)
        places = _places(usable, kept) if kept else _fetched(usable, out / ARCHIVES, report)
        items = _read(usable, places, lock, report)
        if not items:
            raise UserError(f"nothing to build from: {_why(report)}")
        tables.write(out, {table: _counted(table, rows, report) for table, rows in _tables(items).items()})
        lock.write()
    return report


def _places(sources: list[Source], folder: Path) -> dict[Pin, Path]:
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    found = ((pin, files.locate(folder, pin)) for source in sources for pin in source.repositories)
    return {pin: place for pin, place in found if place}


def _fetched(sources: list[Source], folder: Path, report: Report) -> dict[Pin, Path]:
    places: dict[Pin, Path] = {}
    for pin in dict.fromkeys(pin for source in sources for pin in source.repositories):
        try:
            places[pin] = fetch.fetch(pin, folder)
        except UserError as error:
            report.failed.append(str(error))
    return places


def _read(sources: list[Source], places: dict[Pin, Path], lock: Lock, report: Report) -> Labelled:
    seen: set[str] = set()
    items: Labelled = []
    with Bar("Reading sources", len(sources)) as bar:
        for number, source in enumerate(sources, 1):
            there = [pin for pin in source.repositories if pin in places]
            if not there:
                report.absent.append(source.name)
            found = [item for pin in there for item in _source(source, pin, places[pin], lock, seen, report)]
            items += ((source, item) for item in _capped(source, found))
            bar.at(number)
    return items


def _source(source: Source, pin: Pin, place: Path, lock: Lock, seen: set[str], report: Report) -> list[Item]:
    """The labelled items of a source in one repository; `seen` are the digests of the captures read before."""
    digests: dict[str, str] = {}
    found: list[Item] = []
    try:
        told = files.stale(place, pin)
        if told:
            raise UserError(f"{place} is of commit {told}, not {pin.commit}")
        for file in files.read(place, source):
            digest = digests[file.path] = hashlib.sha256(file.data).hexdigest()
            if source.table == "flows" and digest in seen:
                continue
            seen.add(digest)
            found += _labelled(source, file, pin, report)
    except UserError as error:
        report.failed.append(f"{source.name}: {error}")
        return []
    if not digests:
        report.failed.append(f"{source.name}: {place} has no file that the manifest names")
        return []
    report.read.append(source.name)
    if not lock.check(source, pin, digests):
        report.trusted.append(source.name)
    return found


def _labelled(source: Source, file: files.File, pin: Pin, report: Report) -> Iterator[Item]:
    bad = report.bad.setdefault(source.name, [])
    try:
        for found in FORMATS[source.format](file, source):
            if isinstance(found, BadLine):
                bad.append(f"{found.where}: {found.reason}")
                continue
            original, value = found
            if isinstance(value, str) and source.unquote:
                value = unquote_plus(value)
            rule = labels.rule_for(original, source.label, source.labels)
            label = labels.of_flow(rule, value) if isinstance(value, FlowRecord) else labels.of_text(rule, value)
            if label:
                yield Item(label, original, value, file.path, str(pin))
    except ValueError as error:
        bad.append(f"{file.path}: {error}")


def _capped(source: Source, items: list[Item]) -> list[Item]:
    def written(item: Item) -> str:
        return item.value if isinstance(item.value, str) else f"{item.value.host}{item.value.path}"

    items = traffic.capped(items, source.per_family, lambda item: item.original, written)
    if source.per_domain:
        items = traffic.capped(items, source.per_domain, lambda item: urls.domain(urls.normal(written(item))), written)
    return traffic.capped(items, source.most, lambda item: item.label, written)


def _tables(items: Labelled) -> dict[str, Iterable[dict[str, Any]]]:
    """The cleaned rows by table of the corpus."""
    by = {
        table: [pair for pair in items if pair[0].table == table] for table in ("urls", "requests", "payloads", "flows")
    }
    rows: dict[str, Iterable[dict[str, Any]]] = {
        "urls": urls.table(_urls(by["urls"])),
        "requests": traffic.requests(by["requests"]),
        "payloads": traffic.payloads(by["payloads"]),
    }
    flows = list(traffic.flows(by["flows"]))
    for table in ("transactions", "handshakes", "dns"):
        rows[table] = [row for name, row in flows if name == table]
    return rows


def _urls(items: Labelled) -> Iterator[urls.Url]:
    for source, item in items:
        url = urls.normal(item.value if isinstance(item.value, str) else urls.of_flow(item.value))
        if url:
            yield urls.Url(url, item.label, item.original, source.name, item.repository, source.licence)


def _counted(table: str, rows: Iterable[dict[str, Any]], report: Report) -> Iterator[dict[str, Any]]:
    column = "source_repo" if table in ("transactions", "handshakes", "dns") else "source"
    for row in rows:
        report.rows[table, row[column], row["label"]] += 1
        yield row


def _why(report: Report) -> str:
    if report.failed:
        return f"{len(report.failed)} sources failed, the first: {report.failed[0]}"
    parts = ((report.absent, "are not there"), (report.unknown, "have an unknown format"))
    return "; ".join(f"{len(names)} sources {what}" for names, what in parts if names) or "no rows"
