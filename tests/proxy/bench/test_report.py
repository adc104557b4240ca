"""Figures: tables in, tables out."""

import math

import pytest
from rich.console import Console

from proxy.bench import report
from proxy.bench.load import Turn
from proxy.bench.report import Figures
from proxy.bench.scoring import Scoring

SCORING = Scoring("r1", "CPUExecutionProvider", requests=1000, responses=1000, flagged=5, failures=0, dropped=0)


def rounds(*rps: float, load_busy: float | None = 0.2) -> list[Figures]:
    return [Figures(rps=value, cpu_us=1e6 / value, p50_ms=10.0, p99_ms=20.0, load_busy=load_busy) for value in rps]


RESULTS = {"stock": rounds(100, 120, 80), "core": rounds(200, 300, 150), "scored": rounds(150, 100, 160)}


def test_a_turn_becomes_figures() -> None:
    times = [number / 1000 for number in range(1, 201)]
    made = report.figures(Turn(seconds=2.0, answered=230, times=times, cpu=[0.4, 0.1, 0.3], wrong={}))
    assert made == Figures(rps=100.0, cpu_us=2000.0, p50_ms=100.0, p99_ms=198.0, load_busy=0.2)


def test_unknown_processor_time_stays_unknown() -> None:
    made = report.figures(Turn(seconds=1.0, answered=1, times=[0.1], cpu=[math.nan, math.nan, 0.1], wrong={}))
    assert made.cpu_us is None
    assert made.load_busy is None
    assert report.medians([made, *rounds(5)]).cpu_us is None


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([1.0], 0.99, 1.0), ([1.0, 2.0], 0.5, 1.0), ([1.0, 2.0, 3.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 99)],
)
def test_percentiles_are_values_that_occurred(values: list[float], share: float, found: float) -> None:
    assert report.percentile(values, share) == found


def test_a_median_outlives_one_bad_round() -> None:
    assert report.medians(rounds(100, 101, 3)).rps == 100
    assert report.medians(rounds(100, 102)).rps == 101


def test_ratios_compare_medians_and_show_the_spread_of_the_rounds() -> None:
    assert report.ratio(RESULTS["core"], RESULTS["stock"]) == (2.0, 1.875, 2.5)


def test_the_document_has_the_keys_that_others_read() -> None:
    made = report.document(RESULTS, {"cores": 2}, release="r1")
    assert made["variants"].keys() == {"stock", "core", "scored"}
    assert made["variants"]["core"] == {"rps": 200, "cpu_us": 5000, "p50_ms": 10, "p99_ms": 20, "load_busy": 0.2}
    assert made["machine"] == {"cores": 2}
    assert made["release"] == "r1"


def test_the_table_shows_ratios_to_stock_and_to_core() -> None:
    console = Console(width=120, force_terminal=False)
    with console.capture() as shown:
        console.print(report.table(RESULTS))
    lines = {line.split()[0]: line.split()[1:] for line in shown.get().splitlines()}
    assert lines["stock"][:3] == ["100", "1", "0.50"]
    assert lines["core"][:4] == ["200", "2.00", "(1.88-2.50)", "1"]
    assert lines["scored"][1] == "1.50"


@pytest.mark.parametrize(
    ("busy", "pinned", "said", "unsaid"),
    [
        (0.2, True, "0.25% of 2,000 decisions flagged", "limit"),
        (0.95, True, "may have been the limit, not the server: core.", "pinned"),
        (None, False, "Nothing was pinned", "limit"),
    ],
)
def test_remarks_say_what_the_figures_do_not(busy: float | None, pinned: bool, said: str, unsaid: str) -> None:
    text = "\n".join(report.remarks(RESULTS | {"core": rounds(1, load_busy=busy)}, {"scored": SCORING}, pinned))
    assert said in text
    assert unsaid not in text
