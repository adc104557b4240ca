"""`sluice datasets` as people call it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifier.cli import build as root
from classifier.errors import UserError
from classifier.training import corpus
from classifier.training.datasets import manifest
from classifier.training.datasets.build import Report
from classifier.training.datasets.commands import account
from repositories import write

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("repositories"))


def test_build_says_what_it_built_beside_what_was_trained_on(kept: Path, tmp_path: Path) -> None:
    result = RUNNER.invoke(
        root(), ["datasets", "build", "--out", str(tmp_path), "--from", str(kept), "--only", "opendns_top"]
    )
    assert result.exit_code == 0, result.output
    assert ["urls", "opendns_top", "benign", "3", "5,295", "-5,292"] in [
        line.split() for line in result.output.splitlines()
    ]
    assert "1 sources trusted at first sight" in result.stderr
    assert len(list(corpus.rows(tmp_path))) == 3


def test_build_goes_on_past_a_source_that_fails(kept: Path, tmp_path: Path) -> None:
    result = RUNNER.invoke(
        root(),
        [
            "datasets",
            "build",
            "--out",
            str(tmp_path),
            "--from",
            str(kept),
            "--only",
            "easylist",
            "--only",
            "easyprivacy",
        ],
    )
    assert isinstance(result.exception, UserError) and result.exception.exit_code == 1
    assert "failed: easyprivacy: " in result.stderr
    assert len(list(corpus.rows(tmp_path))) == 2


def test_ls_says_what_is_at_hand(kept: Path) -> None:
    result = RUNNER.invoke(root(), ["datasets", "ls", "--from", str(kept)])
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert len(lines) == len(manifest.load()) + 1
    assert " yes " in lines["opendns_top"] and " no " in lines["zeek"] and "BSD-3-Clause" in lines["zeek"]


def test_an_unknown_source_is_a_mistake(tmp_path: Path) -> None:
    result = RUNNER.invoke(root(), ["datasets", "build", "--out", str(tmp_path), "--only", "nothing"])
    assert isinstance(result.exception, UserError) and "no such source: nothing" in str(result.exception)


def test_what_is_known_in_sum_only_is_told_in_sum() -> None:
    (source,) = manifest.select(manifest.load(), ["zeek"])
    report = Report(read=["zeek"])
    report.rows.update({("dns", "zeek/zeek", "benign"): 2, ("dns", "zeek/zeek", "unknown"): 3})
    rows = [row for row in account(report, [source]) if row[0] == "dns"]
    assert rows == [
        ("dns", "zeek/zeek", "all labels", "5", "401", "-396"),
        ("dns", "all of these", "all labels", "5", "401", "-396"),
    ]
