"""Other ways to write any value: letter case, white space, percent, entities, escapes, base64, junk around it.

Each function takes a value and a random generator and returns the value rewritten, or unchanged where there is
nothing to rewrite. Those named after percent-encoding give text that goes into a URL as it is, the `json_…` ones
text that goes into a JSON string as it is; the others give plain text. A URL's bytes that are no UTF-8 are surrogates
in a value (PEP 383), and come back as bytes when they are encoded.
"""

import base64
import json
import re
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import quote

Spell = Callable[[str, Random], str]

_LETTERS: Final = re.compile(r"0x[0-9a-f]+|%[0-9a-f]{2}|&#?\w+;|\\u[0-9a-f]{4}|\\.|[a-z]+", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"(=\s*[\"']?)((?<=\")[^\"]+|(?<=')[^']+|(?<![\"'])[^\s\"'<>]+)")
_NAMED: Final = {"(": "&lpar;", ")": "&rpar;", ":": "&colon;", "\t": "&Tab;", "\n": "&NewLine;", "'": "&apos;"} | {
    "<": "&lt;", ">": "&gt;", '"': "&quot;", "=": "&equals;", "/": "&sol;", ".": "&period;", ";": "&semi;",
}  # fmt: skip
_SAFE: Final = "-_.~"
_WORDS: Final = (
    "the blue note of our last order was sent on monday please find it again with a new date and name".split()
)


def octets(value: str) -> bytes:
    """The bytes that a server sees for a value."""
    return value.encode("utf-8", "surrogateescape")


# ── letter case ─────────────────────────────────────────────────────────────────────────────────────────────────


def letters(change: Callable[[str, Random], str]) -> Spell:
    """A spelling that changes runs of letters, and leaves escapes and hexadecimal numbers as they are."""
    return lambda value, rng: _LETTERS.sub(
        lambda found: change(found[0], rng) if found[0].isalpha() else found[0], value
    )


def at_random(word: str, rng: Random) -> str:
    """Each letter in a case of its own."""
    return "".join(rng.choice((letter.lower(), letter.upper())) for letter in word)


def loud(word: str, rng: Random) -> str:
    """All capitals."""
    return word.upper()


def alternating(word: str, rng: Random) -> str:
    """sElEcT."""
    return "".join(letter.upper() if index % 2 else letter.lower() for index, letter in enumerate(word))


def ended(word: str, rng: Random) -> str:
    """SelecT: the first and the last letter are capitals."""
    return word[:1].upper() + word[1:-1].lower() + word[1:][-1:].upper()


# ── white space ─────────────────────────────────────────────────────────────────────────────────────────────────


def spaced(*kinds: str) -> Spell:
    """A spelling that writes each space as one of `kinds`."""
    return lambda value, rng: re.sub(" ", lambda _: rng.choice(kinds), value)


# ── percent-encoding: of the wire ───────────────────────────────────────────────────────────────────────────────


def percent_all(value: str, rng: Random) -> str:
    """%73%65%6c…: every byte."""
    return "".join(f"%{byte:02x}" for byte in octets(value))


def percent_some(value: str, rng: Random) -> str:
    """What must be encoded, and some of the rest."""
    return "".join(
        f"%{byte:02X}" if not chr(byte).isalnum() or byte > 127 or rng.random() < 0.4 else chr(byte)
        for byte in octets(value)
    )


def percent_twice(value: str, rng: Random) -> str:
    """%2573%2565…: every byte, twice."""
    return percent_all(value, rng).replace("%", "%25")


def percent_letters(value: str, rng: Random) -> str:
    """Letters are encoded, digits are not."""
    return "".join(
        f"%{byte:02X}" if byte > 127 or (not chr(byte).isdigit() and chr(byte) not in _SAFE) else chr(byte)
        for byte in octets(value)
    )


def percent_specials_twice(value: str, rng: Random) -> str:
    """%2527: only what must be encoded, twice."""
    return quote(octets(value), safe="").replace("%", "%25")


def percent_specials_thrice(value: str, rng: Random) -> str:
    """%252527."""
    return quote(octets(value), safe="").replace("%", "%2525")


