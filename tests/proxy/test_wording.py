"""Every language is whole, and the reader's is chosen."""

import string

import pytest

from classifier.records import HARMLESS, LABELS
from proxy.wording import ENGLISH, LANGUAGES, Wording, spoken


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr,en;q=0.8,de;q=0.7", "en"),
        ("fr, de;q=0.7", "de"),
        ("en;q=0.2, de;q=0.9", "de"),
        ("de;q=0", "en"),
        ("de;q=x", "en"),
        ("DE", "de"),
        ("*", "en"),
        ("xx,,;;q=1", "en"),
    ],
)
def test_the_language_follows_the_header(header: str, language: str) -> None:
    assert spoken(header).language == language


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=list(LANGUAGES))
def test_a_language_is_whole(words: Wording) -> None:
    assert words.meaning.keys() == words.name.keys() == set(LABELS) - set(HARMLESS)
    for name, ours, english in zip(Wording._fields, words, ENGLISH, strict=True):
        if isinstance(ours, str) and isinstance(english, str):
            assert ours.strip() and fields(ours) == fields(english), name
        elif isinstance(ours, tuple):
            assert all(ours) and not any(map(fields, ours)), name
