"""Segments in any order, sent again, overlapping, missing: bytes in order."""

from hypothesis import given
from hypothesis import strategies as st

from classifier.importers.reassembly import WAIT_SEGMENTS, Gap, Order

TEXT = bytes(range(256)) * 4


def joined(order: Order, segments: list[tuple[int, bytes]]) -> list[bytes | Gap]:
    parts: list[bytes | Gap] = []
    for seq, payload in segments:
        parts += order.feed(seq % 2**32, payload)
    parts += order.finish()
    return parts


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 200)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_the_bytes_once(start: int, extra: list[tuple[int, int]], random) -> None:  # type: ignore[no-untyped-def]
    pieces = [(offset, 64) for offset in range(0, len(TEXT), 64)] + extra
    random.shuffle(pieces)
    order = Order()
    order.begin(start)
    parts = joined(order, [(start + offset, TEXT[offset : offset + size]) for offset, size in pieces])
    assert b"".join(part for part in parts if isinstance(part, bytes)) == TEXT
    assert not any(isinstance(part, Gap) for part in parts)


def test_what_never_comes_is_a_gap() -> None:
    order = Order()
    order.begin(100)
    assert joined(order, [(100, b"ab"), (105, b"cd"), (110, b"ef")]) == [b"ab", Gap(3), b"cd", Gap(3), b"ef"]


def test_without_a_handshake_the_first_segment_begins() -> None:
    assert joined(Order(), [(7, b"ab"), (9, b"cd"), (3, b"before")]) == [b"ab", b"cd"]


def test_waiting_has_an_end() -> None:
    order = Order()
    order.begin(0)
    parts = [part for n in range(WAIT_SEGMENTS + 1) for part in order.feed(10 + n, b"x")]
    assert parts[0] == Gap(10) and len(parts) == WAIT_SEGMENTS + 2
