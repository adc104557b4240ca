import msgspec

from proxy.console.context import Console
from proxy.console.kept import KEPT, Kept


class Piece(msgspec.Struct):
    started: float
    told: str = ""


def test_what_is_kept_outlives_who_kept_it(console: Console) -> None:
    Kept(console.journal, "a", Piece).put(Piece(1.0, "first"))
    Kept(console.journal, "a", Piece).put(Piece(2.0, "begun"))
    Kept(console.journal, "a", Piece).put(Piece(2.0, "ended"))
    assert Kept(console.journal, "a", Piece).latest() == [Piece(2.0, "ended"), Piece(1.0, "first")]
    assert Kept(console.journal, "b", Piece).latest() == []


def test_only_the_latest_are_kept(console: Console) -> None:
    kept = Kept(console.journal, "a", Piece)
    for number in range(KEPT + 5):
        kept.put(Piece(float(number)))
    assert [piece.started for piece in kept.latest()] == [float(number) for number in range(KEPT + 4, 4, -1)]


def test_what_nobody_can_read_is_left_out(console: Console) -> None:
    kept = Kept(console.journal, "a", Piece)
    console.journal.write("insert into work values ('a', 1, 'torn')")
    assert kept.latest() == []
