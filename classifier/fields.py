"""Which named fields hold a secret, and where their values lie in a text.

`is_secret(name)` decides by name. `mask_form` reads `name=value&…` strictly; `mask_fields` finds fields in any other
text: JSON (also inside strings), XML, attributes, multipart parts, header lines, assignments. It reads patterns, not
grammars, since a body may be cut anywhere. No pattern looks at a character more than a bounded number of times.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from classifier.symbols import blank, blank_number

_WHOLE: Final = frozenset({"key", "code", "pw", "psw", "passw"})
_NAMES: Final = frozenset(
    """
    password passwd pwd pass passphrase passcode passwort senha contrasena clave motdepasse pin secret secrets token
    tokens auth authorization authentication authenticator session sessions sess sid sessionid sessid jsessionid
    phpsessid aspsessionid csrf xsrf otp totp mfa credential credentials creds signature sig ssn iban cvv cvc cvn csc
    bearer jwt nonce cnonce opaque apikey cookie cookies signed
    """.split()
)
_KEYS: Final = frozenset(
    """
    api access secret private auth ssh encryption master license subscription consumer client account storage shared
    signing session security host function service user app application web socket
    """.split()
)
_PARTS: Final = re.compile(
    r"passw(?!ordless)|passphrase|passcode|secret(?!ary)|token(?!i[sz])|apikey|accesskey|privatekey|sess(?:ion)?id|"
    r"csrf|xsrf|credential|authoriz|codeverifier|cardn(?:umber|um|o)|ccn(?:umber|um|o)|creditcard|cookievalue"
    r"|(?<!by)(?<!com)(?<!tres)(?<!over)(?<!under)(?:pass|pwd)$|^(?:pass|pwd)$"
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_HINTS: Final = tuple(
    """
    pass pwd pw psw pin secret token key auth sess sid srf otp mfa code cred sig ssn iban cvv cvc cvn csc card bearer
    jwt nonce opaque cookie senha contrasena clave motdepasse ccn
    """.split()
)
# Some part of every secret name.

_NAME: Final = re.compile(
    r"[\w$](?:(?<![\w$\\-].)|(?<=\\[bfnrt].)|(?<=\\[^bfnrt]))[\w$.\[\]-]{0,63}+(?=\\*[\"']?\s{0,4}(?:=>|[:=]))",
    re.ASCII,
)
_OPENING: Final = re.compile(_NAME.pattern[:-1] + r"\s{0,4}[\[{])", re.ASCII)
_ASSIGN: Final = re.compile(r"\\*[\"']?\s{0,4}(?P<sign>=>|[:=]=?=?)\s{0,4}")
_QUOTE: Final = re.compile(r"\\*+[\"']")
_IN_QUOTES: Final = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
_SCHEME: Final = r"(?:(?:basic|bearer|digest|token)\s+)?"
_AFTER_COLON: Final = re.compile(_SCHEME + r"[^\s&\"'<>;,{}\[\]()\\]*+", re.IGNORECASE)
_AFTER_EQUALS: Final = re.compile(_SCHEME + r"[^\s&\"'<>;]*+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LEAF: Final = re.compile(
    r"(?P<key>(?P<quote>\\*+\")[^\"\\]*+(?:\\[^\"][^\"\\]*+)*+\\*+\"\s*+:)|(?P<string>\\*+[\"'])|(?P<open>[\[{])|(?P<close>[\]}])"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
)

_ELEMENT: Final = re.compile(
    r"<(?:[\w.-]{1,64}+:)?([\w.-]{1,64}+)(?:\s[^<>]{0,512}+)?>(?:<!\[CDATA\[)?([^<]*+)", re.ASCII
)
_NAMED: Final = re.compile(
    r"<(?:name|key)>\s*+([\w.-]{1,64}+)\s*+</(?:name|key)>\s*+(?:<[\w:.-]{1,64}+>\s*+){1,3}+([^<]++)", re.ASCII
)
_PART: Final = re.compile(
    r"^content-disposition:(?>[^\r\n]*?\bname=)\"?([^\"\r\n;]++)[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n){0,8}+\r?\n",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL: Final = re.compile(
    r"\b(?:name|id|key|field|property)\\*[\"']?\s{0,4}[:=]\s{0,4}\\*[\"']?([\w$.\[\]-]{1,64}+)",
    re.IGNORECASE | re.ASCII,
)
_LABELLED: Final = re.compile(r"\b(?:value|content|data)(?=\\*[\"']?\s{0,4}[:=])", re.IGNORECASE)
_NEAR: Final = 1024
_LONGEST: Final = 128

Span = tuple[int, int, Callable[[str], str]]


@lru_cache(maxsize=8192)
def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret: `user[password]`, `X-Api-Key`, `accessToken`; not `keyword`."""
    words = [word.lower() for word in _WORD.findall(unquote(name) if "%" in name else name)]
    joined = "".join(words)
    if joined in _WHOLE or not _NAMES.isdisjoint(words) or _PARTS.search(joined):
        return True
    return any(word == "key" and before in _KEYS for before, word in pairwise(words))