def percent_wide(value: str, rng: Random) -> str:
    """%u0027, as old servers of Microsoft read it; characters beyond 16 bits as surrogate pairs."""
    units = value.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 and chr(code).isalnum() else f"%u{code:04x}" for code in codes)


def percent_nested(value: str, rng: Random) -> str:
    """%%32%37: the digits of an encoding are encoded."""
    return re.sub(
        r"%(..)", lambda found: "%" + "".join(f"%{ord(digit):02x}" for digit in found[1]), quote(octets(value), safe="")
    )


# ── entities ────────────────────────────────────────────────────────────────────────────────────────────────────


def entities(write: Spell) -> Spell:
    """A spelling of attribute values in HTML, where browsers decode entities; of all of it where there are none."""

    def spell(value: str, rng: Random) -> str:
        if "<" not in value:
            return write(value, rng)
        found = _ATTRIBUTE.sub(lambda hit: hit[1] + write(hit[2], rng), value)
        return write(value, rng) if found == value else found

    return spell


def decimal(value: str, rng: Random) -> str:
    """&#60; for about half of the characters."""
    return "".join(f"&#{ord(char)};" if rng.random() < 0.5 else char for char in value)


def decimal_long(value: str, rng: Random) -> str:
    """&#0000060; for every character."""
    return "".join(f"&#{ord(char):07d};" for char in value)


def hexadecimal(value: str, rng: Random) -> str:
    """&#x3c; for every character."""
    return "".join(f"&#x{ord(char):x};" for char in value)


def hexadecimal_open(value: str, rng: Random) -> str:
    """&#X3C without the semicolon, for signs that no digit follows."""
    return re.sub(r"[!-/:-@\[-`{-~](?![0-9a-fA-F])", lambda found: f"&#X{ord(found[0]):02X}", value)


def named(value: str, rng: Random) -> str:
    """&lpar; for what has a name in HTML."""
    return "".join(_NAMED.get(char, char) for char in value)


# ── Unicode ─────────────────────────────────────────────────────────────────────────────────────────────────────


def wide_letters(value: str, rng: Random) -> str:
    """Letters as their full-width forms, which servers with best-fit mapping take for the letters."""
    return "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char.isalpha() else char for char in value)


def wide_specials(value: str, rng: Random) -> str:
    """Signs as their full-width forms."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" and not char.isalnum() else char for char in value)


def json_specials(value: str, rng: Random) -> str:
    """\\u0027 for what is neither letter nor digit."""
    return "".join(char if char.isascii() and char.isalnum() else _escape(char, "x") for char in value)


def json_all(value: str, rng: Random) -> str:
    """\\u0073 for every character, in capitals."""
    return "".join(_escape(char, "X") for char in value)


def _escape(char: str, digits: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04{digits}}" for at in range(0, len(units), 2))


# ── base64 and junk ─────────────────────────────────────────────────────────────────────────────────────────────


def base64_plain(value: str, rng: Random) -> str:
    """The value as base64, as applications pass state around."""
    return base64.b64encode(octets(value)).decode()


def base64_state(value: str, rng: Random) -> str:
    """In a JSON object as base64 for URLs (RFC 4648 §5), without padding: how pages keep their state."""
    state = json.dumps({"value": octets(value).decode("utf-8", "replace"), "page": rng.randint(1, 99)})
    return base64.urlsafe_b64encode(state.encode()).decode().rstrip("=")


def base64_data(value: str, rng: Random) -> str:
    """As the text of a data: address."""
    return f"data:text/plain;base64,{base64.b64encode(octets(value)).decode()}"


def in_prose(value: str, rng: Random) -> str:
    """Words before and after."""
    before, after = (" ".join(rng.choices(_WORDS, k=rng.randint(3, 12))) for _ in range(2))
    return f"{before} {value} {after}"


def after_digits(value: str, rng: Random) -> str:
    """A long number before."""
    return f"{rng.getrandbits(256)}{value}"


def after_hex(value: str, rng: Random) -> str:
    """A digest before and after, as tools mark their requests."""
    return f"{rng.getrandbits(128):032x} {value} {rng.getrandbits(128):032x}"


def tag(rng: Random) -> str:
    """A short word without meaning."""
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8)))
