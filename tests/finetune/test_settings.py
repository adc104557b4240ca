from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import Label
from classifier.thresholds import Limits
from finetune import settings


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.load(None) == settings.Settings(None, "stable", None)


def test_the_file_of_the_proxy_is_read_and_paths_start_at_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "sluice.toml"
    file.write_text(
        '[proxy]\nlisten = "127.0.0.1:8080"\n[model]\nchannel = "canary"\nregistry = "shared"\ndevice = "cpu"\n'
        '[finetune]\ncorpus = "data"\nlists = { malware = "bad.txt" }\n'
    )
    lists = {Label.MALWARE: tmp_path / "bad.txt"}
    assert settings.load(file) == settings.Settings(tmp_path / "data", "canary", tmp_path / "shared", lists=lists)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[finetune", "is not TOML"),
        ("[finetune]\ncorpora = 'x'", "corpora"),
        ("[finetune]\ncorpus = 3", "finetune.corpus"),
        ("[finetune]\nlists = { evil = 'x' }", "evil"),
        ("[finetune]\ncorpus = 'nowhere'", "nowhere is not a folder"),
        ("[model]\nchannel = []", "model.channel"),
        ('[policy]\nbudget = { wrong_blocks = "often" }', "policy.budget"),
        ('[policy.thresholds.default]\nflag = "high"', "policy.thresholds"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(content)
    with pytest.raises(UserError) as error:
        settings.load(file)
    assert "sluice.toml" in str(error.value)
    assert said in str(error.value)


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        settings.load(tmp_path / "none.toml")


def test_the_policys_thresholds_and_budget_are_those_of_the_gates(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text(
        '[policy]\nbudget = { wrong_blocks = "1/1000" }\n[policy.thresholds.default]\nflag = 0.5\n'
        '[policy.thresholds."http/request"]\nsqli = { block = 0.8 }\n'
    )
    found = settings.load(file)
    assert found.budget == pytest.approx(1e-3)
    assert found.thresholds == {
        "default": {"threat": Limits(flag=0.5)},
        "http/request": {"sqli": Limits(block=0.8)},
    }
