"""What `sluice policy check` says beyond "fine"."""

import time
from pathlib import Path

import pytest

from classifier.errors import UserError
from inside import make_judge
from proxy.check import check
from proxy.needed import ENOUGH, Need, Needs


def said(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    (folder / "sluice.toml").write_text(text)
    check(folder / "sluice.toml", folder)
    return capsys.readouterr().out.splitlines()


def test_the_mode_and_its_cause_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, told in (
        ("", "mode monitor by the default, 0 rules, 0 exceptions"),
        ('[proxy]\nmode = "enforce"', "mode enforce by proxy.mode"),
        ('[policy]\nmode = "enforce"\nenforce_percent = 12.5', "mode enforce by policy.mode, enforced for 12.5 % of"),
        ('[[policy.scopes]]\nclient = "10.0.0.0/8"\nmode = "enforce"', "1 scopes"),
    ):
        (line,) = said(tmp_path, text, capsys)
        assert told in line


def test_a_rule_behind_one_that_fits_everything_is_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[[policy.rules]]\nname = "all"\naction = "block"\n[[policy.rules]]\nhost = "a.example"\naction = "allow"\n'
    assert said(tmp_path, text, capsys)[1:] == ["rule 'rule 2' is never reached: 'all' fits every flow"]


def test_exceptions_that_ended_or_are_not_needed_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = '[[policy.exceptions]]\nhost = "a.example"\nowner = "o"\nreason = "r"\n'
    text = f'{head}name = "old"\nexpires = 2020-01-31\n{head}name = "done"\n{head}name = "gone"\nretire = true\n{head}'
    journal = make_judge(tmp_path).journal
    needs = Needs(journal)
    found = [Need(name, "r1", False, ENOUGH, time.time()) for name in ("done", "gone", "old")]
    needs.settle([*found, Need("exception 4", "r1", True, 1, time.time())], make_judge(tmp_path).policy)
    assert said(tmp_path, text, capsys)[1:] == [
        "exception 'old' has expired on 2020-01-31: remove it",
        "exception 'done' is no longer needed: release r1 lets its 3 sampled flows pass without it: "
        "consider removing it",
        "exception 'gone' is no longer needed: release r1 lets its 3 sampled flows pass without it: "
        "it is retired while that release serves",
    ]


def test_exceptions_made_in_the_console_are_looked_at_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "exceptions.toml").write_text(
        '[[policy.exceptions]]\nname = "console-1"\nowner = "o"\nreason = "r"\nexpires = 2020-01-31\n'
    )
    assert said(tmp_path, "", capsys)[1:] == ["exception 'console-1' has expired on 2020-01-31: remove it"]


def test_a_mistake_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text("[policy]\nmod = 1\n")
    with pytest.raises(UserError, match=r"policy.mod: unknown key, did you mean mode\?"):
        check(tmp_path / "sluice.toml", tmp_path)
    assert not (tmp_path / "sluice.db").exists()
