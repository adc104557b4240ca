import pytest

from proxy.console.limit import Limit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_few_tries_at_once_then_one_every_so_often() -> None:
    clock = Clock()
    limit = Limit(clock)
    for _ in range(5):
        assert limit.wait("10.0.0.7") == 0
        limit.failed("10.0.0.7")
    assert limit.wait("10.0.0.7") == pytest.approx(12)
    assert limit.wait("10.0.0.8") == 0
    clock.now += 12
    assert limit.wait("10.0.0.7") == pytest.approx(0)
    limit.failed("10.0.0.7")
    assert limit.wait("10.0.0.7") == pytest.approx(12)


def test_the_right_password_forgets_the_wrong_ones() -> None:
    limit = Limit(Clock())
    for _ in range(5):
        limit.failed("10.0.0.7")
    limit.succeeded("10.0.0.7")
    assert limit.wait("10.0.0.7") == 0


def test_many_addresses_together_are_slowed_too() -> None:
    limit = Limit(Clock())
    for number in range(30):
        limit.failed(f"10.0.1.{number}")
    assert limit.wait("10.0.2.1") > 0


def test_addresses_do_not_fill_the_memory() -> None:
    limit = Limit(Clock())
    for number in range(5000):
        limit.failed(str(number))
    assert len(limit._each) <= 1000
