"""What a candidate is made with: the operator's policy, the incumbent, its yardstick."""

from pathlib import Path

import numpy as np
import pytest

from classifier.registry import Registry
from classifier.thresholds import Limits
from finetune import bench, exam
from finetune.bench import Bench
from finetune.exam import Exam
from finetune.outcome import Options
from finetune.replay import base_rows
from finetune.site import Site


def test_the_operators_thresholds_and_budget_are_those_of_the_gates() -> None:
    options = Options(Path("s"), thresholds={"default": {"threat": Limits(flag=0.3)}}, budget=1e-3)
    found = bench.policy(options)
    assert found.block_at == "0.001" and found.thresholds["default"]["threat"].flag == 0.3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The shipped model, some base rows, no site."""
    folder = tmp_path_factory.mktemp("state")
    options = Options(folder)
    incumbent = bench.incumbent(Registry(folder), options, folder)
    nothing = Site([], [], (0.0, 0))
    papers: Exam = exam.prepare(nothing, [], base_rows(None, 0)[1][:300])
    return Bench(options, incumbent, papers, bench.card(options, incumbent, nothing), folder)


def test_a_yardstick_is_the_share_of_attacks_that_the_incumbent_flags(made: Bench) -> None:
    found = made.yardstick()
    assert found.attacks.hostile.all() and 0.3 < found.share <= 1.0


def test_an_unchanged_network_is_exported_with_nearly_the_same_scores(made: Bench) -> None:
    judge = made.judge(made.exported(made.incumbent.network))
    rows = made.exam.base.take(range(20))
    before, after = (side.opinion(rows.records, rows.features)[0] for side in (made.incumbent.judge, judge))
    assert np.allclose(before, after, atol=1e-3)
    assert judge.points.keys() == made.incumbent.judge.points.keys()
