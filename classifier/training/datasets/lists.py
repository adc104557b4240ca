"""Text files: lists of values, hosts files, filter rules, service lists, links and fences in prose."""

import re
from collections.abc import Iterator
from typing import Final

from classifier.records import text
from classifier.training.datasets.files import File, Found
from classifier.training.datasets.manifest import Source

_LINK: Final = re.compile(r"https?://[^\s<>\"'`\\|{}()\[\]^]+")
_RULE: Final = re.compile(r"\|\|([a-z0-9.-]+\.[a-z0-9-]+)(/[^*^$|]*)?\^?(?:\$([^/]*))?")
_PLAIN_OPTIONS: Final = frozenset(("third-party", "3p", "popup", "script", "image", "xmlhttprequest", "subdocument"))
_FENCE: Final = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*\n(.*?)^ {0,3}\1", re.MULTILINE | re.DOTALL)


def lines(file: File, _: Source) -> Iterator[Found]:
    """Every line that is not blank, as it is: in payload lists `#` and `;` begin payloads."""
    for line in _lines(file):
        if line.strip():
            yield Found(file.path, line)


def entries(file: File, _: Source) -> Iterator[Found]:
    """The first word of every line; what follows `#`, `!` or `//` at a line's start or `#` after a space is a note."""
    for line in _lines(file):
        words = re.split(r"\s#", line, maxsplit=1)[0].split()
        if words and not words[0].startswith(("#", "!", "//", "[")):
            yield Found(file.path, words[0])


def hosts(file: File, _: Source) -> Iterator[Found]:
    """The names of a hosts file (`0.0.0.0 NAME…`)."""
    for line in _lines(file):
        address, *names = line.partition("#")[0].split() or [""]
        if re.fullmatch(r"[0-9.]{7,15}|[0-9a-f:]*::[0-9a-f:]*", address):
            yield from (Found(file.path, name) for name in names if "." in name and name != address)


def adblock(file: File, _: Source) -> Iterator[Found]:
    """Filter rules that block a whole domain or a plain path below one; narrower rules and exceptions are left out."""
    for line in _lines(file):
        rule = _RULE.fullmatch(line.strip().lower())
        if rule and set((rule[3] or "third-party").split(",")) <= _PLAIN_OPTIONS:
            yield Found(file.path, rule[1] + (rule[2] or ""))


def services(file: File, _: Source) -> Iterator[Found]:
    """Lists of v2fly: `domain:`, `full:` or a bare name, then `@attributes`, which follow the path in `original`."""
    for line in _lines(file):
        words = line.partition("#")[0].split()
        kind, colon, name = words[0].rpartition(":") if words else ("", "", "")
        if name and (not colon or kind in ("domain", "full")):
            yield Found(" ".join((file.path, *words[1:])), name)


def links(file: File, _: Source) -> Iterator[Found]:
    """Every http(s) URL in a text of any kind."""
    for url in _LINK.findall(text(file.data)):
        yield Found(file.path, url.rstrip(".,;:!?*_"))


def fences(file: File, _: Source) -> Iterator[Found]:
    """The lines of fenced blocks of a Markdown page."""
    for block in _FENCE.finditer(text(file.data).replace("\r\n", "\n")):
        yield from (Found(file.path, line.strip()) for line in block[2].split("\n") if line.strip())


def prose(file: File, _: Source) -> Iterator[Found]:
    """The lines of a Markdown page without their marks."""
    for line in _lines(file):
        plain = re.sub(r"^[>#*\s-]+|`|:$", "", line.strip()).strip()
        if plain:
            yield Found(file.path, plain)


def document(file: File, _: Source) -> Iterator[Found]:
    """The whole file as one value."""
    if file.data.strip():
        yield Found(file.path, text(file.data))


def _lines(file: File) -> list[str]:
    return text(file.data.removeprefix(b"\xef\xbb\xbf")).replace("\r\n", "\n").split("\n")
