"""Traffic by the hour."""

from pathlib import Path

import pytest

from consoles import NOW, capture, row
from proxy.console.history import HEIGHT, HOUR, HOURS, WIDTH, History, Hour, boxes

THIS = NOW // HOUR * HOUR


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    capture(
        tmp_path,
        row("now"),
        row("before", "flag", time=THIS - 1),
        row("then", "block", time=THIS - 1),
        row("long ago", "block", time=THIS - 100 * HOUR),
        row("bare", time=THIS, phase="connect"),
    )
    return tmp_path / "captures"


def test_flows_are_counted_by_hour_and_action(captures: Path) -> None:
    hours = History(captures).hours(NOW)
    assert [hour.start for hour in hours] == [THIS - (HOURS - 1 - place) * HOUR for place in range(HOURS)]
    assert hours[-1] == Hour(start=THIS, allow=1)
    assert hours[-2] == Hour(start=THIS - HOUR, flag=1, block=1)
    assert sum(hour.block for hour in hours) == 1, "what is older is not of this day"


def test_an_answer_stands_for_a_while(captures: Path) -> None:
    history = History(captures)
    assert history.hours() is history.hours()


def test_without_captures_a_day_is_empty(tmp_path: Path) -> None:
    assert boxes(History(tmp_path / "none").hours()) == []


def test_a_file_that_cannot_be_read_counts_nothing(captures: Path) -> None:
    (captures / "date=2026-01-01" / "proxy=1").mkdir(parents=True)
    (captures / "date=2026-01-01" / "proxy=1" / "torn.parquet").write_bytes(b"torn")
    assert History(captures).hours(NOW)[-1].allow == 1


@pytest.mark.parametrize(
    ("hours", "heights"),
    [
        ([Hour(start=0, allow=100)], [HEIGHT]),
        ([Hour(start=0, allow=100), Hour(start=1, allow=25)], [HEIGHT, HEIGHT / 2]),
        ([Hour(start=0, allow=3, block=1)], [HEIGHT / 4, HEIGHT * 3 / 4]),
        ([Hour(start=0, allow=10_000, block=1)], [2.0, HEIGHT - 2]),
        ([Hour(start=0)], []),
    ],
)
def test_bars_are_as_high_as_the_root_of_their_traffic(hours: list[Hour], heights: list[float]) -> None:
    found = boxes(hours)
    assert [box.height for box in found] == pytest.approx(heights, abs=0.02)
    assert all(box.x >= 0 and box.x + box.width <= WIDTH and box.y >= 0 for box in found)
