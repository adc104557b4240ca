"""Rewriting of attacks, as attackers do it to pass filters: which variants there are, and which are for training.

`VARIANTS` (of values) and `WHOLES` (of requests) are the table. A variant belongs to training or to the evaluation,
never to both: a model that keeps finding what the evaluation's variants rewrite has learned more than a list of
tricks. Encodings are for harmless values too, in training as in the evaluation, so that an encoding alone says
nothing; variants that only an attack can have (comments for spaces, `eval(atob(…))`) are for attacks alone.
"""

import re
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Final, Literal, NamedTuple

from classifier.records import FlowRecord, Label
from classifier.training.rewriting import dialects as d
from classifier.training.rewriting import padding
from classifier.training.rewriting import shells as sh
from classifier.training.rewriting import spellings as s
from classifier.training.rewriting.parameters import Wire, changed

Use = Literal["training", "evaluation"]


class Variant(NamedTuple):
    """One way to rewrite a value; `labels` are those whose values it suits."""

    family: str
    name: str
    use: Use
    labels: frozenset[Label]
    spell: s.Spell
    wire: Wire = ""


class Whole(NamedTuple):
    """One way to rewrite a request as a whole."""

    family: str
    name: str
    use: Use
    labels: frozenset[Label]
    change: padding.Change


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SQL: Final = frozenset({Label.SQLI})
_XSS: Final = frozenset({Label.XSS})
_PATH: Final = frozenset({Label.PATH_TRAVERSAL})
_SHELL: Final = frozenset({Label.COMMAND_INJECTION})
_FETCH: Final = frozenset({Label.SSRF_XXE})
_PATHS: Final = _PATH | _SHELL
_PLAIN: Final = frozenset({Label.BENIGN, Label.SCANNER})
_ALL: Final = _SQL | _XSS | _PATH | _SHELL | _FETCH | _PLAIN
STACKED: Final = 0.25
"""Share of the rewritten training rows that are percent-encoded after that: encodings are the last step."""
PADDED: Final = 0.1
"""Share of the training rows given to `rewritten` that are changed as a whole too."""


