"""Results are remembered, within bounds."""

from classifier.recent import ENTRY, LARGEST, Recent, both, total

ROOM = 10_000


class Counted:
    """The length of a key, and the number of calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, key: str) -> int:
        self.calls += 1
        return len(key)


def test_the_same_key_is_worked_on_once() -> None:
    counted = Counted()
    recent = Recent(counted, len, ROOM)
    assert [recent["abc"], recent["abc"], recent[""]] == [3, 3, 0]
    assert counted.calls == 2


def test_large_keys_are_not_kept() -> None:
    counted = Counted()
    recent = Recent(counted, len, 10 * LARGEST)
    for _ in range(2):
        assert recent["a" * LARGEST] == LARGEST
        assert recent["b" * (LARGEST - ENTRY)] == LARGEST - ENTRY
    assert counted.calls == 3


def test_it_never_holds_more_than_its_room() -> None:
    recent = Recent(Counted(), len, ROOM)
    for index in range(1000):
        key = "k" * (index % 300) + str(index)
        assert recent[key] == len(key)
        assert sum(map(len, recent)) + ENTRY * len(recent) <= ROOM
    assert recent["k" * ROOM] == ROOM and "k" * ROOM not in recent


def test_what_was_forgotten_makes_room() -> None:
    counted = Counted()
    recent = Recent(counted, len, 1000)
    for _ in range(3):
        assert recent["a" * 600] == 600
        recent.clear()
    assert recent["a"] == recent["a"] == 1
    assert counted.calls == 4


def test_a_pair_is_as_large_as_its_parts() -> None:
    assert both(("ab", "c")) == 3 and both(("", b"abcd")) == 4


def test_a_list_of_headers_is_as_large_as_its_pairs() -> None:
    assert total((("ab", "c"), ("", "def"))) == 6 and total(()) == 0
