import math

import numpy as np
import pytest

from classifier.evaluate import Interval
from finetune import transfer
from finetune.transfer import Seen

HOSTILE = np.arange(400) % 2 == 0
GROUPS = np.array([str(number) for number in range(400)])


def seen(lead: float, seed: int = 0) -> Seen:
    """Scores of hostile rows are `lead` standard deviations higher."""
    return Seen(HOSTILE, np.random.default_rng(seed).normal(size=400) + lead * HOSTILE, GROUPS)


def test_quality_and_false_positives_of_scores_that_tell_everything_and_nothing() -> None:
    perfect, blind = Seen(HOSTILE, HOSTILE.astype(float), GROUPS), Seen(HOSTILE, np.zeros(400), GROUPS)
    assert (transfer.quality(perfect), transfer.quality(blind)) == (1.0, 0.5)
    assert transfer.false_positives(perfect).value == 0.0
    assert transfer.false_positives(blind).value == 1.0


def test_false_positives_are_counted_where_nineteen_of_twenty_hostile_rows_are_caught() -> None:
    score = np.concatenate([np.arange(20.0) + 100, [0.0, 50.0, 101.5, 200.0]])
    rows = Seen(np.arange(24) < 20, score, np.array([str(n) for n in range(24)]))
    assert transfer.false_positives(rows).value == 0.5


def test_the_same_order_on_another_scale_gains_nothing() -> None:
    rows = seen(1.0)
    assert transfer.gain(rows, rows._replace(score=np.exp(rows.score))) == (0.0, 0.0, 0.0)


def test_a_gain_and_a_loss_are_told_apart_from_chance() -> None:
    better, worse = transfer.gain(seen(1.0), seen(3.0)), transfer.gain(seen(3.0), seen(1.0))
    assert better.low > 0 > worse.high
    assert (transfer.verdict(better), transfer.verdict(worse)) == ("positive", "negative")
    assert transfer.verdict(transfer.gain(seen(1.0), seen(1.0, seed=1))) == "none"


def test_near_duplicates_make_an_interval_wider() -> None:
    rows, same = seen(1.0), np.array([str(number // 40) for number in range(400)])
    alone, together = (
        transfer.gain(rows._replace(groups=groups), seen(1.3, seed=1)._replace(groups=groups))
        for groups in (GROUPS, same)
    )
    assert alone.value == together.value
    noise = np.repeat(np.random.default_rng(3).normal(size=10), 40)
    before, after = rows._replace(groups=same), rows._replace(groups=same, score=rows.score + noise * HOSTILE)
    apart = transfer.gain(rows, after._replace(groups=GROUPS))
    clustered = transfer.gain(before, after)
    assert clustered.high - clustered.low > apart.high - apart.low


def test_detection_lost_is_paired() -> None:
    before = np.ones(200, bool)
    after = np.arange(200) >= 20
    found = transfer.lost(before, after, GROUPS[:200])
    assert found.value == pytest.approx(0.1)
    assert 0.05 < found.low < 0.1 < found.high < 0.15
    assert transfer.lost(after, after, GROUPS[:200]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("hostile", [True, False])
def test_what_needs_both_classes_is_not_a_number_without_them(hostile: bool) -> None:
    rows = Seen(np.full(4, hostile), np.arange(4.0), GROUPS[:4])
    assert math.isnan(transfer.quality(rows))
    assert math.isnan(transfer.false_positives(rows).value)
    assert math.isnan(transfer.gain(rows, rows).value)
    nobody = np.zeros(0, bool)
    assert math.isnan(transfer.lost(nobody, nobody, GROUPS[:0]).value)
    assert transfer.verdict(Interval(math.nan, math.nan, math.nan)) == "none"


def test_forward_transfer_is_what_was_known_before() -> None:
    assert transfer.forward(0.9) == pytest.approx(0.4)
