"""Secrets that give themselves away without a name: cards, keys, tokens, user names in addresses, random runs.

`mask_tokens(text)` masks payment card numbers (Luhn, ISO/IEC 7812), JSON Web Tokens (RFC 7519), well-known key
formats, PEM private keys, the userinfo of URLs (RFC 3986), the local part of e-mail addresses, and runs that look
random.
"""

import re
from typing import Final

from classifier.symbols import blank, is_base64_text

_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{3,19}+(?![0-9])(?:[ .+-][0-9]{1,7}+(?![0-9]))*+")
_THIRTEEN: Final = re.compile(r"[0-9](?:[ .+-]?[0-9]){12}")
_CARD: Final = re.compile(r"[2-6][0-9]{12,18}")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_MANY: Final = 64
_KNOWN: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))(?:eyJ[\w-]{5,}+(?:\.[\w-]*+){1,4}+|(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}|gh[opsru]_\w{20,}+"
    r"|github_pat_\w{20,}+|glpat-[\w-]{16,}+|xox[abeoprs]-[\w-]{10,}+|[rsp]k_(?:live|test)_\w{10,}+"
    r"|AIza[\w-]{30,}+|ya29\.[\w-]{10,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+|npm_\w{30,}+|hf_\w{30,}+)",
    re.ASCII,
)
_PREFIXES: Final = tuple(
    "eyJ AKIA ASIA AROA AIDA gho_ ghp_ ghs_ ghr_ ghu_ github_ glpat xox k_live k_test AIza ya29 SG. npm_ hf_".split()
)
_PEM: Final = re.compile(r"(?<=PRIVATE[ +]KEY)(?: BLOCK)?-----([^-]++)")
_USERINFO: Final = re.compile(r"(?:(?<=//)|(?<=\\/\\/))[^\s/?#\"'<>]++")
_MAIL: Final = re.compile(r"(?:(?<![\w.+%\\-])|(?<=\\[bfnrt])|(?<=\\)(?![bfnrt]))[\w.+%-]++(?=@[\w-])")
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}+={0,2}")
_HEX: Final = re.compile(r"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{24,}|(?=[A-F]*[0-9])(?=[0-9]*[A-F])[0-9A-F]{24,}")
_OTHER: Final = re.compile("[^A-Za-z0-9]+")
_CHUNK: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_RATIO: Final = 0.27
"""Chunks (a word, a number) per character: random base64 has 0.48, random base36 0.40, words in camel case 0.17."""


def mask_tokens(text: str) -> str:
    """Mask every secret that can be told by its looks. Same length."""
    if "@" in text:
        text = _USERINFO.sub(_userinfo, text)
        text = _MAIL.sub(lambda local: blank(local[0]), text)
    if _THIRTEEN.search(text):
        text = _DIGITS.sub(_cards, text)
    for prefix in _PREFIXES:
        if prefix in text:
            text = _KNOWN.sub(lambda key: blank(key[0]), text)
            break
    if "PRIVATE" in text:
        text = _PEM.sub(lambda pem: blank(pem[0]), text)
    return _RUN.sub(_random, text)


def luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _userinfo(authority: re.Match[str]) -> str:
    user, at, host = authority[0].rpartition("@")
    return f"{blank(user)}{at}{host}"


def _cards(number: re.Match[str]) -> str:
    """Mask the groups of digits that make up a card number; it then starts with 1, as no card does."""
    source = number[0]
    if len(source) < 13:
        return source
    parts = re.split("([ .+-])", source)
    if len(parts) > 2 * _MANY:
        return re.sub("[0-9]", "0", source)
    for first in range(0, len(parts), 2):
        digits = ""
        for last in range(first, min(first + 13, len(parts)), 2):
            digits += parts[last]
            if _CARD.fullmatch(digits) and luhn(digits):
                masked = re.sub("[0-9]", "0", "".join(parts[first : last + 1]))
                parts[first : last + 1] = re.split("([ .+-])", f"1{masked[1:]}")
                break
    return "".join(parts)


def _random(run: re.Match[str]) -> str:
    source = run[0]
    if source[0] in "bfnrt" and run.string[run.start() - 1 : run.start()] == "\\":
        return source[0] + _blank_random(source[1:])  # the letter belongs to an escape such as a line feed's
    return _blank_random(source)


def _blank_random(source: str) -> str:
    if "/" not in source:
        return blank(source) if _is_random(source) else source
    parts = source.split("/")
    if any(len(part) >= 20 and _is_random(part) for part in parts):
        return "/".join(blank(part) if _looks_random(part) else part for part in parts)
    return blank(source) if len(source) >= 32 and _is_random(source, strict=True) else source


def _looks_random(part: str) -> bool:
    return _is_random(part) if len(part) >= 20 else len(_CHUNK.findall(part)) >= 3


def _is_random(run: str, *, strict: bool = False) -> bool:
    mixed = not (run.islower() or run.isupper())
    if strict and not mixed:
        return False
    if _HEX.fullmatch(run) or (mixed and is_base64_text(run)):
        return True
    letters = _OTHER.sub("", run)
    digits = not letters.isalpha()
    if letters.isdigit() or not (digits and mixed if strict else digits or mixed):
        return False
    return len(_CHUNK.findall(letters)) >= (0.35 if strict else _RATIO) * len(letters) > 0
