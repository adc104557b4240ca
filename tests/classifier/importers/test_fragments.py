import itertools

import pytest

from classifier.importers.fragments import KEPT, Fragments

PARTS = [(0, b"12345678", True), (8, b"abcdefgh", True), (16, b"xyz", False)]


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_fragments_in_any_order_make_the_whole(order: tuple[int, ...]) -> None:
    fragments = Fragments()
    given = [fragments.add("p", PARTS[i][0], PARTS[i][1], more=PARTS[i][2]) for i in order]
    assert given == [None, None, b"12345678abcdefghxyz"]


@pytest.mark.parametrize("missing", range(3))
def test_with_one_missing_there_is_nothing(missing: int) -> None:
    fragments = Fragments()
    kept = [part for number, part in enumerate(PARTS) if number != missing]
    assert [fragments.add("p", start, data, more=more) for start, data, more in kept] == [None, None]


def test_packets_are_told_apart() -> None:
    fragments = Fragments()
    assert fragments.add("p", 0, b"12345678", more=True) is None
    assert fragments.add("q", 8, b"end", more=False) is None
    assert fragments.add("p", 8, b"ok", more=False) == b"12345678ok"


def test_of_overlapping_fragments_the_first_counts() -> None:
    fragments = Fragments()
    fragments.add("p", 0, b"12345678", more=True)
    fragments.add("p", 0, b"________", more=True)
    assert fragments.add("p", 4, b"....more", more=False) == b"12345678more"


def test_what_claims_to_be_longer_than_a_packet_is_dropped() -> None:
    assert Fragments().add("p", 65_528, b"12345678", more=False) is None


def test_a_flood_drops_the_oldest() -> None:
    fragments = Fragments()
    for number in range(KEPT + 1):
        fragments.add(number, 0, b"12345678", more=True)
    assert fragments.add(0, 8, b"end", more=False) is None
    assert fragments.add(KEPT, 8, b"end", more=False) == b"12345678end"
