"""The policy of a configuration, for commands without a proxy."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.offline import POLICY
from classifier.records import FlowRecord, Label, Verdict
from models import points
from proxy.offline import policy

CALM = Verdict(label=Label.BENIGN, threat=0.1, scores={Label.BENIGN: 0.9}, model="m")


def test_rules_exceptions_and_thresholds_all_count(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text(
        """
        [policy]
        thresholds = {default = {flag = 0.05}}
        [[policy.rules]]
        host = ["bad.example"]
        action = "block"
        [[policy.exceptions]]
        host = ["fine.example"]
        owner = "ops"
        reason = "known"
        """
    )
    decide = policy(tmp_path / "sluice.toml", points())
    found = [decide(FlowRecord(host=host), CALM) for host in ("bad.example", "fine.example", "other.example")]
    assert found == ["block", "allow", "flag"]


def test_a_mistake_in_the_file_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text("[policy]\nmod = 1\n")
    with pytest.raises(UserError, match="mod"):
        policy(tmp_path / "sluice.toml", {})


def test_the_classifier_finds_it() -> None:
    assert [entry.load() for entry in entry_points(group=POLICY)] == [policy]
