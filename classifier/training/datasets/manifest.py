"""The sources as data: `sources.toml`, checked when it is read.

A source is a set of files of public repositories at pinned commits, in one format, feeding one table. `label` and
`labels` are label rules (see `labels`): `labels` maps globs over what the file itself says of a row (its path, its
class column, its tags) to rules, the first match wins, `label` is for the rest, and an empty rule drops the row.
"""

from collections.abc import Collection
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import msgspec

from classifier.errors import UserError
from classifier.training.datasets import labels

Table = Literal["urls", "requests", "payloads", "flows"]
"""`flows` feeds three tables: transactions, handshakes and DNS messages."""

UNKNOWN: Final = "unknown"
"""The format of a source whose files cannot be told from its description: listed, skipped, counted."""


class Pin(NamedTuple):
    """A repository at a commit."""

    owner: str
    name: str
    commit: str

    @property
    def folder(self) -> str:
        """What the repository is called where it is stored."""
        return f"{self.owner}__{self.name}"

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source. Counts are rows, `rows` the rows by table and label that the trained-on tables had of it."""

    name: str
    table: Table
    pins: tuple[str, ...]
    """`owner/name@commit`."""
    licence: str
    format: str
    paths: tuple[str, ...] = ()
    """Globs over the repository's files; a path may lead into a zip file: `data.zip/*.json`."""
    skip: tuple[str, ...] = ()
    label: str = ""
    labels: dict[str, str] = {}
    column: str | int = 0
    """Of delimited files: the value's column by name (the first line is a header then) or number. Of JSON: the
    dotted path to the value in each item."""
    label_column: str | int | None = None
    delimiter: str = ","
    encoding: Literal["raw", "urlencoded_query"] = "raw"
    context: Literal["param", "query", "path", "header", "text_body"] = "param"
    unquote: bool = False
    """Percent-decode values once."""
    most: int = 0
    """Rows kept of each label, chosen by digest (0: all); likewise of each family and registered domain."""
    per_family: int = 0
    per_domain: int = 0
    sha256: dict[str, str] = {}
    """Digest of the selected files by repository, where known: see `lock`."""
    rows: dict[str, dict[str, int]] = {}
    notes: str = ""

    @property
    def repositories(self) -> list[Pin]:
        """The pins, taken apart."""
        return [Pin(*pin.replace("@", "/").split("/")) for pin in self.pins]


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    source: list[Source]


def load(text: str | None = None) -> list[Source]:
    """The sources of a manifest, by default the shipped one. Raises UserError for one that is no manifest."""
    text = text or files(__package__).joinpath("sources.toml").read_text("utf-8")
    try:
        sources = msgspec.toml.decode(text, type=_Manifest).source
        for source in sources:
            _check(source)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"sources.toml: {error}") from None
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"sources.toml: named twice: {', '.join(twice)}")
    return sources


def select(sources: list[Source], only: Collection[str]) -> list[Source]:
    """The sources of these names, all where none is given. Raises UserError for names that are none."""
    unknown = sorted(set(only) - {source.name for source in sources})
    if unknown:
        raise UserError(f"no such source: {', '.join(unknown)}; `sluice datasets ls` lists them")
    return [source for source in sources if not only or source.name in only]


def _check(source: Source) -> None:
    from classifier.training.datasets import formats

    if source.format != UNKNOWN:
        if source.format not in formats.FORMATS:
            raise ValueError(f"{source.name}: no such format: {source.format}")
        if source.table != "urls" and (source.format in formats.FLOWS) is (source.table == "payloads"):
            raise ValueError(f"{source.name}: the format {source.format} cannot feed the table {source.table}")
        if not source.paths:
            raise ValueError(f"{source.name}: paths are missing")
    for pin in source.pins:
        if pin.count("@") != 1 or pin.count("/") != 1 or not pin.split("@")[1]:
            raise ValueError(f"{source.name}: {pin!r} is not owner/name@commit")
    for rule in (source.label, *source.labels.values()):
        try:
            labels.check(rule)
        except ValueError as error:
            raise ValueError(f"{source.name}: {error}") from None
