"""Other ways to write an attack in its own language: SQL, HTML and JavaScript.

The functions are spellings (see `spellings`). They keep what the attack does where that is cheap, and change nothing
where the value has no place for them. The techniques are those of the public evasion literature: the tamper
scripts of sqlmap, the OWASP cheat sheets, PayloadsAllTheThings.
"""

import base64
import re
from collections.abc import Callable
from random import Random
from typing import Final

from classifier.training.rewriting.spellings import Spell, octets, tag

_SQL: Final = re.compile(
    r"\b(?:union|select|from|where|and|or|order|by|group|having|insert|into|update|delete|drop|table|limit|like|all|"
    r"concat|sleep|benchmark|version|user|database|null|if|case|when|then|else|end|exec|waitfor|delay|between)\b",
    re.IGNORECASE,
)
_ENDED: Final = re.compile(r"(?:--|#)\W{0,8}\w{0,8}$")
_STRING: Final = re.compile(r"'(\w{1,40})'")
_NUMBER: Final = re.compile(r"(?<![\w.'\"])\d{1,6}(?![\w.'\"])")
_MARKUP: Final = re.compile(r"</?[a-z]\w*|\bon[a-z]+(?=\s*=)|\b(?:java|vb)script(?=\s*:)", re.IGNORECASE)
_TAG_SPACE: Final = re.compile(r"(<[a-z]\w*)\s+(?=[a-z])", re.IGNORECASE)
_CALL: Final = re.compile(r"\b(alert|confirm|prompt|print|eval)\s*(?=[(`])")
_CALLED: Final = re.compile(r"\b(?:alert|confirm|prompt|print)\([^()]*\)")

# ── SQL ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def commented(write: Callable[[Random], str]) -> Spell:
    """A spelling that writes spaces as comments, up to the comment that ends the value."""

    def spell(value: str, rng: Random) -> str:
        found = _ENDED.search(value)
        end = found.start() if found else len(value)
        return re.sub(" +", lambda _: write(rng), value[:end]) + value[end:]

    return spell


def empty_comment(rng: Random) -> str:
    """/**/"""
    return "/**/"


def hash_comment(rng: Random) -> str:
    """A comment to the end of the line, empty."""
    return "#\n"


def told_comment(rng: Random) -> str:
    """/*text*/"""
    return f"/*{tag(rng)}*/"


def dash_comment(rng: Random) -> str:
    """-- text, to the end of the line."""
    return f"--{tag(rng)}\n"


def versioned(value: str, rng: Random) -> str:
    """/*!50000select*/, which MySQL runs."""
    return _SQL.sub(lambda found: f"/*!50000{found[0]}*/", value)


def strings(write: Callable[[str], str]) -> Spell:
    """A spelling of SQL's quoted strings."""
    return lambda value, rng: _STRING.sub(lambda found: write(found[1]), value)


def hex_string(inner: str) -> str:
    """0x616263"""
    return f"0x{inner.encode().hex()}"


def char_string(inner: str) -> str:
    """CHAR(97,98,99)"""
    return f"CHAR({','.join(str(ord(char)) for char in inner)})"


def unhex_string(inner: str) -> str:
    """unhex('616263')"""
    return f"unhex('{inner.encode().hex().upper()}')"


def chr_string(inner: str) -> str:
    """chr(97)||chr(98)"""
    return "||".join(f"chr({ord(char)})" for char in inner)


def base64_string(inner: str) -> str:
    """from_base64('YWJj')"""
    return f"from_base64('{base64.b64encode(inner.encode()).decode()}')"


def piped_string(inner: str) -> str:
    """'a'||'bc'"""
    return f"'{inner[:1]}'||'{inner[1:]}'"


def concat_string(inner: str) -> str:
    """CONCAT('ab','c')"""
    middle = (len(inner) + 1) // 2
    return f"CONCAT('{inner[:middle]}','{inner[middle:]}')"


def plus_string(inner: str) -> str:
    """'a'+'b'+'c'"""
    return "+".join(f"'{char}'" for char in inner)


def hex_numbers(value: str, rng: Random) -> str:
    """1 → 0x1"""
    return _NUMBER.sub(lambda found: hex(int(found[0])), value)


def float_numbers(value: str, rng: Random) -> str:
    """1 → 1e0"""
    return _NUMBER.sub(lambda found: f"{found[0]}e0", value)


# ── HTML and JavaScript ─────────────────────────────────────────────────────────────────────────────────────────


def markup(change: Callable[[str, Random], str]) -> Spell:
    """A spelling of the names that HTML reads without regard to case."""
    return lambda value, rng: _MARKUP.sub(lambda found: change(found[0], rng), value)


def tag_spaced(*kinds: str) -> Spell:
    """A spelling of what stands between a tag's name and its first attribute."""
    return lambda value, rng: _TAG_SPACE.sub(lambda found: found[1] + rng.choice(kinds), value)


def script_comment(value: str, rng: Random) -> str:
    """alert/**/(1)"""
    return _CALL.sub(r"\1/**/", value)


def told_script_comment(value: str, rng: Random) -> str:
    """alert/*text*/(1), and //text after it all."""
    return _CALL.sub(lambda found: f"{found[1]}/*{tag(rng)}*/", value)


def html_comment(value: str, rng: Random) -> str:
    """A comment before the first tag."""
    return value.replace("<", "<!-- --><", 1)


def told_html_comment(value: str, rng: Random) -> str:
    """A comment that closes oddly, before each tag."""
    return re.sub(r"<(?=[a-zA-Z])", lambda _: f"<!--{tag(rng)}--!><", value)


def script_escape(value: str, rng: Random) -> str:
    """\\u0061lert(1)"""
    return _CALL.sub(lambda found: f"\\u{ord(found[1][0]):04x}{found[1][1:]}", value)


def script_escape_braces(value: str, rng: Random) -> str:
    """al\\u{65}rt(1)"""
    return _CALL.sub(lambda found: f"{found[1][:2]}\\u{{{ord(found[1][2]):x}}}{found[1][3:]}", value)


def calls(write: Callable[[str], str]) -> Spell:
    """A spelling of the calls that prove a script runs."""
    return lambda value, rng: _CALLED.sub(lambda found: write(found[0]), value)


def from_codes(call: str) -> str:
    """eval(String.fromCharCode(97,…))"""
    return f"eval(String.fromCharCode({','.join(str(ord(char)) for char in call)}))"


def from_hex(call: str) -> str:
    """setTimeout('\\x61…')"""
    return "setTimeout('" + "".join(f"\\x{byte:02x}" for byte in call.encode()) + "')"


def from_atob(call: str) -> str:
    """eval(atob('…'))"""
    return f"eval(atob('{base64.b64encode(call.encode()).decode()}'))"


def from_function(call: str) -> str:
    """Function(atob`…`)()"""
    return f"Function(atob`{base64.b64encode(call.encode()).decode()}`)()"


def by_key(call: str) -> str:
    """self['ale'+'rt'](1)"""
    name, _, rest = call.partition("(")
    return f"self['{name[:3]}'+'{name[3:]}']({rest}"


def by_source(call: str) -> str:
    """top[/al/.source+/ert/.source](1)"""
    name, _, rest = call.partition("(")
    return f"top[/{name[:2]}/.source+/{name[2:]}/.source]({rest}"


def as_data(value: str, rng: Random) -> str:
    """The markup as an address that holds it."""
    return f"data:text/html;base64,{base64.b64encode(octets(value)).decode()}" if "<" in value else value
