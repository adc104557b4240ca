"""What a text says once its encodings are undone: `decode` peels escapes, `wrapped` reads base64 and hexadecimal.

Escapes are percent (RFC 3986, `%uXXXX` of IIS, overlong UTF-8 as the worms of 2001 sent it), HTML entities (named,
decimal, hexadecimal, with and without `;`), and those of JavaScript and JSON (`\\uXXXX`, `\\u{X}`, `\\xXX`). They are
peeled one notation a round, to a fixed point or `MAX_DECODE` rounds. Full-width letters and signs become ASCII, as
many servers read them. A text without `%`, `&` and a backslash costs three searches for a byte.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import Final, NamedTuple

MAX_DECODE: Final = 6
"""Rounds: attacks nest two or three encodings, more would only cost time."""
EXCERPT: Final = 128
"""Bytes shown of a text as it was written, where it was written oddly."""
UNWRAPPED: Final = 384
"""Bytes shown of what base64 and hexadecimal values say, in all."""
MAX_WRAPPED: Final = 64
"""Values of a text that are looked into."""

# Looking for a number in bytes costs a tenth of looking for bytes.
_PERCENT, _AMPERSAND, _SLASH = b"%&\\"

_NAMED: Final = {
    b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'", b"amp": b"&", b"nbsp": b" ", b"sol": b"/", b"bsol": b"\\",
    b"lpar": b"(", b"rpar": b")", b"colon": b":", b"semi": b";", b"equals": b"=", b"num": b"#", b"excl": b"!",
    b"dollar": b"$", b"percnt": b"%", b"period": b".", b"comma": b",", b"tab": b"\t", b"newline": b"\n", b"grave": b"`",
    b"lsqb": b"[", b"rsqb": b"]", b"lcub": b"{", b"rcub": b"}", b"vert": b"|", b"quest": b"?", b"commat": b"@",
    b"plus": b"+", b"ast": b"*", b"lowbar": b"_", b"hyphen": b"-",
}  # fmt: skip
_BARE: Final = frozenset({b"lt", b"gt", b"quot", b"amp"})
"""Entities that are read without their semicolon, where no letter, digit or `=` follows."""
_ENTITY: Final = re.compile(
    rb"&(?:#(?:[xX]0{0,16}([0-9A-Fa-f]{1,6})|0{0,16}([0-9]{1,7}));?|([A-Za-z]{2,7})(?:(;)|(?![\w;=])))"
)
_BACKSLASH: Final = re.compile(rb"\\(?:u(?:([0-9A-Fa-f]{4})|\{0{0,16}([0-9A-Fa-f]{1,6})\})|x([0-9A-Fa-f]{2}))")
_PRINTABLE: Final = re.compile(
    rb"\\(?:(?:u00|x)(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])|u\{0{0,20}(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])\})"
)
"""An escape that no JSON writer needs: of printable ASCII."""
_JSON: Final = re.compile(rb"\\([\"\\/bfnrt])")
_JSON_SIGNS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_OVERLONG: Final = re.compile(
    rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80\x81][\x80-\xbf]|\xf0\x80[\x80\x81][\x80-\xbf]|\xc0[./\\]|\xc1\x1c"
)
_WIDE: Final = re.compile(rb"\xef(?:\xbc[\x81-\xbf]|\xbd[\x80-\x9e])|\xe2\x88[\x95\x96]")
"""U+FF01 to U+FF5E, and the division and set minus signs, which become a slash and a backslash."""
_PAIRS: Final = {
    f"{high}{low}".encode(): bytes([int(high + low, 16)])
    for high in "0123456789abcdefABCDEF"
    for low in "0123456789abcdefABCDEF"
}
_WRITTEN: Final = re.compile(
    rb"%(?:25|[uU][0-9A-Fa-f]{4}|26(?:%23|[#a-zA-Z])|5[cC](?:[ux]|%[57])|[cC][01]%|[eEfF]0%[89])|&(?:#|[a-zA-Z]{2,7};)|\\[ux]"
)
"""Where a text is likely to be written oddly."""

_SHORTEST: Final = 12
"""Characters of base64 or of hexadecimal digits that may hold an attack."""
_HEX_SHORTEST: Final = 8
_CLASS: Final = bytes(
    [120 if code < 128 and (chr(code).isalnum() or chr(code) in "+/_-") else 32 for code in range(256)]
)
_RUN: Final = b"x" * _SHORTEST
_DIGITS64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_MAYBE64: Final = re.compile(
    b"[CDI-Za-f][%b][%b].[CDI-Za-f].{%d}"
    % (
        bytes(_DIGITS64[v] for v in range(62) if not v & 8),
        bytes(_DIGITS64[v] for v in range(62) if not v & 2),
        _SHORTEST - 5,
    )
)
"""How printable ASCII begins in base64: the top bits of its bytes are zero."""
_MAYBE: Final = re.compile(b"%b|(?:0[xX])?(?:[0-9A-Fa-f]{2}){4}" % _MAYBE64.pattern)
_MAYBE_PART: Final = re.compile(b"/(?:%b)" % _MAYBE.pattern)
"""How a run may begin that is worth a closer look, and a part of one."""
_HEXADECIMAL: Final = re.compile(rb"(?:0[xX])?((?:[0-9A-Fa-f]{2}){%d,})" % (_HEX_SHORTEST // 2))
_ODD_BYTES: Final = bytes(code for code in range(256) if not (32 <= code < 127 or code in b"\t\n\r"))


class Decoded(NamedTuple):
    """What `decode` found."""

    text: bytes
    rounds: int
    """Encodings that were peeled, at most `MAX_DECODE`."""
    odd: bool
    """Whether anything but one plain round of percent, or an escape that JSON needs, was peeled."""


_NOTHING: Final = Decoded(b"", 0, False)


def is_plain(raw: bytes) -> bool:
    """Whether `decode` surely gives the text itself."""
    return _PERCENT not in raw and _AMPERSAND not in raw and _SLASH not in raw and raw.isascii()


def decode(raw: bytes, *, json: bool = False) -> Decoded:
    """Peel escapes until nothing changes. With `json`, backslashes are first read as in JSON strings (RFC 8259)."""
    if not raw:
        return _NOTHING
    if _PERCENT not in raw and _AMPERSAND not in raw and _SLASH not in raw:
        return Decoded(raw if raw.isascii() else _narrow(raw), 0, False)
    rounds, percent, odd = 0, 0, False
    if json and _SLASH in raw:
        raw = _JSON.sub(_sign, raw)
    while rounds < MAX_DECODE:
        if _PERCENT in raw and (peeled := _percent(raw)) != raw:
            percent += 1
            longer, peeled = peeled, peeled if peeled.isascii() else _each(_OVERLONG, _shortest, peeled)
            odd = odd or percent > 1 or longer != peeled or b"%u" in raw or b"%U" in raw
        elif _AMPERSAND in raw and (peeled := _each(_ENTITY, _entity, raw)) != raw:
            odd = True
        elif _SLASH in raw and (peeled := _each(_BACKSLASH, _escape, raw)) != raw:
            odd = odd or _PRINTABLE.search(raw) is not None
        else:
            break
        raw = peeled
        rounds += 1
    return Decoded(raw if raw.isascii() else _narrow(raw), rounds, odd)


def excerpt(raw: bytes) -> bytes:
    """At most `EXCERPT` bytes around the first place where a text is written oddly."""
    found = _WRITTEN.search(raw)
    start = max(0, (found.start() if found else max(raw.find(b"%"), 0)) - EXCERPT // 4)
    return raw[start : start + EXCERPT]


def nested(found: list[bytes]) -> list[bytes]:
    """Texts that were wrapped, each followed by what its own values say: two wrappings deep is as far as we look."""
    return list(chain.from_iterable([(text, *wrapped(text)) for text in found])) if found else found


def wrapped(raw: bytes) -> list[bytes]:
    """What at most `MAX_WRAPPED` base64 and hexadecimal values of a text say, one wrapping deep."""
    return [text for _, _, text in islice(_values(raw), MAX_WRAPPED)]


def unwrapped(raw: bytes) -> bytes:
    """A text with what its values say in their place, as far as `wrapped` looks; the signs that pad base64 stay."""
    out, last = [], 0
    for start, end, text in islice(_values(raw), MAX_WRAPPED):
        out += [raw[last:start], text]
        last = end
    return b"".join((*out, raw[last:])) if out else raw


def _values(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where a text has base64 or hexadecimal values that hold text, and what they say."""
    classes = raw.translate(_CLASS)
    start = classes.find(_RUN)
    while start >= 0:
        end = classes.find(32, start)
        end = len(raw) if end < 0 else end
        if _MAYBE.match(raw, start, end) or _MAYBE_PART.search(raw, start, end):
            for text in _readings(raw[start:end]):
                yield start, end, text
        start = classes.find(_RUN, end)


