"""The fixed attacks: all labels, always the same."""

from classifier.records import HARMLESS, LABELS
from classifier.sentinels import sentinels


def test_every_threat_has_sentinels() -> None:
    found = [record.label for record in sentinels()]
    assert set(found) == set(LABELS) - set(HARMLESS)
    assert min(found.count(label) for label in set(found)) >= 3
    assert 50 <= len(found) <= 80


def test_they_are_fixed_and_named() -> None:
    first, second = sentinels(), sentinels()
    assert first == second
    assert len({record.id for record in first}) == len(first)


def test_raw_bytes_arrive_as_bytes() -> None:
    bodies = [record.response_body for record in sentinels() if record.response_body.startswith(b"MZ")]
    assert bodies
    assert all(body[2] == 0x90 for body in bodies)
