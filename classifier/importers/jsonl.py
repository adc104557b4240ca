"""The interchange: one JSON object a line, see `classifier.records`."""

import codecs
import io
from collections.abc import Iterable, Iterator

import msgspec

from classifier.importers import BadLine
from classifier.records import FlowRecord, from_json


def read(file: io.BufferedReader, name: str) -> Iterator[FlowRecord | BadLine]:
    """The records of an open file, line by line."""
    yield from parse(file, name)


def parse(lines: Iterable[bytes], name: str, first: int = 1) -> Iterator[FlowRecord | BadLine]:
    """The records of some lines, the first of which is line `first` of file `name`. Blank lines are passed over."""
    for number, line in enumerate(lines, first):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.isspace() or not line:
            continue
        where = f"{name}:{number}"
        try:
            record = from_json(line)
        except ValueError as error:
            yield BadLine(where, str(error))
        else:
            yield record if record.id else msgspec.structs.replace(record, id=where)
