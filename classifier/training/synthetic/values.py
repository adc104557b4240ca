"""Values from grammar files: harmless ones that look like attacks, and attacks.

`values.txt` holds search queries and posts with SQL, shell and HTML words, names with apostrophes, code,
filters, documents, uploads; `payloads.txt` holds attacks by label. Both travel in the same places.
"""

from random import Random
from typing import Final, NamedTuple

from classifier.records import Label
from classifier.training.synthetic.grammar import Rule, expand, read
from classifier.training.synthetic.places import Value


class Sort(NamedTuple):
    """One section: `[[name | weight | place | names]]`, or `[[label: name | …]]` for an attack."""

    name: str
    weight: float
    place: str
    names: tuple[str, ...]
    templates: tuple[str, ...]


def _load(name: str) -> tuple[list[Sort], dict[str, Rule]]:
    sorts, rules = [], dict[str, Rule]()
    for section in read(name):
        if not section.fields:
            rules[section.name] = section.lines
            continue
        weight, place, names = section.fields
        sorts.append(Sort(section.name, float(weight), place, tuple(names.split()), section.lines))
    return sorts, rules


_HARMLESS, _ = _load("values.txt")
_ATTACKS, _RULES = _load("payloads.txt")
_BY_LABEL: Final = {
    label: [sort for sort in _ATTACKS if sort.name.partition(":")[0] == label]
    for label in (Label.SQLI, Label.XSS, Label.PATH_TRAVERSAL, Label.COMMAND_INJECTION, Label.SSRF_XXE)
}


def harmless(rng: Random) -> Value:
    """One harmless value with the places it may travel in."""
    return _draw(rng, _HARMLESS)


def payload(rng: Random, label: Label) -> Value:
    """One attack of a web label, now and then disguised as attackers do it."""
    value = _draw(rng, _BY_LABEL[label])
    disguises = _DISGUISES.get(label, ())
    if disguises and value.place in ("any", "long") and rng.random() < 0.35:
        return value._replace(text=rng.choice(disguises)(rng, value.text))
    return value


def _draw(rng: Random, sorts: list[Sort]) -> Value:
    sort = rng.choices(sorts, [sort.weight for sort in sorts])[0]
    name, arrow, content = rng.choice(sort.templates).partition(" ⇐ ")
    if arrow:
        return Value(expand(rng, content, _RULES), sort.place, expand(rng, name, _RULES))
    return Value(expand(rng, name, _RULES), sort.place, rng.choice(sort.names) if sort.names else "")


# ── disguises ───────────────────────────────────────────────────────────────────────────────────────────────────


def _mixed_case(rng: Random, text: str) -> str:
    return "".join(letter.upper() if rng.random() < 0.5 else letter.lower() for letter in text)


def _comments(rng: Random, text: str) -> str:
    return text.replace(" ", rng.choice(("/**/", "/*!*/", "\t", "\n", "  ", "%0a", "+")))


def _versioned(_: Random, text: str) -> str:
    for word in ("union", "select", "UNION", "SELECT"):
        text = text.replace(word, f"/*!50000{word}*/")
    return text


def _ifs(rng: Random, text: str) -> str:
    return text.replace(" ", rng.choice(("${IFS}", "$IFS$9", "\t", "<", "+")))


def _quoted(rng: Random, text: str) -> str:
    for word in ("cat", "wget", "curl", "bash", "passwd"):
        text = text.replace(word, word[0] + rng.choice(("''", '""', "\\")) + word[1:])
    return text


def _entities(rng: Random, text: str) -> str:
    letter = rng.choice("aelrt")
    return text.replace(letter, rng.choice((f"&#{ord(letter)};", f"&#x{ord(letter):x};", f"\\u{ord(letter):04x}")), 2)


def _escaped(_: Random, text: str) -> str:
    return text.replace("<", "%3C").replace(">", "%3E").replace("'", "%27").replace("/", "%2F")


_DISGUISES: Final = {
    Label.SQLI: (_mixed_case, _comments, _versioned, _escaped),
    Label.XSS: (_mixed_case, _entities, _escaped, lambda rng, text: text.replace(" ", "/")),
    Label.PATH_TRAVERSAL: (
        _escaped,
        lambda rng, text: text.replace("/", "\\"),
        lambda rng, text: text.replace(".", "%2e"),
    ),
    Label.COMMAND_INJECTION: (_ifs, _quoted, _escaped),
    Label.SSRF_XXE: (_escaped, _mixed_case),
}