def _readings(run: bytes) -> list[bytes]:
    for part in (run, *run.split(b"/")) if b"/" in run else (run,):
        if len(part) >= _SHORTEST and (text := _unhex(part) or _unbase64(part)):
            return [decode(text).text]
    return []


def _unhex(run: bytes) -> bytes:
    digits = _HEXADECIMAL.fullmatch(run)
    text = bytes.fromhex(digits[1].decode()) if digits else b""
    return b"" if text.translate(None, _ODD_BYTES) != text or text.isdigit() else text


def _unbase64(run: bytes) -> bytes:
    if not _MAYBE64.match(run):
        return b""
    run = run.replace(b"-", b"+").replace(b"_", b"/")
    try:
        text = base64.b64decode(run[: len(run) - (len(run) % 4 == 1)] + b"=" * (-len(run) % 4))
    except binascii.Error:
        return b""
    return text if 10 * len(text.translate(None, _ODD_BYTES)) >= 9 * len(text) else b""


def _percent(raw: bytes) -> bytes:
    first, *parts = raw.split(b"%")
    out = [first]
    for part in parts:
        character = _PAIRS.get(part[:2])
        if character is not None:
            out += (character, part[2:])
        elif part[:1] in (b"u", b"U") and part[1:3] in _PAIRS and part[3:5] in _PAIRS:
            out += (_utf8(int(part[1:5], 16)), part[5:])
        else:
            out += (b"%", part)
    return b"".join(out)


