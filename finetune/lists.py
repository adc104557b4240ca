"""Lists of domains as weak labels: a flow whose host is on a list is probably what the list is about.

One name a line, or a hosts file (`0.0.0.0 bad.example`); `#` and `!` begin a comment. A name stands for its subdomains.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

from classifier.errors import UserError
from classifier.records import FlowRecord, Label
from finetune.labels import LIST, WEIGHTS, Word


def hits(lists: Mapping[Label, Path], records: Iterable[FlowRecord]) -> dict[str, Word]:
    """The word of the first list that names a flow's host, by flow id. Raises UserError when a list cannot be read."""
    names = {label: frozenset(read(path)) for label, path in lists.items()}
    found: dict[str, Word] = {}
    for record in records if names else ():
        above = set(_above(record.site.lower().rstrip(".")))
        label = next((label for label, listed in names.items() if not above.isdisjoint(listed)), None)
        if label is not None and record.id:
            found[record.id] = Word(label=label, weight=WEIGHTS[LIST], origin=LIST)
    return found


def read(path: Path) -> Iterator[str]:
    """The names on a list. Raises UserError when it cannot be read."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"list {path} cannot be read: {error}") from None
    for line in lines:
        words = line.partition("#")[0].lower().split()
        if len(words) > 1 and _is_address(words[0]):
            words = words[1:]
        if words and not words[0].startswith("!"):
            yield from (word.removeprefix("*.").strip(".") for word in words)


def _above(host: str) -> Iterator[str]:
    """A host and every domain above it."""
    while host:
        yield host
        host = host.partition(".")[2]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