VARIANTS: Final = (
    # letter case: HTML and SQL do not care; scripts, Unix paths and shells do
    Variant("case", "random", "training", _SQL | _PLAIN, s.letters(s.at_random)),
    Variant("case", "capitals", "training", _SQL | _PLAIN, s.letters(s.loud)),
    Variant("case", "random markup", "training", _XSS, d.markup(s.at_random)),
    Variant("case", "alternating", "evaluation", _SQL | _PLAIN, s.letters(s.alternating)),
    Variant("case", "both ends", "evaluation", _SQL | _PLAIN, s.letters(s.ended)),
    Variant("case", "alternating markup", "evaluation", _XSS, d.markup(s.alternating)),
    # comments, and what a shell or a browser reads over
    Variant("comments", "empty for spaces", "training", _SQL, d.commented(d.empty_comment)),
    Variant("comments", "hash and newline for spaces", "training", _SQL, d.commented(d.hash_comment)),
    Variant("comments", "empty in calls", "training", _XSS, d.script_comment),
    Variant("comments", "empty before the tag", "training", _XSS, d.html_comment),
    Variant("comments", "quotes in words", "training", _SHELL, sh.commands(sh.quoted)),
    Variant("comments", "backslash in words", "training", _SHELL, sh.commands(sh.escaped)),
    Variant("comments", "text for spaces", "evaluation", _SQL, d.commented(d.told_comment)),
    Variant("comments", "dashes, text and newline for spaces", "evaluation", _SQL, d.commented(d.dash_comment)),
    Variant("comments", "versioned keywords", "evaluation", _SQL, d.versioned),
    Variant("comments", "text in calls", "evaluation", _XSS, d.told_script_comment),
    Variant("comments", "text before tags", "evaluation", _XSS, d.told_html_comment),
    Variant("comments", "double quotes in words", "evaluation", _SHELL, sh.commands(sh.quoted_double)),
    Variant("comments", "$@ in words", "evaluation", _SHELL, sh.commands(sh.dollared)),
    # white space
    Variant("whitespace", "tabs", "training", _SQL | _SHELL | _PLAIN, s.spaced("\t")),
    Variant("whitespace", "newlines", "training", _SQL | _PLAIN, s.spaced("\n")),
    Variant("whitespace", "doubled", "training", _SQL | _SHELL | _PLAIN, s.spaced("  ", "   ")),
    Variant("whitespace", "tab or slash in tags", "training", _XSS, d.tag_spaced("\t", "/")),
    Variant("whitespace", "${IFS}", "training", _SHELL, s.spaced("${IFS}")),
    Variant("whitespace", "vertical tabs", "evaluation", _SQL | _PLAIN, s.spaced("\v")),
    Variant("whitespace", "line ends of all kinds", "evaluation", _SQL | _PLAIN, s.spaced("\r\n", "\r", "\f", "\n\t")),
    Variant("whitespace", "no-break spaces", "evaluation", _SQL | _PLAIN, s.spaced("\xa0")),
    Variant("whitespace", "newline or form feed in tags", "evaluation", _XSS, d.tag_spaced("\n", "\f", "\r\n", "/ /")),
    Variant("whitespace", "$IFS$9", "evaluation", _SHELL, s.spaced("$IFS$9")),
    Variant("whitespace", "braces", "evaluation", _SHELL, sh.runs(sh.braced)),
    # percent-encoding
    Variant("percent", "every byte", "training", _ALL, s.percent_all, "url"),
    Variant("percent", "some bytes", "training", _ALL, s.percent_some, "url"),
    Variant("percent", "every byte twice", "training", _ALL, s.percent_twice, "url"),
    Variant("percent", "letters", "evaluation", _ALL, s.percent_letters, "url"),
    Variant("percent", "specials twice", "evaluation", _ALL, s.percent_specials_twice, "url"),
    Variant("percent", "specials thrice", "evaluation", _ALL, s.percent_specials_thrice, "url"),
    Variant("percent", "%u", "evaluation", _ALL, s.percent_wide, "url"),
    Variant("percent", "digits of encodings", "evaluation", _ALL, s.percent_nested, "url"),
    # entities
    Variant("entities", "some decimal", "training", _XSS | _PLAIN, s.entities(s.decimal)),
    Variant("entities", "decimal with zeros", "training", _XSS | _PLAIN, s.entities(s.decimal_long)),
    Variant("entities", "hexadecimal", "evaluation", _XSS | _PLAIN, s.entities(s.hexadecimal)),
    Variant("entities", "hexadecimal, open", "evaluation", _XSS | _PLAIN, s.entities(s.hexadecimal_open)),
    Variant("entities", "named", "evaluation", _XSS | _PLAIN, s.entities(s.named)),
    # Unicode
    Variant("unicode", "JSON escapes of specials", "training", _ALL, s.json_specials, "json"),
    Variant("unicode", "full-width letters", "training", _SQL | _XSS | _PLAIN, s.wide_letters),
    Variant("unicode", "script escapes", "training", _XSS, d.script_escape),
    Variant("unicode", "JSON escapes of everything", "evaluation", _ALL, s.json_all, "json"),
    Variant("unicode", "full-width specials", "evaluation", _SQL | _XSS | _PATH | _PLAIN, s.wide_specials),
    Variant("unicode", "script escapes in braces", "evaluation", _XSS, d.script_escape_braces),
    # numbers for characters
    Variant("hex", "0x strings", "training", _SQL, d.strings(d.hex_string)),
    Variant("hex", "CHAR()", "training", _SQL, d.strings(d.char_string)),
    Variant("hex", "0x numbers", "training", _SQL, d.hex_numbers),
    Variant("hex", "fromCharCode", "training", _XSS, d.calls(d.from_codes)),
    Variant("hex", "xxd", "training", _SHELL, sh.runs(sh.piped_hex)),
    Variant("hex", "unhex()", "evaluation", _SQL, d.strings(d.unhex_string)),
    Variant("hex", "chr()||chr()", "evaluation", _SQL, d.strings(d.chr_string)),
    Variant("hex", "1e0", "evaluation", _SQL, d.float_numbers),
    Variant("hex", "\\x strings", "evaluation", _XSS, d.calls(d.from_hex)),
    Variant("hex", "printf", "evaluation", _SHELL, sh.runs(sh.printed_hex)),
    # base64
    Variant("base64", "the value", "training", _ALL, s.base64_plain),
    Variant("base64", "eval(atob())", "training", _XSS, d.calls(d.from_atob)),
    Variant("base64", "echo | base64 -d", "training", _SHELL, sh.runs(sh.piped_base64)),
    Variant("base64", "state", "evaluation", _ALL, s.base64_state),
    Variant("base64", "data: text", "evaluation", _ALL, s.base64_data),
    Variant("base64", "from_base64()", "evaluation", _SQL, d.strings(d.base64_string)),
    Variant("base64", "Function(atob``)", "evaluation", _XSS, d.calls(d.from_function)),
    Variant("base64", "data: page", "evaluation", _XSS, d.as_data),
    Variant("base64", "base64 <<<", "evaluation", _SHELL, sh.runs(sh.fed_base64)),
    # put together from pieces
    Variant("concatenation", "||", "training", _SQL, d.strings(d.piped_string)),
    Variant("concatenation", "self[]", "training", _XSS, d.calls(d.by_key)),
    Variant("concatenation", "* for letters", "training", _SHELL, sh.wild_end),
    Variant("concatenation", "CONCAT()", "evaluation", _SQL, d.strings(d.concat_string)),
    Variant("concatenation", "+", "evaluation", _SQL, d.strings(d.plus_string)),
    Variant("concatenation", ".source", "evaluation", _XSS, d.calls(d.by_source)),
    Variant("concatenation", "? for letters", "evaluation", _SHELL, sh.wild_middle),
    Variant("concatenation", "variables", "evaluation", _SHELL, sh.runs(sh.from_variables)),
    # ways through the file system
    Variant("path", "....//", "training", _PATH, sh.steps("....//")),
    Variant("path", "..\\", "training", _PATH, sh.steps("..\\")),
    Variant("path", "/./", "training", _PATHS, sh.slashes(lambda _: "/./")),
    Variant("path", "null and extension", "training", _PATH, sh.ended_by_null),
    Variant("path", "..;/", "evaluation", _PATH, sh.steps("..;/")),
    Variant("path", "..././", "evaluation", _PATH, sh.steps("..././")),
    Variant("path", "..\\/", "evaluation", _PATH, sh.steps("..\\/")),
    Variant("path", "///", "evaluation", _PATHS, sh.slashes(lambda _: "///")),
    Variant("path", "/name/../", "evaluation", _PATHS, sh.slashes(sh.detour)),
    # addresses
    Variant("address", "one number", "training", _FETCH | _SHELL, sh.addresses(sh.whole_number)),
    Variant("address", "octal", "training", _FETCH | _SHELL, sh.addresses(sh.octal)),
    Variant("address", "0x", "evaluation", _FETCH | _SHELL, sh.addresses(sh.hex_number)),
    Variant("address", "IPv4 in IPv6", "evaluation", _FETCH, sh.addresses(sh.mapped)),
    # junk
    Variant("junk", "words around", "training", _SQL | _XSS | _PLAIN, s.in_prose),
    Variant("junk", "digits before", "training", _SQL | _XSS | _SHELL | _PLAIN, s.after_digits),
    Variant("junk", "digests around", "evaluation", _SQL | _XSS | _PLAIN, s.after_hex),
)


