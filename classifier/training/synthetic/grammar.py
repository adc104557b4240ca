"""Templates that unfold into text, the files they are read from, and the vocabulary that all of them share.

A slot is written `«…»`: `«word»` draws from the rule of that name, `«hex:8-32»` gives a rule its length,
`«a|b|c»` picks one of the texts, `«sql~json»` encodes it (`template` has the encodings), `«b=hex:16»` keeps it so
that `«=b»` repeats it, and slots nest. Everything random comes from the generator passed in, so a seed names a
stream of traffic.

Grammar files hold sections `[[name | …]]` with one template a line; `⏎` stands for a line break. What comes
before the first section is a comment.
"""

import base64
import json
import re
import string
from collections.abc import Callable, Mapping
from importlib.resources import files
from random import Random
from typing import Final, NamedTuple

from classifier.training.synthetic.template import Choice, Slot, encode, take_apart

Rule = tuple[str, ...] | Callable[[Random, int], str]
"""Texts to pick from (they may hold slots), or a function of the generator and a length (0 where none is given)."""


class Section(NamedTuple):
    """One `[[name | field | …]]` of a grammar file and its templates."""

    name: str
    fields: tuple[str, ...]
    lines: tuple[str, ...]


_HEAD: Final = re.compile(r"\[\[(.*)\]\]\Z")
_DEPTH: Final = 48
_TIRED: Final = 24
"""Rules may call themselves (nested JSON): below the depth `_TIRED` the first text is taken, which is to end, below
`_DEPTH` it is a mistake in the grammar."""


def read(name: str) -> list[Section]:
    """The sections of the grammar file `name`, which lies beside this module."""
    sections: list[tuple[list[str], list[str]]] = []
    for line in files(__package__).joinpath(name).read_text("utf-8").split("\n"):
        head = _HEAD.match(line)
        if head:
            sections.append(([field.strip() for field in head[1].split("|")], []))
        elif line and sections:
            sections[-1][1].append(line.replace("⏎", "\n"))
    return [Section(head[0], tuple(head[1:]), tuple(lines)) for head, lines in sections]


def rules(sections: list[Section]) -> dict[str, Rule]:
    """Sections as rules; in one marked `words` each word is a text."""
    return {
        section.name: tuple(" ".join(section.lines).split()) if section.fields == ("words",) else section.lines
        for section in sections
    }


def expand(rng: Random, template: str, own: Mapping[str, Rule] | None = None) -> str:
    """Unfold every slot of `template`; `own` rules come before the shared vocabulary. Raises KeyError."""
    return _unfold(rng, template, own or {}, {}, 0)


def pick(rng: Random, name: str) -> str:
    """One text of the shared rule `name`, unfolded."""
    return _unfold(rng, f"«{name}»", {}, {}, 0)


def _unfold(rng: Random, template: str, own: Mapping[str, Rule], kept: dict[str, str], depth: int) -> str:
    if "«" not in template:
        return template
    if depth > _DEPTH:
        raise RecursionError(template[:80])
    texts = []
    for part in take_apart(template):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Choice):
            texts.append(_unfold(rng, _one(rng, part.options), own, kept, depth + 1))
        else:
            texts.append(_fill(rng, part, own, kept, depth + 1))
    return "".join(texts)


def _fill(rng: Random, slot: Slot, own: Mapping[str, Rule], kept: dict[str, str], depth: int) -> str:
    if not slot.rule:
        return encode(rng, kept[slot.keep], slot.filters)
    rule = own[slot.rule] if slot.rule in own else RULES[slot.rule]
    if isinstance(rule, tuple):
        text = _unfold(rng, rule[0] if depth > _TIRED else _one(rng, rule), own, kept, depth)
    else:
        text = rule(rng, rng.randint(slot.low, slot.high) if slot.low else 0)
    if slot.keep:
        kept[slot.keep] = text
    return encode(rng, text, slot.filters) if slot.filters else text


def _one(rng: Random, options: tuple[str, ...]) -> str:
    return options[int(rng.random() * len(options))]


# ── rules that compute ──────────────────────────────────────────────────────────────────────────────────────────


def _of(alphabet: str, usual: int) -> Rule:
    return lambda rng, length: "".join(rng.choices(alphabet, k=length or usual))


