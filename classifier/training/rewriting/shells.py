"""Other ways to write an attack on the system below: shell commands, paths, addresses. Spellings, see `dialects`."""

import base64
import ipaddress
import re
from collections.abc import Callable
from random import Random
from typing import Final

from classifier.training.rewriting.spellings import Spell, tag

_COMMAND: Final = re.compile(r"(?<![\w'\"\\$@{-])(?<!\w[./])(?:[a-z]{2,12})(?=[\s;|&`)'\"<>]|$)")
_RUN: Final = re.compile(
    r"(?P<head>^|[;|&`\n]\s*|\$\(\s*)(?P<run>[a-z/][\w./ -]{1,200}?)(?P<tail>\s*(?:$|[;|&`)\n#<>]))"
)
_DOTS: Final = re.compile(r"\.\.[/\\]+")
_IPV4: Final = re.compile(r"(?<=//)(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")


# ── shell ───────────────────────────────────────────────────────────────────────────────────────────────────────


def commands(write: Callable[[str], str]) -> Spell:
    """A spelling of the words of a shell command."""
    return lambda value, rng: _COMMAND.sub(lambda found: write(found[0]), value)


def quoted(word: str) -> str:
    """c''at"""
    return f"{word[:1]}''{word[1:]}"


def escaped(word: str) -> str:
    """c\\at"""
    return f"{word[:1]}\\{word[1:]}"


def quoted_double(word: str) -> str:
    """ca""t"""
    return f'{word[:-1]}""{word[-1:]}'


def dollared(word: str) -> str:
    """c$@at"""
    return f"{word[:1]}$@{word[1:]}"


def runs(write: Callable[[str], str]) -> Spell:
    """A spelling of whole commands: what stands between separators."""
    return lambda value, rng: _RUN.sub(
        lambda hit: hit["head"] + write(hit["run"].strip()) + hit["tail"], value, count=1
    )


def piped_base64(command: str) -> str:
    """echo …|base64 -d|sh"""
    return f"echo {base64.b64encode(command.encode()).decode()}|base64 -d|sh"


def fed_base64(command: str) -> str:
    """bash<<<$(base64 --decode<<<…)"""
    return f"bash<<<$(base64 --decode<<<{base64.b64encode(command.encode()).decode()})"


def piped_hex(command: str) -> str:
    """echo …|xxd -r -p|sh"""
    return f"echo {command.encode().hex()}|xxd -r -p|sh"


def printed_hex(command: str) -> str:
    """$(printf '\\x63…')"""
    return "$(printf '" + "".join(f"\\x{byte:02x}" for byte in command.encode()) + "')"


def from_variables(command: str) -> str:
    """a=c;b=at;$a$b /etc/passwd"""
    name, gap, rest = command.partition(" ")
    return f"a={name[:1]};b={name[1:]};$a$b{gap}{rest}"


def braced(command: str) -> str:
    """{cat,/etc/passwd}"""
    return "{" + ",".join(command.split()) + "}" if " " in command else command


def wild_end(value: str, rng: Random) -> str:
    """/etc/passw*"""
    return re.sub(r"(/[a-z]+/\w{3,})\w(?![\w*/])", r"\1*", value)


def wild_middle(value: str, rng: Random) -> str:
    """/e?c/p??swd"""
    return re.sub(r"/(\w)(\w)(?=\w)", lambda found: f"/{found[1]}?", value)


# ── paths ───────────────────────────────────────────────────────────────────────────────────────────────────────


def steps(write: str) -> Spell:
    """A spelling of `../`."""
    return lambda value, rng: _DOTS.sub(lambda _: write, value)


def slashes(write: Callable[[Random], str]) -> Spell:
    """A spelling of the slashes between names."""
    return lambda value, rng: re.sub(r"(?<=[\w.])/(?=[\w.])|^/(?=\w)", lambda _: write(rng), value)


def detour(rng: Random) -> str:
    """/name/../"""
    return f"/{tag(rng)}/../"


def ended_by_null(value: str, rng: Random) -> str:
    """A null and a harmless extension."""
    return f"{value}\0.{rng.choice(('png', 'jpg', 'html'))}"


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────


def addresses(write: Callable[[ipaddress.IPv4Address], str]) -> Spell:
    """A spelling of the IPv4 addresses of URLs; localhost counts as one."""

    def spell(value: str, rng: Random) -> str:
        plain = re.sub(r"(?<=//)localhost\b", "127.0.0.1", value)
        return _IPV4.sub(lambda hit: _address(hit[0], write), plain)

    return spell


def _address(found: str, write: Callable[[ipaddress.IPv4Address], str]) -> str:
    try:
        return write(ipaddress.IPv4Address(found))
    except ValueError:
        return found


def whole_number(address: ipaddress.IPv4Address) -> str:
    """2130706433"""
    return str(int(address))


def hex_number(address: ipaddress.IPv4Address) -> str:
    """0x7f000001"""
    return f"0x{int(address):08x}"


def octal(address: ipaddress.IPv4Address) -> str:
    """0177.0000.0000.0001"""
    return ".".join(f"0{byte:03o}" for byte in address.packed)


def mapped(address: ipaddress.IPv4Address) -> str:
    """[::ffff:7f00:1]"""
    return f"[::ffff:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}]"
