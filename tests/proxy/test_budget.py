"""A budget of wrong blocks, kept by the site's own traffic."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier.errors import UserError
from classifier.journal import Journal
from classifier.records import FlowRecord, Label, Verdict
from classifier.registry import Registry
from classifier.store import CaptureRow, CaptureWriter
from models import points, tiny_release
from proxy import config
from proxy.budget import FILE, Sample, in_force, kept, limit, measure, supports

HUNDRED = 0.01


def sample(count: int, *top: float, alarms: int = 0) -> Sample:
    """`count` flows, all calm but the `top`; the first `alarms` of those are alarms that nobody labelled."""
    threats = np.concatenate([np.array(top, float), np.linspace(0.0, 0.01, count - len(top))])
    return Sample(threats, np.arange(count) < alarms)


@pytest.mark.parametrize(("share", "flows"), [(0.01, 299), (0.001, 2995), (0.0001, 29_956)])
def test_a_budget_takes_so_many_flows(share: float, flows: int) -> None:
    assert supports(share) == flows


@pytest.mark.parametrize(
    ("found", "threshold", "said"),
    [
        (sample(298), None, "not enough data yet for 1 in 100: 298 harmless flows are known, 1 more are needed"),
        (sample(299, 0.7), 0.7, "blocks from a threat of 0.7"),
        (sample(600, 0.9, 0.6), 0.6, "blocks from a threat of 0.6"),
        (sample(299), 0.5, "blocks from a threat of 0.5"),
        (sample(299, 0.99, alarms=1), None, "until 1 alarms are labelled"),
        (sample(600, 0.99, 0.6, 0.6, alarms=1), None, "until 1 alarms are labelled"),
    ],
    ids=["too few", "the highest", "one may reach it", "never below flag", "an alarm decides", "one of those above"],
)
def test_the_threshold_is_what_few_enough_reach(found: Sample, threshold: float | None, said: str) -> None:
    told = limit("http/request", found, HUNDRED, least=0.5)
    assert told.threshold is None if threshold is None else told.threshold == pytest.approx(threshold)
    assert said in told.said
    if threshold is not None and told.threshold is not None:
        assert (found.threats >= told.threshold).sum() <= told.allowed


def test_an_alarm_below_what_decides_moves_nothing() -> None:
    mixed = Sample(np.array([0.9, *[0.6] * 20, *[0.0] * 400]), np.array([False, *[True] * 20, *[False] * 400]))
    assert limit("s", Sample(mixed.threats[:300], mixed.alarms[:300] & False), HUNDRED, 0.5).threshold is not None
    alone = Sample(np.array([0.9, 0.6, *[0.0] * 300]), np.array([False, True, *[False] * 300]))
    assert limit("s", alone, HUNDRED, 0.5).threshold == pytest.approx(0.9)


def state(folder: Path, flows: int) -> str:
    """A state that captured calm flows and two alarms, one of them called harmless and one called a threat."""
    registry = Registry(folder)
    release = registry.publish(tiny_release(folder / "made"))
    registry.promote(release)
    writer = CaptureWriter(folder / "captures", worker="0", max_age=1e10, max_bytes=1 << 30)
    for number in range(flows + 2):
        path = "/?q='" if number < 2 else f"/page/{number}"
        record = FlowRecord(id=f"f{number}", time=1e9, host="a.example", method="GET", scheme="http", path=path)
        writer.offer(CaptureRow(record=record, verdicts={"request": Verdict(Label.BENIGN, 0.0, {}, release)}))
    writer.close()
    journal = Journal(folder / "sluice.db")
    journal.label("f0", "benign")
    journal.label("f1", "sqli")
    journal.close()
    return release


def configured(folder: Path, more: str = ', from = "site"') -> Path:
    (folder / "sluice.toml").write_text(f'[policy]\nbudget = {{ wrong_blocks = "1/100"{more} }}\n')
    return folder / "sluice.toml"


def test_it_is_measured_kept_and_put_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release, file = state(tmp_path, 350), configured(tmp_path)
    measure(file, tmp_path, as_json=False)
    assert "http/request: blocks from a threat of" in capsys.readouterr().out
    site = in_force(tmp_path, config.load(file), release)
    assert site["http/request"] > 0.99, "the flow that was called harmless passes from now on"
    assert in_force(tmp_path, config.load(file), "another release") == {}
    assert in_force(tmp_path, config.load(configured(tmp_path, "")), release) == {}
    found = kept(tmp_path)
    assert found is not None and (found.release, found.limits[0].flows) == (release, 351)


def test_what_the_file_says_wins_over_what_was_measured(tmp_path: Path) -> None:
    record = FlowRecord(host="a.example", method="GET", scheme="http", path="/", phase="request")
    verdict = Verdict(Label.SQLI, 0.95, {Label.SQLI: 0.95, Label.BENIGN: 0.05}, "r")
    file = configured(tmp_path)
    assert config.load(file).build_policy(points(), (), {}).decide(record, verdict).action == "block"
    measured = {"http/request": 0.99}
    assert config.load(file).build_policy(points(), (), measured).decide(record, verdict).action == "flag"
    file.write_text(file.read_text() + '[policy.thresholds."http/request"]\nblock = 0.9\n')
    assert config.load(file).build_policy(points(), (), measured).decide(record, verdict).action == "block"


def test_without_captures_a_person_is_told_what_to_do(tmp_path: Path) -> None:
    Journal(tmp_path / "sluice.db").close()
    with pytest.raises(UserError, match="no captured flow"):
        measure(configured(tmp_path), tmp_path, as_json=True)


def test_a_file_that_nobody_can_read_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("torn")
    assert kept(tmp_path) is None


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    state(tmp_path, 10)
    done = subprocess.run(
        [sys.executable, "-m", "classifier.cli", "policy", "budget", "--json", "--state", str(tmp_path),
         "--config", str(configured(tmp_path, ""))], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout)["limits"]
    assert (only["scope"], only["threshold"], only["needed"]) == ("http/request", None, 288)