def _each(pattern: re.Pattern[bytes], change: Callable[[bytes], bytes], raw: bytes) -> bytes:
    return pattern.sub(lambda found: change(found[0]), raw)


# Few escapes are ever written, and a text may hold thousands: looking one up takes a third of the time of reading it.


@lru_cache(maxsize=1024)
def _shortest(overlong: bytes) -> bytes:
    first, *rest = overlong
    code = first & (0x1F if first < 0xE0 else 0x0F if first < 0xF0 else 0x07)
    for byte in rest:
        code = code << 6 | byte & 0x3F
    return bytes([code & 0x7F])


@lru_cache(maxsize=1024)
def _entity(entity: bytes) -> bytes:
    name = entity[1:].rstrip(b";")
    if name.startswith((b"#x", b"#X")):
        return _utf8(int(name[2:], 16))
    if name.startswith(b"#"):
        return _utf8(int(name[1:]))
    name = name.lower()
    return _NAMED.get(name, entity) if entity.endswith(b";") or name in _BARE else entity


@lru_cache(maxsize=1024)
def _escape(escape: bytes) -> bytes:
    return _utf8(int(escape[2:].strip(b"{}"), 16))


def _sign(found: re.Match[bytes]) -> bytes:
    return _JSON_SIGNS.get(found[1], found[1])


@lru_cache(maxsize=1024)
def _utf8(code: int) -> bytes:
    return chr(code).encode("utf-8", "replace") if code < 0x110000 else b"?"


def _narrow(raw: bytes) -> bytes:
    return _each(_WIDE, _ascii, raw) if 0xEF in raw or 0xE2 in raw else raw


@lru_cache(maxsize=256)
def _ascii(wide: bytes) -> bytes:
    code = ord(wide.decode())
    return bytes([code - 0xFEE0]) if code >= 0xFF01 else (b"/" if code == 0x2215 else b"\\")
