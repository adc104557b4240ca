"""When a worker is replaced, as a table."""

import pytest

from proxy.recycle import LEAST, Cause, due, held


@pytest.mark.parametrize(
    ("age", "memory", "after", "limit", "cause"),
    [
        (1e6, 10**12, 0.0, 0, None),
        (99.0, 10**12, 100.0, 0, None),
        (100.0, 0, 100.0, 10**9, "age"),
        (LEAST, 10**9, 0.0, 10**9, None),
        (LEAST, 10**9 + 1, 0.0, 10**9, "memory"),
        (LEAST - 1, 10**12, 0.0, 10**9, None),
    ],
)
def test_age_and_memory_are_reasons(age: float, memory: int, after: float, limit: int, cause: Cause | None) -> None:
    assert due(age, memory, after=after, limit=limit) == cause


def test_what_a_process_holds_grows_with_what_it_holds() -> None:
    before = held()
    block = bytearray(b"x") * (64 * 1024 * 1024)
    assert before > 1024 * 1024 and held() - before > len(block) // 2
