"""Delimited files and JSON: one value an item, told by its column, or every text of a tree."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec

from classifier.importers import BadLine
from classifier.records import text
from classifier.training.datasets.files import FILE_CAP, File, Found
from classifier.training.datasets.manifest import Source


def delimited(file: File, source: Source) -> Iterator[Found | BadLine]:
    """Columns as the manifest names or numbers them. Raises ValueError for a missing column."""
    csv.field_size_limit(FILE_CAP)
    plain = text(file.data.removeprefix(b"\xef\xbb\xbf")).replace("\0", "")
    rows = csv.reader(io.StringIO(plain, newline=""), delimiter=source.delimiter)
    named = [column for column in (source.column, source.label_column) if isinstance(column, str)]
    header = next(rows, []) if named else []
    missing = [column for column in named if column not in header]
    if missing:
        raise ValueError(f"has no column {', '.join(missing)}")
    value, label = (_index(column, header) for column in (source.column, source.label_column))
    try:
        for row in rows:
            if len(row) > max(value or 0, label or 0):
                yield Found(file.path if label is None else row[label], row[value or 0])
            elif row:
                yield BadLine(f"{file.path}:{rows.line_num}", "too few columns")
    except csv.Error as error:
        yield BadLine(f"{file.path}:{rows.line_num}", str(error))


def _index(column: str | int | None, header: list[str]) -> int | None:
    return header.index(column) if isinstance(column, str) else column


def items(file: File, source: Source) -> Iterator[Found | BadLine]:
    """Texts at the manifest's dotted paths in the items of a JSON list or of JSON lines, where there is one."""
    for number, item in enumerate(json(file), 1):
        value = _at(item, str(source.column))
        label = _at(item, str(source.label_column)) if source.label_column is not None else file.path
        if isinstance(value, str):
            yield Found(str(label), value)
        elif not isinstance(item, dict):
            yield BadLine(f"{file.path}#{number}", "not an object")


def tree(file: File, _: Source) -> Iterator[Found]:
    """Every text in JSON, called `FILE/key/…/key` (list positions left out) by what leads to it."""
    for item in json(file):
        yield from _leaves(item, file.path)


def json(file: File) -> list[Any]:
    """A file's JSON: the items of its list, its one object, or its lines. Raises ValueError for anything else."""
    try:
        whole = msgspec.json.decode(file.data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            whole = [msgspec.json.decode(line) for line in file.data.splitlines() if line.strip()]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"is no JSON ({error})") from None
    return whole if isinstance(whole, list) else [whole]


def _at(item: Any, path: str) -> Any:
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item


def _leaves(item: Any, called: str) -> Iterator[Found]:
    if isinstance(item, dict):
        for key, value in item.items():
            yield from _leaves(value, f"{called}/{key}")
    elif isinstance(item, list):
        for value in item:
            yield from _leaves(value, called)
    elif isinstance(item, str):
        yield Found(called, item)
