from pathlib import Path

import pytest
import torch

from classifier.records import HARMLESS
from finetune.comparison import task
from finetune.comparison.attempt import Clock, Lot, attempt
from finetune.comparison.ground import Ground


@pytest.fixture(scope="module")
def lot(base: Ground, site: Path) -> Lot:
    return Lot.draw(base, task.load(site, base.incumbent), 12, 0)


def test_a_lot_has_labels_captures_and_grafts(lot: Lot) -> None:
    assert (lot.used, lot.labels, lot.seed) == (12, 12, 0)
    assert {row.weak for row in lot.train} == {True, False}
    assert {graft.label in HARMLESS for graft in lot.grafts} == {True, False}
    assert len(lot.material.hostile) + len(lot.material.disguised) == len(lot.grafts)
    assert len(lot.exam.taught.labels) == sum(not row.weak for row in lot.train)


def test_the_incumbent_is_the_measure_of_all_things(base: Ground, lot: Lot) -> None:
    row = attempt(base, lot, "incumbent")
    assert (row.site_gain, row.base_auroc_drop, row.base_detection_drop, row.base_alarms_rise) == (0, 0, 0, 0)
    assert (row.transfer, row.parameters_moved, row.seconds, row.latency) == ("none", 0, 0, 1)
    assert row.site_auroc is not None
    assert row.forward_transfer == pytest.approx(row.site_auroc - 0.5)


def test_a_strategy_is_trained_exported_and_judged(base: Ground, lot: Lot) -> None:
    weights = {name: value.clone() for name, value in base.network.state_dict().items()}
    row = attempt(base, lot, "feature-based")
    assert row.key == ("reports", "feature-based", 12, 0)
    assert row.parameters_moved == sum(p.numel() for p in base.network.head.parameters())
    assert row.seconds > lot.cost[0] > 0
    assert row.backward_transfer is not None
    assert row.base_auroc_drop == pytest.approx(-row.backward_transfer)
    assert row.base_detection_drop is not None
    assert all(torch.equal(value, weights[name]) for name, value in base.network.state_dict().items())


def test_the_same_seed_gives_the_same_row(base: Ground, lot: Lot) -> None:
    one, two = (attempt(base, lot, "two-stage") for _ in range(2))
    for row in (one, two):
        row.seconds = row.cpu_seconds = row.latency = 0.0
    assert one == two


def test_an_ngram_regression_has_no_deployed_points(base: Ground, lot: Lot) -> None:
    row = attempt(base, lot, "n-gram")
    assert row.base_detection_drop is None
    assert row.site_auroc is not None
    assert row.base_auroc_drop is not None
    assert row.parameters_moved > 100


def test_a_clock_counts_both_kinds_of_seconds() -> None:
    wall, cpu = Clock().now()
    assert wall >= 0
    assert cpu >= 0
