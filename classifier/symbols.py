"""What a secret turns into: class-and-length symbols, with attack syntax left readable.

`blank(text)` rewrites a text that is a secret from end to end. Every run of letters becomes `x`, every
digit `0`, at the same length; punctuation, escapes of punctuation and the public words of `WORDS` stay.
Decoding comes first: `%53`, `%2553`, `\\u0053`, `\\x53` and `&#83;` are the letter they stand for, and are
written back as an escape of the symbol in the same notation. Base64 stays base64 where its text holds
attack syntax.

`through(text, change)` lets a rule see a text without its escapes; `settle(change, text)` applies a rule until it
changes nothing more, which is what makes masking idempotent whatever the rules do to each other.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

WORDS: Final = frozenset(
    """
    select union all distinct insert into update delete drop alter create truncate table tables column columns
    database databases schema schemata information from where and or not xor like rlike regexp between in is null
    having order by limit offset as on join left right inner outer exists case when then else end if ifnull
    values set exec execute declare cast convert char nchar varchar concat ascii hex unhex substr substring mid
    length count sum sleep benchmark waitfor delay pg dbms extractvalue updatexml load file outfile
    dumpfile sysobjects syscolumns cmdshell sqlite true false
    script iframe img svg body html input form object embed link style meta base video audio source details
    marquee onerror onload onclick onmouseover onfocus onblur ontoggle onstart onanimationstart onpointerenter
    onmouseenter autofocus src href action formaction srcdoc data javascript vbscript expression alert confirm
    prompt eval function return var let const new document location cookie domain innerhtml
    fromcharcode string constructor prototype settimeout setinterval fetch xmlhttprequest atob btoa console log
    etc passwd hosts bin sbin usr var tmp dev proc self environ cmdline winnt system32
    win ini boot web inf wp config htaccess htpasswd git env cat ls id whoami uname pwd echo printf ping nslookup
    dig curl wget nc ncat netcat bash sh zsh ksh csh cmd exe powershell perl php lua awk sed grep head
    tail more less tac rev sort find xargs chmod chown rm mv cp kill ps ifconfig ipconfig netstat sudo su type dir
    net systeminfo tasklist ifs null tcp udp
    http https ftp gopher dict ldap ldaps rmi jndi dns jar zip phar expect glob localhost metadata latest
    doctype entity xml element cdata xinclude include require import class getruntime
    processbuilder lang request response 
    basic bearer digest negotiate ntlm realm nonce opaque username uri qop algorithm
    lt gt amp quot apos nbsp sol
    """.split()
)
"""Public words of SQL, HTML, JavaScript, shells, traversal, SSRF and authentication: no secret, wherever they stand."""

_HEX: Final = "[0-9A-Fa-f]"
_ENTITIES: Final = {"&quot;": '"', "&apos;": "'", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&sol;": "/"}

_ESCAPE: Final = (
    rf"%(?:25){{0,3}}(?:{_HEX}{{2}}|u{_HEX}{{4}})"
    rf"|\\(?<!\\\\)\\{{0,7}}(?:u{_HEX}{{4}}|x{_HEX}{{2}})"
    rf"|&\#(?:[xX]{_HEX}{{1,6}}|[0-9]{{1,7}});?"
    rf"|{'|'.join(_ENTITIES)}"
)
ESCAPE: Final = re.compile(f"({_ESCAPE})")
"""One escaped character, as the only group; percent escapes may be nested up to four levels."""

# The same escapes, as far as they stand for a letter, a digit or anything beyond ASCII.
_BYTE: Final = rf"(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|[89A-Fa-f]{_HEX})"
_UNIT16: Final = rf"(?:00{_BYTE}|(?!00){_HEX}{{4}})"
_DECIMAL: Final = (
    r"(?:4[89]|5[0-7]|6[5-9]|[78][0-9]|9[0789]|1[01][0-9]|12[0-2]|12[89]|1[3-9][0-9]|[2-9][0-9]{2}|[1-9][0-9]{3,})"
)
_HEXADECIMAL: Final = rf"(?:{_BYTE}|[1-9A-Fa-f]{_HEX}{{2,}})"
_LETTER: Final = (
    rf"%(?:25){{0,3}}(?:{_BYTE}|u{_UNIT16})"
    rf"|(?<!\\)\\{{1,8}}(?:u{_UNIT16}|x{_BYTE})"
    rf"|&\#(?:[xX]0*+{_HEXADECIMAL}(?!{_HEX})|0*+{_DECIMAL}(?![0-9]));?"
)
_ALNUM: Final = r"[0-9A-Za-z\x80-\U0010ffff]"

_BASE64: Final = 12
"""Base64 shorter than this holds no attack."""
_PIECE: Final = re.compile(
    rf"(?P<base64>[A-Za-z0-9+/_-]{{{_BASE64},}}+={{0,2}})"
    rf"|(?P<run>(?:{_ALNUM}++|{_LETTER})++)"
    rf"|(?P<escape>{_ESCAPE})"
    r"|(?P<backslash>\\++[bfnrt]?)"
)
_RUNS: Final = re.compile(rf"(?P<base64>[A-Za-z0-9+/_-]{{{_BASE64},}}+={{0,2}})|(?P<run>{_ALNUM}++)")
_PLAIN: Final = re.compile(rf"{_ALNUM}+")
# A run of base64 can only be printable ASCII if its first characters are of these: the top bits of the bytes are zero.
_DIGITS64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_MAYBE64: Final = re.compile(
    "[CDI-Za-f]"
    f"[{''.join(_DIGITS64[v] for v in range(62) if not v & 8)}]"
    f"[{''.join(_DIGITS64[v] for v in range(62) if not v & 2)}]"
    ".[CDI-Za-f].{7}"
)
_BASIC: Final = re.compile(r"\s*([A-Za-z0-9+/_-]+)(=*)\s*")
_SYNTAX: Final = re.compile(
    r"\.\.[/\\]|<[a-z/!?]|\$[({]|\{\{|&&|\|\||[;|`&]\s*(?:cat|ls|id|whoami|wget|curl|nc|bash|sh|ping|sleep|cmd)\b"
    r"|['\"]\s*\)?\s*(?:or|and|union|;|--|\|\|)|\bunion\b.{0,40}\bselect\b|\bselect\b.{0,80}\bfrom\b"
    r"|/etc/|/bin/|javascript:|\b(?:file|gopher|dict|jndi|ldap|php|phar)://?",
    re.IGNORECASE | re.DOTALL,
)
_READABLE: Final = re.compile(r"[\t\n\r -~]+")


class _Symbols(dict[int, int]):
    """Translation table: what is not listed is beyond ASCII and counts as a letter."""

    def __missing__(self, code: int) -> int:
        return ord("x")


_SYMBOLS: Final = _Symbols(
    {code: ord("0" if chr(code).isdigit() else "x" if chr(code).isalpha() else chr(code)) for code in range(128)}
    | dict.fromkeys(range(128, 256), ord("x"))
)
# Tables of bytes are an order of magnitude faster than those of characters.
_SYMBOL: Final = bytes([_SYMBOLS[code] for code in range(256)])
_LOWER: Final = bytes([ord(chr(code).lower()) if code > 127 or chr(code).isalnum() else 32 for code in range(256)])
_RUN: Final = bytes(
    [code if code < 128 and (chr(code).isalnum() or chr(code) in "+/_-") else 32 for code in range(256)]
)
_CLASS: Final = _RUN.translate(bytes([32 if code == 32 else ord("x") for code in range(256)]))
_MIN64: Final = b"x" * _BASE64
_BYTE_WORDS: Final = frozenset([word.encode() for word in WORDS])


def runs(text: str) -> list[str]:
    """The runs of letters, digits and `+/_-` of a text."""
    return text.encode("latin-1", "replace").translate(_RUN).decode("latin-1").split()


def run_classes(raw: bytes) -> bytes:
    """`x` for every letter, digit and `+/_-`, a space for anything else."""
    return raw.translate(_CLASS)


def symbols(text: str) -> str:
    """Every letter and digit as its symbol."""
    try:
        return text.encode("latin-1").translate(_SYMBOL).decode("latin-1")
    except UnicodeEncodeError:
        return text.translate(_SYMBOLS)


def blank(text: str) -> str:
    """Mask a text that is a secret as a whole. Same length, idempotent, public words and punctuation stay."""
    if not text.strip("x0"):
        return text
    if len(text) < _BASE64 and text.isalnum():
        return _run(text)
    if "\\" in text:
        return settle(_pieces, text)
    if ("%" in text or "&" in text) and ESCAPE.search(text):
        return through(text, _whole)
    return _whole(text)


def _whole(text: str) -> str:
    """`blank` for a text without escapes."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return settle(_runs, text)
    if len(raw) >= _BASE64 and _MIN64 in run_classes(raw) and any(map(_MAYBE64.match, runs(text))):
        return settle(_runs, text)
    lower = raw.translate(_LOWER)
    words = lower.split()
    if _BYTE_WORDS.isdisjoint(words):
        return raw.translate(_SYMBOL).decode("latin-1")
    masked, padded = bytearray(raw.translate(_SYMBOL)), b" %b " % lower
    for word in _BYTE_WORDS.intersection(words):
        start = padded.find(b" %b " % word)
        while start >= 0:
            masked[start : start + len(word)] = raw[start : start + len(word)]
            start = padded.find(b" %b " % word, start + len(word))
    return masked.decode("latin-1")