def _integer(rng: Random, length: int) -> str:
    return str(int(10 ** (rng.random() * (length or 6))))


def _word(rng: Random, _: int = 0) -> str:
    share = rng.random()
    return pick(rng, "noun" if share < 0.6 else "verb" if share < 0.84 else "little")


def _words(rng: Random, length: int) -> str:
    return " ".join(_word(rng) for _ in range(length or rng.randint(2, 5)))


def _slug(rng: Random, length: int) -> str:
    return "-".join(pick(rng, "noun") for _ in range(length or rng.randint(1, 4)))


def _sentence(rng: Random, _: int = 0) -> str:
    sentence = f"{_words(rng, 2)} {pick(rng, 'verb')} {_words(rng, rng.randint(3, 9))}"
    return sentence.capitalize() + rng.choice((".", ".", ".", "!", "?", "; ok."))


def _text(rng: Random, length: int) -> str:
    return " ".join(_sentence(rng) for _ in range(length or rng.randint(1, 6)))


def _base64(rng: Random, length: int) -> str:
    raw = rng.randbytes(length or rng.randint(12, 60))
    return base64.b64encode(raw).decode() if rng.random() < 0.6 else _url64(raw)


def _base64_text(rng: Random, _: int) -> str:
    return base64.b64encode(expand(rng, rng.choice(("«sentence»", "«json»", "«email»:«token:12»"))).encode()).decode()


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _json(rng: Random, _: int) -> str:
    choices = (rng.randint(0, 9999), _words(rng, 2), True, None, 1.5)
    value = {pick(rng, "noun"): rng.choice(choices) for _ in range(3)}
    return json.dumps(value, separators=rng.choice([(",", ":"), (", ", ": ")]))


def _jwt(rng: Random, _: int) -> str:
    head = {"alg": "RS256", "typ": "JWT"}
    claims = {"sub": str(rng.randint(1, 99999)), "exp": 1700000000 + rng.randrange(10**8)}
    return ".".join([*(_url64(json.dumps(part).encode()) for part in (head, claims)), _url64(rng.randbytes(32))])


def _uuid(rng: Random, _: int) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _chosen(rng: Random, _: int) -> str:
    """A name before the dot, as people register them."""
    style, first = rng.random(), pick(rng, "noun")
    if style < 0.35:
        return first + pick(rng, "noun")
    if style < 0.5:
        return f"{first}-{pick(rng, 'noun')}"
    if style < 0.65:
        return first + pick(rng, "ending")
    if style < 0.75:
        return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 5)))
    if style < 0.85:
        return "".join(rng.choice("bcdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 3)))
    return first


RULES: Final[dict[str, Rule]] = rules([*read("words.txt"), *read("snippets.txt"), *read("shapes.txt")]) | {
    "word": _word,
    "words": _words,
    "slug": _slug,
    "sentence": _sentence,
    "text": _text,
    "int": _integer,
    "digits": _of(string.digits, 6),
    "hex": _of("0123456789abcdef", 16),
    "lower": _of(string.ascii_lowercase, 8),
    "consonants": _of("bcdfghjklmnpqrstvwxz", 12),
    "alnum": _of(string.ascii_lowercase + string.digits, 10),
    "base32": _of("abcdefghijklmnopqrstuvwxyz234567", 32),
    "token": _of(string.ascii_letters + string.digits, 24),
    "b64": _base64,
    "b64text": _base64_text,
    "json": _json,
    "jwt": _jwt,
    "uuid": _uuid,
    "chosen": _chosen,
    "chr": lambda _, code: chr(code),
    "byte": _of("".join(chr(code) for code in range(256) if chr(code) not in "«»\n"), 16),
    "octet": lambda rng, _: str(rng.randint(1, 254)),
    "year": lambda rng, _: str(rng.randint(2015, 2027)),
    "date": lambda rng, _: f"{rng.randint(2015, 2027)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "epoch": lambda rng, _: str(1600000000 + rng.randrange(2 * 10**8)),
}
"""The shared vocabulary. Hosts are reserved names (RFC 2606, RFC 6761), documentation addresses (RFC 5737) or words
drawn at random under a top-level domain; none is ever looked up."""
