"""How many workers `auto` is."""

import os
from pathlib import Path

import pytest

from proxy.cores import available, workers


def test_a_number_is_that_number() -> None:
    assert workers(3) == 3
    assert workers("auto") == available()


@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_container_has_no_more_than_its_quota(tmp_path: Path, quota: str, most: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available(file) == min(most, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense"])
def test_without_a_quota_affinity_decides(tmp_path: Path, quota: str) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available(file) == available(tmp_path / "none") == len(os.sched_getaffinity(0))