def _runs(text: str) -> str:
    return _RUNS.sub(_symbols, text)


def _pieces(text: str) -> str:
    return _PIECE.sub(_symbols, text)


def blank_basic(text: str) -> str:
    """Mask the credentials of `Basic`, which are base64 of `name:password` (RFC 7617): stays base64."""
    token = _BASIC.fullmatch(text)
    decoded = _unbase64(token[1]) if token else None
    if token is None or decoded is None:
        return blank(text)
    masked = blank(decoded)
    return text if masked == decoded else text.replace(token[1], _rebase64(masked, token[1]))


def blank_number(text: str) -> str:
    """Mask a bare JSON number so that it stays one: `-12.5e3` becomes `-10.0e0`."""
    zeros = re.sub("[0-9]", "0", text)
    leading = re.search("[0-9]", text)
    if leading is None or leading[0] == "0":
        return zeros
    return zeros.replace("0", "1", 1)


def is_base64_text(run: str) -> bool:
    """Whether a run of letters and digits is base64 or base64url of printable ASCII."""
    decoded = _unbase64(run.rstrip("=")) if _MAYBE64.match(run) else None
    return bool(decoded and _READABLE.fullmatch(decoded))


def settle(change: Callable[[str], str], text: str) -> str:
    """Apply a masking rule until nothing changes.

    Every step only turns characters into symbols, so this ends after one or two rounds; should rewritten base64
    keep it going, every letter and digit becomes a symbol, which no rule changes.
    """
    for _ in range(6):
        changed = change(text)
        if changed == text:
            return text
        text = changed
    return symbols(text)


