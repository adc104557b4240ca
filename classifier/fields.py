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
    pass pw psw pin cret ok key auth sess sid srf otp mfa code cred sig ssn iban cv csc card bearer jwt nonce opaque
    senha contrasena clave ccn
    """.split()
)
# Some part of every secret name.

_BEFORE: Final = r"\s{0,4}[\"']?\\*+([\w$.\[\]-]{1,64}+\\?)"
_NAME: Final = re.compile(f"[:=]{_BEFORE}", re.ASCII)
"""A sign and the name before it, in a text that is written backwards: signs are rare, words are not. A backslash
before the name is taken along."""
_ASSIGNED_NAME: Final = re.compile(f"={_BEFORE}", re.ASCII)
_KEY_NAME: Final = re.compile(f":{_BEFORE}", re.ASCII)
"""The same by sign: looking for one character is many times faster than for one of two."""
_IN_QUOTES: Final = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
_ASSIGNED: Final = re.compile(
    r"\\*[\"']?\s{0,4}(?:(?P<colon>:(?!=))|=>|[:=]=?=?)\s{0,4}(?P<open>(?=[\[{]))?"
    r"(?:(?P<quote>\\*+[\"'])|(?P<bare>(?:(?i:basic|bearer|digest|token)\s+)?"
    r"(?(colon)[^\s&\"'<>;,{}\[\]()\\]*+|[^\s&\"'<>;]*+)))"
)
"""What follows a name: a sign, then a string, or a bare word that may be empty. A bracket may open here."""
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LEAF: Final = re.compile(
    r"(?P<key>(?P<quote>\\*+\")[^\"\\]*+(?:\\[^\"][^\"\\]*+)*+\\*+\"\s*+:)|(?P<string>\\*+[\"'])|(?P<open>[\[{])|(?P<close>[\]}])"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
)

_ELEMENT: Final = re.compile(
    r"<(?:[\w.-]{1,64}+:)?([\w.-]{1,64}+)(?:\s[^<>]{0,512}+)?>(?:<!\[CDATA\[)?([^<]*+)", re.ASCII
)
_TAG: Final = re.compile(r"<(?:[\w.-]{1,64}+:)?([\w.-]{1,64}+)", re.ASCII)
"""The name of whatever may be an element."""
_NAMED: Final = re.compile(
    r"<(?:name|key)>\s*+([\w.-]{1,64}+)\s*+</(?:name|key)>\s*+(?:<[\w:.-]{1,64}+>\s*+){1,3}+([^<]++)", re.ASCII
)
_PART: Final = re.compile(
    r"^content-disposition:(?>[^\r\n]*?\bname=)\"?([^\"\r\n;]++)[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n){0,8}+\r?\n",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL: Final = re.compile(r"(?:.*\W)?(?:name|id|key|field|property)", re.IGNORECASE | re.ASCII)
_LABELS: Final = re.compile(r"\\*[\"']?\s{0,4}[:=]\s{0,4}\\*[\"']?([\w$.\[\]-]{1,64}+)", re.ASCII)
_LABELLED: Final = re.compile(r"[vVcCdD](?<!\w.)(?i:(?<=v)alue|(?<=c)ontent|(?<=d)ata)(?=\\*[\"']?\s{0,4}[:=])")
_MARKUP: Final = frozenset({"code", "CODE"})
"""Elements of HTML that bear the name of a secret."""
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


@lru_cache(maxsize=8192)
def _role(backwards: str) -> tuple[bool, bool] | None:
    """Whether a name is that of a secret, and whether its value may be the name of another field; None for neither."""
    name = backwards[::-1]
    if name[0] == "\\":
        # The letter belongs to an escape such as a line feed's.
        name = name[2:] if name[1] in "bfnrt" else name[1:]
    role = is_secret(name), _LABEL.fullmatch(name) is not None
    return role if any(role) else None


class _Dull(set[str]):
    """Names that were found to be of no interest. A set tells in C whether all names of a text are among them."""

    def learn(self, names: list[str]) -> None:
        """Remember names, within bounds."""
        if len(self) + len(names) > _LEARNED:
            self.clear()
        self.update(names[:_LEARNED])


_LEARNED: Final = 8192
_DULL_NAMES: Final = _Dull()
_DULL_TAGS: Final = _Dull()


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
    if "<" in text:
        text = _mask_elements(text)
    if "=" not in text and ":" not in text:
        return text
    if "name=" in text and "isposition" in text.lower():
        text = _apply(text, _parts(text))
    secrets, labels = _names(text)
    if secrets:
        if "[" in text or "{" in text:
            text = _apply(text, _containers(text, secrets))
        text = _apply(text, _assignments(text, secrets))
    return _apply(text, _labelled(text, labels)) if labels else text


def _mask_elements(text: str) -> str:
    tags = _TAG.findall(text)
    known = _DULL_TAGS.issuperset(tags)
    secret = not known and any(map(_is_secret_tag, tags))
    if not known and not secret:
        _DULL_TAGS.learn(tags)
    named = "name>" in text or "key>" in text
    if not (secret or named) or not _may_hold_elements(text.lower()):
        return text
    if named:
        text = _apply(text, _spans(_NAMED, text))
    return _apply(text, _spans(_ELEMENT, text)) if secret else text


def _is_secret_tag(name: str) -> bool:
    return is_secret(name) and name not in _MARKUP


def _may_hold_elements(lower: str) -> bool:
    # Substring searches cost a twentieth of one regular expression with thirty alternatives.
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
        if _is_secret_tag(match[1]):
            yield *match.span(2), blank


def _parts(text: str) -> Iterator[Span]:
    """Values of multipart/form-data (RFC 7578)."""
    for part in _PART.finditer(text):
        if is_secret(part[1]):
            end = text.find("\n--", part.end())
            yield part.end(), len(text) if end < 0 else end, blank


def _names(text: str) -> tuple[list[int], list[tuple[int, re.Match[str]]]]:
    """Where the names of secret fields end, and where the labels that name a secret field start."""
    secrets: list[int] = []
    labels: list[tuple[int, re.Match[str]]] = []
    backwards, size = text[::-1], len(text)
    names = _ASSIGNED_NAME.findall(backwards) if "=" in text else []
    if ":" in text:
        names += _KEY_NAME.findall(backwards)
    if _DULL_NAMES.issuperset(names):
        return secrets, labels
    roles = {name: _role(name) for name in set(names)}
    _DULL_NAMES.learn([name for name, role in roles.items() if role is None])
    found = [role for role in roles.values() if role]
    labelled = any([role[1] for role in found]) and _has_labelled(text)
    if not labelled and not any([role[0] for role in found]):
        return secrets, labels
    for match in _NAME.finditer(backwards):
        if role := roles[match[1]]:
            end = size - match.start(1)
            if role[0]:
                secrets.append(end)
            if labelled and role[1] and (value := _LABELS.match(text, end)) and is_secret(value[1]):
                labels.append((end, value))
    return secrets[::-1], labels[::-1]


def _has_labelled(text: str) -> bool:
    lower = text.lower()
    return ("alue" in lower or "ontent" in lower or "ata" in lower) and _LABELLED.search(text) is not None


def _containers(text: str, secrets: list[int]) -> Iterator[Span]:
    """All that the arrays and objects hold that stand as values of secret fields."""
    done = 0
    for start in secrets:
        if start <= done or (value := _ASSIGNED.match(text, start)) is None or value["open"] is None:
            continue
        for span in _leaves(text, value.start("open")):
            yield span
            done = span[1]


def _assignments(text: str, secrets: list[int]) -> Iterator[Span]:
    done = 0
    for start in secrets:
        if start > done and (span := _value(text, start)):
            yield span
            done = span[1]


def _labelled(text: str, labels: list[tuple[int, re.Match[str]]]) -> Iterator[Span]:
    """`<input name="csrf" value="…">` and `{"name": "password", "value": "…"}`: the name is a value itself."""
    done = 0
    for start, label in labels:
        if start < done:
            continue
        low, high = max(done, start - _NEAR), label.end() + _NEAR
        low = max(low, text.rfind("<", low, start), text.rfind("{", low, start))
        ends = (text.find(">", label.end(), high), text.find("}", label.end(), high))
        done = min((end for end in ends if end >= 0), default=label.end())
        for value in _LABELLED.finditer(text, low, done):
            if span := _value(text, value.end()):
                yield span
                done = max(done, span[1])


def _value(text: str, start: int) -> Span | None:
    """The span of the string, number or word that is assigned at `start`, just behind a name."""
    value = _ASSIGNED.match(text, start)
    if value is None:
        return None
    if quote := value["quote"]:
        return value.end(), _closing(text, quote, value.end()), blank
    if bare := value["bare"]:
        return *value.span("bare"), blank_number if value["colon"] and _NUMBER.fullmatch(bare) else blank
    return None


def _closing(text: str, quote: str, start: int) -> int:
    """Where the string ends that this quote, itself perhaps escaped, opens just before `start`."""
    if len(quote) == 1:
        inside = _IN_QUOTES[quote].match(text, start)
        return inside.end() if inside else len(text)
    end = text.find(quote, start)
    while end > 0 and text[end - 1] == "\\":
        end = text.find(quote, end + 1)
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
            end = _closing(text, leaf["string"], position)
            yield position, end, blank
            position = end + len(leaf["string"])
    yield position, position, blank