_PADDED: Final = [
    Whole("padding", f"{kib} KiB in the {place}", "evaluation", _ALL, padding.padding(place, kib * 1024))
    for place in padding.PLACES
    for kib in padding.SIZES
]
WHOLES: Final = (
    Whole("splitting", "a word of the same name before", "training", _ALL, padding.overridden),
    Whole("padding", "short words before", "training", _ALL, padding.worn),
    Whole("splitting", "at commas", "evaluation", _ALL, padding.split_by_commas),
    Whole("splitting", "in comments", "evaluation", _SQL, padding.split_by_comments),
    *_PADDED,
)


@cache
def variants(use: Use, label: Label) -> tuple[Variant, ...]:
    """The variants for values of a label, in the table's order; none for labels that are no attack on a server."""
    return tuple(variant for variant in VARIANTS if variant.use == use and label in variant.labels)


def rewrite(value: str, label: Label, rng: Random) -> str:
    """The value rewritten by a training variant, drawn by family and then by variant; unchanged where none suits.

    The result is plain text as far as its carrier goes: a percent-encoding is encoded once more in a URL.
    """
    for variant in _drawn(label, rng):
        new = _spelled(variant, value, rng)
        if new != value:
            return new.encode("utf-8", "replace").decode()
    return value


def rewritten(record: FlowRecord, label: Label, rng: Random) -> FlowRecord:
    """A request whose values are rewritten by one training variant, sometimes percent-encoded after that or padded.

    Every value of the record changes in the same way, or, where some have the signs of an attack, only those. The
    record itself where it has no value to rewrite, and for labels that are no attack on a server.
    """
    new = _first(record, _drawn(label, rng), rng)
    if new is not record and rng.random() < STACKED:
        new = _first(new, [rng.choice(_families(label)["percent"])], rng)
    wholes = [whole for whole in WHOLES if whole.use == "training" and label in whole.labels]
    if wholes and rng.random() < PADDED:
        new = rng.choice(wholes).change(new, rng).after
    return new


def applied(variant: Variant, record: FlowRecord, rng: Random) -> FlowRecord:
    """The record with its values rewritten by `variant`; the record itself where nothing changes."""
    return changed(record, lambda value: _spelled(variant, value, rng), variant.wire)


def _spelled(variant: Variant, value: str, rng: Random) -> str:
    """The value rewritten; as it is where it stands for bytes that are no text (surrogates)."""
    return value if _SURROGATE.search(value) else variant.spell(value, rng)


def _first(record: FlowRecord, drawn: Sequence[Variant], rng: Random) -> FlowRecord:
    """The record rewritten by the first variant that changes it."""
    rewritings = (applied(variant, record, rng) for variant in drawn)
    return next((new for new in rewritings if new is not record), record)


def _drawn(label: Label, rng: Random) -> list[Variant]:
    """The label's training variants in a random order that gives every family the same chance to be first."""
    families = _families(label)
    return [rng.choice(families[name]) for name in rng.sample(list(families), len(families))]


@cache
def _families(label: Label) -> dict[str, list[Variant]]:
    families: dict[str, list[Variant]] = {}
    for variant in variants("training", label):
        families.setdefault(variant.family, []).append(variant)
    return families
