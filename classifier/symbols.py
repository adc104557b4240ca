"""What a secret turns into: class-and-length symbols, with attack syntax left readable.

`blank(text)` rewrites a text that is a secret from end to end. Every run of letters becomes `x`, every
digit `0`, at the same length; punctuation, escapes of punctuation and the public words of `WORDS` stay.
Decoding comes first: `%53`, `%2553`, `\\u0053`, `\\x53` and `&#83;` are the letter they stand for, and are
written back as an escape of the symbol in the same notation. Base64 stays base64, and hexadecimal digits
stay those, where their text holds attack syntax.

`settle(change, text)` applies a rule until it changes nothing more, which is what makes masking idempotent whatever
the rules do to each other.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Final

from classifier.escapes import ESCAPE, ESCAPE_PATTERN, HEX, LETTER, decoded, has_escape, through
from classifier.recent import Recent

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

_ALNUM: Final = r"[0-9A-Za-z\x80-\U0010ffff]"

_BASE64: Final = 12
"""Base64 shorter than this holds no attack."""
_PIECE: Final = re.compile(
    rf"(?P<base64>[A-Za-z0-9+/_-]{{{_BASE64},}}+={{0,2}})"
    rf"|(?P<run>(?:{_ALNUM}++|{LETTER})++)"
    rf"|(?P<escape>{ESCAPE_PATTERN})"
    r"|(?P<backslash>\\++[bfnrt]?)"
)
_LETTERS: Final = re.compile(r"(?<=\\)[bfnrt]")
"""Letters that belong to the backslash before them, which is a line feed's or such."""
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
_HOLDS64: Final = re.compile(f"(?<![A-Za-z0-9+/_-]){_MAYBE64.pattern.replace('.', '[A-Za-z0-9+/_-]')}".encode())
_LONG_HEX: Final = re.compile(
    rf"(?<![0-9A-Za-z])(0[xX]|)([2-7]{HEX}(?:{HEX}{{2}}){{{_BASE64 // 2 - 1},}})(?![0-9A-Za-z])"
)
"""Hexadecimal digits that begin with a printable character."""
_BASIC: Final = re.compile(r"\s*([A-Za-z0-9+/_-]+)(=*)\s*")
_SYNTAX: Final = re.compile(
    r"\.\.[/\\]|<[a-z/!?]|\$[({]|\{\{|&&|\|\||[;|`&]\s*(?:cat|ls|id|whoami|wget|curl|nc|bash|sh|ping|sleep|cmd)\b"
    r"|['\"]\s*\)?\s*(?:or|and|union|;|--|\|\|)|\bunion\b.{0,40}\bselect\b|\bselect\b.{0,80}\bfrom\b"
    r"|/etc/|/bin/|javascript:|\b(?:file|gopher|dict|jndi|ldap|php|phar)://?"
    r"|\b(?:select|case|char|chr|concat|cast|convert|exec|execute|sleep|benchmark|extractvalue|updatexml|eval|system"
    r"|alert|prompt|confirm|atob|unhex|load_file|fromcharcode|passthru|shell_exec|popen)\s*[(`]"
    r"|\b(?:or|and)\b[^,]{1,24}(?:=|<|>|\blike\b)|\brlike\b|\bwaitfor\b|\border\s+by\b|/\*|\bon[a-z]{4,16}\s*="
    r"|%(?:25)*(?:2[27ef]|3[ce]|5c|0[0ad]|c0|u[02]0?)|['\"]\s*\)",
    re.IGNORECASE | re.DOTALL,
)
_DIGIT: Final = re.compile("[0-9]")
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
_CLASS: Final = bytes(
    [ord("x") if code < 128 and (chr(code).isalnum() or chr(code) in "+/_-") else 32 for code in range(256)]
)
_HEX_CLASS: Final = bytes([ord("x") if chr(code) in "0123456789abcdefABCDEF" else 32 for code in range(256)])
_MIN64: Final = b"x" * _BASE64
_BYTE_WORDS: Final = frozenset([word.encode() for word in WORDS])


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
    return _BLANKED[text]


def _blank(text: str) -> str:
    if "\\" in text:
        return settle(_pieces, text)
    if has_escape(text):
        return through(text, _whole)
    return _whole(text)


_BLANKED: Final = Recent(_blank, len, 1 << 17)
"""Several rules find the same secret, and masking looks twice."""


