"""The formats that the manifest may name, and the parser of each. One parser a format, none a source."""

import io
from collections.abc import Iterator
from typing import Final

from classifier import importers
from classifier.importers import BadLine
from classifier.training.datasets import lists, requests, tabular, templates
from classifier.training.datasets.files import File, Found, Parser
from classifier.training.datasets.manifest import Source


def capture(file: File, _: Source) -> Iterator[Found | BadLine]:
    """A packet capture, HAR, mitmproxy dump or JSON lines, through the project's importers."""
    opened: io.BufferedReader = io.BufferedReader(io.BytesIO(file.data))
    for record in importers.records(opened, file.path):
        yield record if isinstance(record, BadLine) else Found(file.path, record)


FORMATS: Final[dict[str, Parser]] = {
    "lines": lists.lines,
    "list": lists.entries,
    "hosts": lists.hosts,
    "adblock": lists.adblock,
    "v2fly": lists.services,
    "links": lists.links,
    "fences": lists.fences,
    "prose": lists.prose,
    "document": lists.document,
    "csv": tabular.delimited,
    "json": tabular.items,
    "json-tree": tabular.tree,
    "json-requests": requests.recorded,
    "cassette": requests.cassette,
    "access-log": requests.access,
    "http": requests.written,
    "template": templates.template,
    "capture": capture,
}
FLOWS: Final = frozenset(("json-requests", "cassette", "access-log", "http", "template", "capture"))
"""The formats that yield flows, not values: the tables of requests and flows take no others, that of payloads none."""
