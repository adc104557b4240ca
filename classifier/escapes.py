"""Escaped characters, and how a rule sees through them: percent escapes, those of JavaScript and JSON, entities.

`through(text, change)` lets a rule see a text without its escapes; what it changes is escaped as before.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

HEX: Final = "[0-9A-Fa-f]"
_ENTITIES: Final = {"&quot;": '"', "&apos;": "'", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&sol;": "/"}

_PERCENT: Final = rf"%(?:25){{0,3}}(?:{HEX}{{2}}|u{HEX}{{4}})"
_BACKSLASH: Final = rf"\\(?<!\\\\)\\{{0,7}}(?:u{HEX}{{4}}|x{HEX}{{2}})"
_ENTITY: Final = rf"&\#(?:[xX]{HEX}{{1,6}}|[0-9]{{1,7}});?|{'|'.join(_ENTITIES)}"
ESCAPE_PATTERN: Final = f"{_PERCENT}|{_BACKSLASH}|{_ENTITY}"
ESCAPE: Final = re.compile(f"({ESCAPE_PATTERN})")
"""One escaped character, as the only group; percent escapes may be nested up to four levels."""
_FIRST_PERCENT: Final = re.compile(_PERCENT)
_FIRST_BACKSLASH: Final = re.compile(_BACKSLASH)
_FIRST_ENTITY: Final = re.compile(_ENTITY)

# The same escapes, as far as they stand for a letter, a digit or anything beyond ASCII.
_BYTE: Final = rf"(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|[89A-Fa-f]{HEX})"
_UNIT16: Final = rf"(?:00{_BYTE}|(?!00){HEX}{{4}})"
_DECIMAL: Final = (
    r"(?:4[89]|5[0-7]|6[5-9]|[78][0-9]|9[0789]|1[01][0-9]|12[0-2]|12[89]|1[3-9][0-9]|[2-9][0-9]{2}|[1-9][0-9]{3,})"
)
_HEXADECIMAL: Final = rf"(?:{_BYTE}|[1-9A-Fa-f]{HEX}{{2,}})"
LETTER: Final = (
    rf"%(?:25){{0,3}}(?:{_BYTE}|u{_UNIT16})"
    rf"|(?<!\\)\\{{1,8}}(?:u{_UNIT16}|x{_BYTE})"
    rf"|&\#(?:[xX]0*+{_HEXADECIMAL}(?!{HEX})|0*+{_DECIMAL}(?![0-9]));?"
)


def has_escape(text: str) -> bool:
    """Whether `ESCAPE` is found. Looking for one character at a time is many times faster than for one of three."""
    return (
        ("%" in text and _FIRST_PERCENT.search(text) is not None)
        or ("\\" in text and _FIRST_BACKSLASH.search(text) is not None)
        or ("&" in text and _FIRST_ENTITY.search(text) is not None)
    )


def through(text: str, change: Callable[[str], str]) -> str:
    """Apply a length-preserving rule to the text without its escapes; what it changed is escaped as before."""
    parts = ESCAPE.split(text)
    escapes = parts[1::2]
    characters = [_DECODED[escape] for escape in escapes]
    parts[1::2] = characters
    plain = "".join(parts)
    after = change(plain)
    if after == plain:
        return text
    position = 0
    for index, (part, escape) in enumerate(zip(parts[::2], escapes, strict=False)):
        until = position + len(part)
        parts[2 * index] = after[position:until]
        parts[2 * index + 1] = escape if after[until] == characters[index] else _encode(escape, after[until])
        position = until + 1
    parts[-1] = after[position:]
    return "".join(parts)


def decoded(escape: re.Match[str]) -> str:
    """The character that a match of `ESCAPE` stands for, `x` where there is none."""
    return _DECODED[escape[0]]


class _Decoded(dict[str, str]):
    """Escape to character, remembered; emptied when it is full."""

    def __missing__(self, escape: str) -> str:
        if len(self) >= 4096:
            self.clear()
        self[escape] = character = _decode(escape)
        return character


_DECODED: Final = _Decoded()


def _decode(escape: str) -> str:
    if escape in _ENTITIES:
        return _ENTITIES[escape]
    if escape.startswith("&#"):
        digits = escape[2:].rstrip(";")
        code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
        return chr(code) if code < 0x110000 else "x"
    return chr(int(escape[-4:] if escape[-5:-4] == "u" else escape[-2:], 16))


@lru_cache(maxsize=4096)
def _encode(escape: str, character: str) -> str:
    """The character in the notation and at the length of this escape."""
    code = ord(character)
    if not escape.startswith("&"):
        width = 4 if escape[-5:-4] == "u" else 2
        return f"{escape[:-width]}{code:0{width}x}"
    digits = escape[2:].rstrip(";")
    if digits[0] in "xX":
        return f"&#{digits[0]}{code:0{len(digits) - 1}x}{escape[2 + len(digits) :]}"
    if len(str(code)) > len(digits):
        code = ord("X")  # the letters' code of two digits
    return f"&#{code:0{len(digits)}}{escape[2 + len(digits) :]}"