def _whole(text: str) -> str:
    """`blank` for a text without escapes."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return settle(_runs, text)
    if len(raw) >= _BASE64 and _may_hide(text, raw):
        return settle(_runs, text)
    return _words(raw).decode("latin-1")


def _words(raw: bytes) -> bytearray:
    """Letters and digits as their symbols, public words as they are."""
    lower, masked = raw.translate(_LOWER), bytearray(raw.translate(_SYMBOL))
    words = _BYTE_WORDS.intersection(lower.split())
    if words:
        padded = b" %b " % lower
        for word in words:
            start = padded.find(b" %b " % word)
            while start >= 0:
                masked[start : start + len(word)] = raw[start : start + len(word)]
                start = padded.find(b" %b " % word, start + len(word))
    return masked


def _runs(text: str) -> str:
    """Every run masked as what it is: base64, hexadecimal digits, a word."""
    if not text.isascii():
        return _RUNS.sub(_symbols, text)
    raw = text.encode()
    masked, classes = _words(raw), raw.translate(_CLASS)
    start = classes.find(_MIN64)
    while start >= 0:  # only of these may more be said than of words
        end = classes.find(b" ", start)
        end = len(raw) if end < 0 else end
        padded = end + (2 if raw.startswith(b"==", end) else raw.startswith(b"=", end))
        masked[start:padded] = _base64(text[start:padded]).encode()
        start = classes.find(_MIN64, end)
    return masked.decode()


def _pieces(text: str) -> str:
    """The same for a text with backslashes."""
    if not text.isascii() or has_escape(text):
        return _PIECE.sub(_symbols, text)
    plain, letters = _LETTERS.subn("\\\\", text)
    masked = _runs(plain)
    if not letters:
        return masked
    out = list(masked)
    for letter in _LETTERS.finditer(text):
        out[letter.start()] = letter[0]
    return "".join(out)


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
    zeros = _DIGIT.sub("0", text)
    leading = zeros.find("0")
    return zeros if leading < 0 or text[leading] == "0" else zeros.replace("0", "1", 1)


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


def _symbols(piece: re.Match[str]) -> str:
    kind, source = piece.lastgroup, piece[0]
    if kind == "run":
        return _KNOWN_RUNS[source]
    return _base64(source) if kind == "base64" else source


def _run(source: str) -> str:
    if not source.isalnum() and has_escape(source):
        if ESCAPE.sub(decoded, source).lower() in WORDS:
            return source
        return through(source, symbols)
    return source if source.lower() in WORDS else symbols(source)


_KNOWN_RUNS: Final = Recent(_run, len, 1 << 17)


def _base64(source: str) -> str:
    token = source.rstrip("=")
    decoded = _unbase64(token) if _MAYBE64.match(token) else None
    if decoded and _READABLE.fullmatch(decoded) and _SYNTAX.search(decoded):
        return _rebase64(blank(decoded), token) + source[len(token) :]
    return _PLAIN.sub(_hexadecimal, source)


def _hexadecimal(run: re.Match[str]) -> str:
    """Hexadecimal digits, like base64, stay what they are where their text holds attack syntax."""
    if (digits := _LONG_HEX.fullmatch(run[0])) and (decoded := _unhex(digits[2])):
        masked = blank(decoded).encode("latin-1").hex()
        return digits[1] + (masked if digits[2].islower() else masked.upper())
    return _run(run[0])


def _unhex(digits: str) -> str:
    """What hexadecimal digits say, where that is readable and holds attack syntax."""
    decoded = bytes.fromhex(digits).decode("latin-1")
    return decoded if _READABLE.fullmatch(decoded) and _SYNTAX.search(decoded) else ""


def _may_hide(text: str, raw: bytes) -> bool:
    """Whether a run of a text may be base64 or hexadecimal digits of something readable."""
    if raw.translate(_CLASS).find(_MIN64) < 0:
        return False
    if _HOLDS64.search(raw):
        return True
    return raw.translate(_HEX_CLASS).find(_MIN64) >= 0 and _LONG_HEX.search(text) is not None


def _unbase64(token: str) -> str | None:
    """The bytes of unpadded base64 or base64url as Latin-1, or None."""
    standard = token.replace("-", "+").replace("_", "/") if "-" in token or "_" in token else token
    try:
        return a2b_base64(standard + "=" * (-len(token) % 4), strict_mode=True).decode("latin-1")
    except ValueError:  # of which binascii's error is one
        return None


def _rebase64(text: str, like: str) -> str:
    encoded = b2a_base64(text.encode("latin-1"), newline=False).decode("ascii").rstrip("=")
    return encoded.replace("+", "-").replace("/", "_") if "-" in like or "_" in like else encoded
