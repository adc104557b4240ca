"""What the rewriting of commands, paths and addresses looks like; shells agree on what the commands say."""

import base64
import ipaddress
import posixpath
import re
import subprocess
from collections.abc import Callable
from random import Random

import pytest

from classifier.training.rewriting import shells as sh
from classifier.training.rewriting.spellings import Spell

RUN = "; cat /etc/passwd"


def spelled(spell: Spell, value: str) -> str:
    return spell(value, Random(1))


@pytest.mark.parametrize(
    ("spell", "value", "wanted"),
    [
        (sh.commands(sh.quoted), "; id | cat /etc/passwd", "; i''d | c''at /etc/passwd"),
        (sh.commands(sh.escaped), RUN, r"; c\at /etc/passwd"),
        (sh.commands(sh.quoted_double), RUN, '; ca""t /etc/passwd'),
        (sh.commands(sh.dollared), RUN, "; c$@at /etc/passwd"),
        (sh.runs(sh.from_variables), RUN, "; a=c;b=at;$a$b /etc/passwd"),
        (sh.runs(sh.braced), RUN, "; {cat,/etc/passwd}"),
        (sh.runs(sh.braced), "x=$(id)", "x=$(id)"),
        (sh.wild_end, RUN, "; cat /etc/passw*"),
        (sh.wild_middle, RUN, "; cat /e?c/p?sswd"),
        (sh.steps("....//"), "../../etc/passwd", "....//....//etc/passwd"),
        (sh.steps("..\\"), "../..\\x", "..\\..\\x"),
        (sh.slashes(lambda _: "/./"), "/etc/passwd", "/./etc/./passwd"),
        (sh.addresses(sh.whole_number), "http://127.0.0.1:80/x", "http://2130706433:80/x"),
        (sh.addresses(sh.hex_number), "http://localhost/x", "http://0x7f000001/x"),
        (sh.addresses(sh.octal), "http://127.0.0.1/", "http://0177.0000.0000.0001/"),
        (sh.addresses(sh.mapped), "http://127.0.0.1/", "http://[::ffff:7f00:1]/"),
        (sh.addresses(sh.octal), "http://999.0.0.1/", "http://999.0.0.1/"),
    ],
)
def test_rewriting(spell: Spell, value: str, wanted: str) -> None:
    assert spelled(spell, value) == wanted


def test_encoded_commands_decode_back() -> None:
    echo = re.fullmatch(r"; echo (\S+)\|base64 -d\|sh", spelled(sh.runs(sh.piped_base64), RUN))
    fed = re.fullmatch(r"; bash<<<\$\(base64 --decode<<<(\S+)\)", spelled(sh.runs(sh.fed_base64), RUN))
    xxd = re.fullmatch(r"; echo (\S+)\|xxd -r -p\|sh", spelled(sh.runs(sh.piped_hex), RUN))
    assert echo and base64.b64decode(echo[1]) == b"cat /etc/passwd"
    assert fed and base64.b64decode(fed[1]) == b"cat /etc/passwd"
    assert xxd and bytes.fromhex(xxd[1]) == b"cat /etc/passwd"


@pytest.mark.parametrize(
    "write", [sh.quoted, sh.escaped, sh.quoted_double, sh.dollared, sh.from_variables, sh.piped_base64]
)
def test_a_shell_runs_the_same_command(write: Callable[[str], str]) -> None:
    done = subprocess.run(["sh", "-c", write("pwd")], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout == "/\n"


def test_a_shell_prints_the_same_command() -> None:
    assert sh.printed_hex("pwd") == r"$(printf '\x70\x77\x64')"


def test_a_detour_comes_back() -> None:
    found = spelled(sh.slashes(sh.detour), "/etc/passwd")
    assert re.fullmatch(r"/[a-z]+/\.\./etc/[a-z]+/\.\./passwd", found)
    assert posixpath.normpath(found) == "/etc/passwd"


def test_a_null_comes_before_the_extension() -> None:
    assert re.fullmatch("a\0\\.(png|jpg|html)", spelled(sh.ended_by_null, "a"))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3"])
def test_addresses_stay_the_addresses_they_are(address: str) -> None:
    plain = ipaddress.IPv4Address(address)
    assert ipaddress.IPv4Address(int(sh.whole_number(plain))) == plain
    assert ipaddress.IPv4Address(int(sh.hex_number(plain), 16)) == plain
    assert ipaddress.IPv6Address(sh.mapped(plain)[1:-1]).ipv4_mapped == plain
    assert ".".join(str(int(part, 8)) for part in sh.octal(plain).split(".")) == address