def through(text: str, change: Callable[[str], str]) -> str:
    """Apply a length-preserving rule to the text without its escapes; what it changed is escaped as before."""
    parts = ESCAPE.split(text)
    escapes = parts[1::2]
    decoded = [_DECODED[escape] for escape in escapes]
    parts[1::2] = decoded
    plain = "".join(parts)
    after = change(plain)
    if after == plain:
        return text
    position = 0
    for index, (part, escape) in enumerate(zip(parts[::2], escapes, strict=False)):
        until = position + len(part)
        parts[2 * index] = after[position:until]
        parts[2 * index + 1] = escape if after[until] == decoded[index] else _encode(escape, after[until])
        position = until + 1
    parts[-1] = after[position:]
    return "".join(parts)


def _symbols(piece: re.Match[str]) -> str:
    kind, source = piece.lastgroup, piece[0]
    if kind == "run":
        return _run(source)
    return _base64(source) if kind == "base64" else source


def _run(source: str) -> str:
    if not source.isalnum() and ESCAPE.search(source):
        if ESCAPE.sub(_decoded, source).lower() in WORDS:
            return source
        return through(source, symbols)
    return source if source.lower() in WORDS else symbols(source)


def _base64(source: str) -> str:
    token = source.rstrip("=")
    decoded = _unbase64(token) if _MAYBE64.match(token) else None
    if decoded and _READABLE.fullmatch(decoded) and _SYNTAX.search(decoded):
        return _rebase64(blank(decoded), token) + source[len(token) :]
    return _PLAIN.sub(lambda run: _run(run[0]), source)


def _unbase64(token: str) -> str | None:
    """The bytes of unpadded base64 or base64url as Latin-1, or None."""
    standard = token.replace("-", "+").replace("_", "/") if "-" in token or "_" in token else token
    try:
        return base64.b64decode(standard + "=" * (-len(token) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return None


def _rebase64(text: str, like: str) -> str:
    encoded = base64.b64encode(text.encode("latin-1")).decode("ascii").rstrip("=")
    return encoded.replace("+", "-").replace("/", "_") if "-" in like or "_" in like else encoded


def _decoded(escape: re.Match[str]) -> str:
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