def mask_form(text: str) -> str:
    """Mask the secret values of `name=value&name=value`; a value ends at `&` only."""
    if "=" not in text:
        return text
    fields = text.split("&")
    for index, field in enumerate(fields):
        name, equals, value = field.partition("=")
        if equals and len(name) <= _LONGEST and is_secret(name):
            fields[index] = f"{name}={blank(value)}"
    return "&".join(fields)


def mask_fields(text: str) -> str:
    """Mask the values of secret fields wherever they stand in a text. Same length."""
    lower = text.lower()
    if not _may_hold_fields(lower):
        return text
    if "<" in text:
        text = _apply(text, _spans(_NAMED, text))
        text = _apply(text, _spans(_ELEMENT, text))
    if "name=" in text:
        text = _apply(text, _parts(text))
    if "[" in text or "{" in text:
        text = _apply(text, _containers(text))
    text = _apply(text, _assignments(text))
    if "value" in lower or "content" in lower or "data" in lower:
        text = _apply(text, _labelled(text))
    return text


def _may_hold_fields(lower: str) -> bool:
    # Substring searches cost a twentieth of one regular expression with forty alternatives.
    if "=" not in lower and ":" not in lower and "<" not in lower:
        return False
    for hint in _HINTS:  # noqa: SIM110 (a generator doubles the time)
        if hint in lower:
            return True
    return False


def _apply(text: str, spans: Iterator[Span]) -> str:
    out: list[str] = []
    last = 0
    for start, end, change in spans:
        if start >= last:
            out += (text[last:start], change(text[start:end]))
            last = end
    if not out:
        return text
    out.append(text[last:])
    return "".join(out)


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """What the second group holds wherever the first is a secret's name."""
    for match in pattern.finditer(text):
        if is_secret(match[1]):
            yield *match.span(2), blank


def _parts(text: str) -> Iterator[Span]:
    """Values of multipart/form-data (RFC 7578)."""
    for part in _PART.finditer(text):
        if is_secret(part[1]):
            end = text.find("\n--", part.end())
            yield part.end(), len(text) if end < 0 else end, blank


def _containers(text: str) -> Iterator[Span]:
    """All that the arrays and objects hold that stand as values of secret fields."""
    done = 0
    for name in _OPENING.finditer(text):
        assign = _ASSIGN.match(text, name.end())
        if assign and name.start() >= done and is_secret(name[0]):
            for span in _leaves(text, assign.end()):
                yield span
                done = span[1]


def _assignments(text: str) -> Iterator[Span]:
    done = 0
    for name in _NAME.finditer(text):
        if name.start() >= done and is_secret(name[0]):
            for span in _value(text, name.end()):
                yield span
                done = span[1]


def _labelled(text: str) -> Iterator[Span]:
    """`<input name="csrf" value="…">` and `{"name": "password", "value": "…"}`: the name is a value itself."""
    done = 0
    for label in _LABEL.finditer(text):
        if label.start() < done or not is_secret(label[1]):
            continue
        low, high = max(done, label.start() - _NEAR), label.end() + _NEAR
        start = max(low, text.rfind("<", low, label.start()), text.rfind("{", low, label.start()))
        ends = (text.find(">", label.end(), high), text.find("}", label.end(), high))
        done = min((end for end in ends if end >= 0), default=label.end())
        for value in _LABELLED.finditer(text, start, done):
            for span in _value(text, value.end()):
                yield span
                done = max(done, span[1])


def _value(text: str, start: int) -> Iterator[Span]:
    """The span of the string, number or word that is assigned at `start`, just behind a name."""
    assign = _ASSIGN.match(text, start)
    if assign is None:
        return
    start = assign.end()
    quote = _QUOTE.match(text, start)
    if quote:
        yield quote.end(), _closing(text, quote), blank
        return
    bare = (_AFTER_COLON if assign["sign"] == ":" else _AFTER_EQUALS).match(text, start)
    if bare and bare[0]:
        number = assign["sign"] == ":" and _NUMBER.fullmatch(bare[0])
        yield *bare.span(), blank_number if number else blank


def _closing(text: str, quote: re.Match[str]) -> int:
    """Where the string ends that this quote, itself perhaps escaped, opens."""
    if len(quote[0]) == 1:
        inside = _IN_QUOTES[quote[0]].match(text, quote.end())
        return inside.end() if inside else len(text)
    end = text.find(quote[0], quote.end())
    while end > 0 and text[end - 1] == "\\":
        end = text.find(quote[0], end + 1)
    return len(text) if end < 0 else end


def _leaves(text: str, start: int) -> Iterator[Span]:
    """Strings and numbers, not keys, of the array or object that opens at `start`; last, an empty span at its end."""
    depth, position = 0, start
    while leaf := _LEAF.search(text, position):
        position = leaf.end()
        if leaf["open"]:
            depth += 1
        elif leaf["close"]:
            depth -= 1
            if depth <= 0:
                break
        elif leaf["number"]:
            yield *leaf.span(), blank_number
        elif leaf["string"]:
            end = _closing(text, leaf)
            yield position, end, blank
            position = end + len(leaf["string"])
    yield position, position, blank
