"""Results are remembered by headers, within bounds."""

from classifier.recent import ENTRIES, LARGEST, Recent
from classifier.records import Headers


class Counted:
    """The number of headers, and of the calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, headers: Headers) -> int:
        self.calls += 1
        return len(headers)


def test_the_same_headers_are_worked_on_once() -> None:
    counted = Counted()
    recent = Recent(counted)
    assert [recent[(("A", "1"),)], recent[(("A", "1"),)], recent[()]] == [1, 1, 0]
    assert counted.calls == 2


def test_large_headers_are_not_kept() -> None:
    counted = Counted()
    recent = Recent(counted)
    kept, large = (("A", "x" * (LARGEST - 1)),), (("A", "x" * LARGEST),)
    assert [recent[headers] for headers in (kept, large, kept, large)] == [1, 1, 1, 1]
    assert counted.calls == 3 and list(recent) == [kept]


def test_it_never_holds_more_than_its_entries() -> None:
    recent = Recent(Counted())
    for index in range(3 * ENTRIES):
        assert recent[(("A", str(index)),)] == 1
        assert len(recent) <= ENTRIES
