"""A request read a second time, as lenient servers, shells and databases read it: `again`.

Who hides an attack changes how it is written, not what it does. Where a request is written in such a way, its text is
also laid out as it would be read: values of base64 and hexadecimal in their place, parameters of one name joined,
comments, odd white space and what a shell reads over gone, pieces of strings put together, and long plain stretches cut
short, so that padding cannot thin an attack out. A record is as bad as the worse of both readings. The list is that of
ModSecurity's transformations (`base64Decode`, `replaceComments`, `compressWhitespace`, `cmdLine`), with parameter
pollution (Balduzzi et al. 2011).

Ordinary requests are not read again, and a few searches for bytes tell them apart.
"""

import re
from collections.abc import Sequence
from typing import Final

from classifier.decoding import unwrapped
from classifier.recent import Recent
from classifier.texts import SEGMENTS

LONG: Final = 1024
"""Bytes of all text from which plain stretches are cut short."""
PLAIN: Final = 96
"""Bytes of a plain stretch that is cut short."""
_HEAD, _TAIL, _AROUND = 16, 48, 32
"""Bytes that are left of its start, of its end, and around words that an injection needs."""

_DECODED: Final = SEGMENTS.index("decoded")
_ASKED: Final = tuple(map(SEGMENTS.index, ("path", "query", "body", "headers")))
"""The segments that are read again."""
_FIELDS: Final = tuple(map(_ASKED.index, map(SEGMENTS.index, ("query", "body"))))
"""Which of them may hold parameters."""

_SPACES: Final = rb"[\v\f]|\r(?!\n)|\xc2[\x85\xa0]|\xe2\x80[\x80-\x8b\xa8\xa9\xaf]|\xe3\x80\x80"
"""White space that nobody types: vertical tabs, form feeds, lone carriage returns, the wide spaces of Unicode."""
_LINE: Final = rb"(?:--|#)[^\n]{0,64}\n"
_REST_OF_LINE: Final = re.compile(_LINE)
_PIECES: Final = rb"['\"]\s*(?:\+|\|\|)\s*['\"]"
_ORDINARY: Final = bytes({*range(128)} - {*b"\v\f\r*<#'\"$\\{|+"})
"""Bytes that do not make a text odd; a hyphen only does where it comes twice."""
_ODD: Final = re.compile(
    rb"%b|/\*|<!--|#[^\n]{0,64}\n|''(?<=\w'')\w|\"(?<=\w\")(?:\"|\w+\")|\$(?:\{?IFS|[@*])|\\(?<=\w\\)\w"
    rb"|\{\w+,[^\s,{}\"]+\}|%b" % (_SPACES, _PIECES)
)
_VERSIONED: Final = re.compile(rb"/\*!\d*(.{0,128}?)\*/", re.DOTALL)
_COMMENT: Final = re.compile(rb"/\*.*?(?:\*/|$)|<!--.{0,64}?-->|%b" % _LINE, re.DOTALL)
_SPACE: Final = re.compile(rb"(?:%b|\s)+" % _SPACES)
_SEPARATOR: Final = re.compile(rb"\$\{?IFS\}?(?:\$\d)?(?:''|\"\")?")
_OVERREAD: Final = re.compile(rb"(?<=\w)(?:''|\"\"|\$[@*]|\\|\")(?=\w)|(?<=\w)\"(?=[\s;|&]|$)")
_BRACES: Final = re.compile(rb"\{(\w+(?:,[^\s,{}\"]+)+)\}")
_JOINT: Final = re.compile(_PIECES)
_NAME: Final = re.compile(rb"[\w.\[\]-]{1,64}=")
_STRETCH: Final = re.compile(rb"[\w \-.,:;&=%%+\"\n\r\t]{%d,}" % PLAIN)
_TELLING: Final = re.compile(
    rb"\bunion\b|\bselect\b|\binsert\s+into\b|\bdrop\s+table\b|\b(?:or|and)\s+[\w.\"]+\s*(?:=|like\b)|\bwaitfor\b|\.\.",
    re.IGNORECASE,
)


def again(found: Sequence[bytes]) -> list[bytes] | None:
    """The segments of a record (`texts`) as they would be read; None where that says nothing new."""
    size = sum(map(len, found))
    hidden, long = bool(found[_DECODED]), size > LONG
    texts, odd = _READ[hidden, long, tuple([found[place] for place in _ASKED])]
    if texts is None:
        return None
    read = list(found)
    for place, text in zip(_ASKED, texts, strict=True):
        read[place] = text
    if hidden or odd:
        return read if read != list(found) else None
    return read if 2 * sum(map(len, read)) <= size else None


Texts = tuple[bytes, ...]


def _reread(key: tuple[bool, bool, Texts]) -> tuple[Texts | None, bool]:
    """What was asked as it would be read, if it is worth it, and whether it is written oddly."""
    hidden, long, asked = key
    odd = any(map(_is_odd, asked)) or any(_repeats(asked[index]) for index in _FIELDS)
    if not (hidden or odd or long):
        return None, False
    read = []
    for index, text in enumerate(asked):
        if hidden:
            text = unwrapped(text)
        if odd:
            text = _plain(_joined(text) if index in _FIELDS else text)
        read.append(_STRETCH.sub(_shortened, text) if long else text)
    return tuple(read), odd


_READ: Final = Recent(_reread, lambda key: sum(map(len, key[2])), 1 << 18)
"""A request is read when it is asked and again when it is answered."""


def _is_odd(text: bytes) -> bool:
    if text.translate(None, _ORDINARY) and _ODD.search(text):
        return True
    return text.find(b"--") >= 0 and _REST_OF_LINE.search(text) is not None


def _plain(text: bytes) -> bytes:
    """Without comments, odd white space and what a shell reads over."""
    if b"/*" in text or b"--" in text or b"#" in text:
        text = _COMMENT.sub(b" ", _VERSIONED.sub(rb" \1 ", text))
    if b"$" in text:
        text = _SEPARATOR.sub(b" ", text)
    text = _BRACES.sub(lambda braces: braces[1].replace(b",", b" "), text)
    return _SPACE.sub(b" ", _JOINT.sub(b"", _OVERREAD.sub(b"", text)))


def _repeats(text: bytes) -> bool:
    """Whether a parameter's name comes twice."""
    if b"&" not in text or not _NAME.match(text):
        return False
    names = [pair.partition(b"=")[0] for pair in text.split(b"&")]
    return len(set(names)) < len(names)


def _joined(text: bytes) -> bytes:
    """Parameters of one name joined by commas, as ASP does."""
    if not _repeats(text):
        return text
    values: dict[bytes, list[bytes]] = {}
    for pair in text.split(b"&"):
        name, _, value = pair.partition(b"=")
        values.setdefault(name, []).append(value)
    return b"&".join([name + b"=" + b",".join(each) for name, each in values.items()])


def _shortened(stretch: re.Match[bytes]) -> bytes:
    """Its start, its end, and what may be part of an injection in between."""
    text = stretch[0]
    kept, at, end = [text[:_HEAD]], _HEAD, len(text) - _TAIL
    for telling in _TELLING.finditer(text, _HEAD, end):
        start = max(at, telling.start() - _AROUND)
        at = min(end, max(at, telling.end() + _AROUND))
        kept.append(text[start:at])
    return b" ".join((*kept, text[end:]))
