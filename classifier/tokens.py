"""Secrets that give themselves away without a name: cards, keys, tokens, user names in addresses, random runs.

`mask_tokens(text)` masks payment card numbers (Luhn, ISO/IEC 7812), JSON Web Tokens (RFC 7519), well-known key
formats, PEM private keys, the userinfo of URLs (RFC 3986), the local part of e-mail addresses, and runs that look
random.
"""

import re
import string
from functools import lru_cache
from typing import Final

from classifier.symbols import blank, is_base64_text, run_classes

_DIGITS: Final = re.compile(r"[0-9](?<![0-9]{2})(?=[0-9 .+-]{12})[0-9]{2,18}+(?![0-9])(?:[ .+-][0-9]{1,7}+(?![0-9]))*+")
_THIRTEEN: Final = b"0" * 13
_ZEROS: Final = bytes([48 if 48 <= code <= 57 else 32 for code in range(256)])
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_MANY: Final = 64
_KNOWN: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))(?:eyJ[\w-]{5,}+(?:\.[\w-]*+){1,4}+|(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}|gh[opsru]_\w{20,}+"
    r"|github_pat_\w{20,}+|glpat-[\w-]{16,}+|xox[abeoprs]-[\w-]{10,}+|[rsp]k_(?:live|test)_\w{10,}+"
    r"|AIza[\w-]{30,}+|ya29\.[\w-]{10,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+|npm_\w{30,}+|hf_\w{30,}+)",
    re.ASCII,
)
_SHORT_KEYS: Final = tuple("xox k_live k_test SG.".split())
_LONG_KEYS: Final = tuple("AKIA ASIA AROA AIDA gho_ ghp_ ghs_ ghr_ ghu_ github_ glpat AIza npm_ hf_".split())
"""What well-known keys start with, beside `eyJ` and `ya29`; the latter always stand in a long run."""
_PEM: Final = re.compile(r"(?<=PRIVATE[ +]KEY)(?: BLOCK)?-----([^-]++)")
_USERINFO: Final = re.compile(r"(//|\\/\\/)([^\s/?#\"'<>]++)")
_MAIL: Final = re.compile(r"@(?<=[\w-]@)([\w.+%-]++)(\\?)")
"""The local part of an address in a text that is written backwards, and a backslash before it."""
_SHORTEST: Final = 20
_LONG: Final = b"x" * _SHORTEST
_KEY: Final = b"x" * 15
"""The run that a key beside `eyJ` and `ya29` has at least: `xoxb-` and ten characters."""
_HEX: Final = re.compile(r"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{24,}|(?=[A-F]*[0-9])(?=[0-9]*[A-F])[0-9A-F]{24,}")
_WORD: Final = re.compile("[A-Za-z0-9]{20,}+")
_LITERAL: Final = re.compile("0[xX]([0-9A-Fa-f]+?)(?=0[xX]|[^0-9A-Fa-f]|$)")
_LITERALS: Final = re.compile("(?:0[xX][0-9A-Fa-f]+[-+/_]*)+")
_SHAPE: Final = bytes(
    [
        ord(
            "0"
            if chr(code) in string.digits
            else "a"
            if chr(code) in string.ascii_lowercase
            else "A"
            if chr(code) in string.ascii_uppercase
            else " "
        )
        for code in range(256)
    ]
)
_CACHED: Final = 128
"""Runs up to this many characters are remembered: the words of a site's paths repeat, and what a first look left as it
was, a second one need not judge again."""
_LOWER, _UPPER, _DIGIT = b"aA0"
_ONE_CASE: Final = bytes.maketrans(b"A", b"a")
_RATIO: Final = 0.27
"""Chunks (a word, a number) per character: random base64 has 0.48, random base36 0.40, words in camel case 0.17."""


def mask_tokens(text: str) -> str:
    """Mask every secret that can be told by its looks. Same length."""
    if "@" in text:
        if "//" in text or "\\/\\/" in text:
            text = _USERINFO.sub(_userinfo, text)
        text = _MAIL.sub(_local, text[::-1])[::-1]
    raw = text.encode("latin-1", "replace")
    if len(raw) >= 13 and raw.translate(_ZEROS, b" .+-").find(_THIRTEEN) >= 0:  # `in` is slower for bytes
        text = _DIGITS.sub(_cards, text)
    classes = run_classes(raw)
    long = classes.find(_LONG)
    if "eyJ" in text or "ya29" in text or (classes.find(_KEY) >= 0 and _may_hold_keys(text, long=long >= 0)):
        text = _KNOWN.sub(lambda key: blank(key[0]), text)
    if "PRIVATE" in text:
        text = _PEM.sub(lambda pem: blank(pem[0]), text)
    return _mask_runs(text, classes, long) if long >= 0 else text


def _may_hold_keys(text: str, *, long: bool) -> bool:
    for prefix in _SHORT_KEYS:
        if prefix in text:
            return True
    return long and ("_" in text or "A" in text or "-" in text) and any([prefix in text for prefix in _LONG_KEYS])


def _mask_runs(text: str, classes: bytes, start: int) -> str:
    # Searching for bytes takes a tenth of the time that a regular expression needs.
    out: list[str] = []
    last, shape = 0, _shape(text)
    letters = shape.translate(_ONE_CASE)
    while start >= 0:
        end = classes.find(b" ", start)
        end = len(text) if end < 0 else end
        if _has_joint(shape, letters, start, end):  # else it is plain words and numbers, as in most paths
            if text.startswith("=", end):
                end += 2 if text.startswith("==", end) else 1
            run = text[start:end]
            if run.strip("x0/+_-="):  # else it is masked already
                out += (text[last:start], _looked_up(run, text[start - 1 : start]))
                last = end
        start = classes.find(_LONG, end)
    if not out:
        return text
    out.append(text[last:])
    return "".join(out)


def luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    codes = digits.encode()
    total = sum(codes[-1::-2]) + sum(codes[-2::-2].translate(_DOUBLED))
    return (total - len(codes) * ord("0")) % 10 == 0


def _userinfo(authority: re.Match[str]) -> str:
    user, at, host = authority[2].rpartition("@")
    return f"{authority[1]}{blank(user)}{at}{host}" if at else authority[0]


def _local(mail: re.Match[str]) -> str:
    if not mail[1].strip("x0"):
        return mail[0]
    local = mail[1][::-1]
    kept = local[0] if mail[2] and local[0] in "bfnrt" else ""  # the letter belongs to an escape such as a line feed's
    return f"@{(kept + blank(local[len(kept) :]))[::-1]}{mail[2]}"


def _cards(number: re.Match[str]) -> str:
    """Mask the groups of digits that make up a card number; it then starts with 1, as no card does."""
    source = number[0]
    if len(source) < 13:
        return source
    if source.isdigit():
        return f"1{'0' * (len(source) - 1)}" if source[0] in "23456" and luhn(source) else source
    parts = re.split("([ .+-])", source)
    if len(parts) > 2 * _MANY:
        return re.sub("[0-9]", "0", source)
    for first in range(0, len(parts), 2):
        if parts[first][0] not in "23456":
            continue
        digits = ""
        for last in range(first, min(first + 13, len(parts)), 2):
            digits += parts[last]
            if len(digits) > 19:
                break
            if len(digits) >= 13 and luhn(digits):
                masked = re.sub("[0-9]", "0", "".join(parts[first : last + 1]))
                parts[first : last + 1] = re.split("([ .+-])", f"1{masked[1:]}")
                break
    return "".join(parts)


def _looked_up(run: str, before: str) -> str:
    return _repeated(run, before) if len(run) <= _CACHED else _random(run, before)


def _random(run: str, before: str) -> str:
    """The run, masked as far as it looks random."""
    if before == "\\" and run[0] in "bfnrt":
        return run[0] + _blank_random(run[1:])  # the letter belongs to an escape such as a line feed's
    return _blank_random(run)


_repeated = lru_cache(maxsize=2048)(_random)


def _blank_random(source: str) -> str:
    if "/" not in source:
        return blank(source) if _is_random(source) else _blank_words(source)
    parts = source.split("/")
    if any(len(part) >= _SHORTEST and _is_random(part) for part in parts):
        return "/".join([blank(part) if _looks_random(part) else part for part in parts])
    return blank(source) if len(source) >= 32 and _is_random(source, strict=True) else _blank_words(source)


def _looks_random(part: str) -> bool:
    if len(part) >= _SHORTEST:
        return _is_random(part)
    shape = _shape(part)
    return _joints(shape, shape.translate(_ONE_CASE)) + part.count("+") >= 2


def _is_random(run: str, *, strict: bool = False) -> bool:
    shape = _shape(run)
    lower, upper, digits = _LOWER in shape, _UPPER in shape, _DIGIT in shape
    mixed = lower and upper
    if not (lower or upper) or not (digits and mixed if strict else digits or mixed):
        return False
    if _HEX.fullmatch(run) or (mixed and is_base64_text(run)):
        return True
    if _LITERALS.fullmatch(run) and all(map(_is_readable, _LITERAL.findall(run))):
        return False
    signs = shape.count(b" ")
    enough = (0.35 if strict else _RATIO) * (len(shape) - signs)
    letters = shape.translate(_ONE_CASE)
    joints = _joints(shape, letters)
    # A word or a number that stands alone says nothing: slugs, sizes and dates have many. Others have a joint.
    if joints >= enough or 2 * joints < enough:
        return joints >= enough
    return joints + (_mixed_words(shape, letters) if signs else 1) >= enough


def _shape(run: str) -> bytes:
    return run.encode("latin-1", "replace").translate(_SHAPE)


def _joints(shape: bytes, letters: bytes) -> int:
    """How often letters and digits meet, a word in camel case starts, and capitals end in a word.

    `letters` is the shape in one case.
    """
    return letters.count(b"a0") + letters.count(b"0a") + shape.count(b"aA") + shape.count(b"AAa")


def _has_joint(shape: bytes, letters: bytes, start: int, end: int) -> bool:
    return (
        letters.find(b"a0", start, end) >= 0
        or letters.find(b"0a", start, end) >= 0
        or shape.find(b"aA", start, end) >= 0
        or shape.find(b"AAa", start, end) >= 0
    )


def _mixed_words(shape: bytes, letters: bytes) -> int:
    return sum([_joints(word, plain) > 0 for word, plain in zip(shape.split(), letters.split(), strict=True)])


def _blank_words(run: str) -> str:
    """Mask the random words of a run that is mostly plain: `/some-news-of-today-668cff54e4b08f09c1fb172d`."""
    if run.isalnum():
        return run  # one word, which was found plain as a run
    return _WORD.sub(lambda word: blank(word[0]) if _is_random(word[0]) else word[0], run)


def _is_readable(literal: str) -> bool:
    """Whether a hexadecimal literal, as injections write strings, is printable ASCII."""
    return len(literal) % 2 == 0 and all(32 <= code < 127 for code in bytes.fromhex(literal))
