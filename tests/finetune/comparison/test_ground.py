from pathlib import Path

import pytest

from classifier import registry
from classifier.errors import UserError
from classifier.records import HARMLESS
from finetune.comparison import ground
from finetune.comparison.ground import Ground


def test_base_rows_are_those_that_the_incumbent_masters_and_others_judge(base: Ground) -> None:
    assert 0 < len(base.practice) == len(base.lessons) <= 400
    assert {label in HARMLESS for label in base.exam.base.labels} == {True, False}
    assert not base.exam.site.records
    assert base.replay == "synthetic"


def test_a_folder_is_a_release_too(tmp_path: Path, base: Ground) -> None:
    found = ground.prepare(str(registry.base()), tmp_path, None, "stable")
    assert found.release == base.release == registry.Registry(tmp_path).resolve()


def test_an_unknown_release_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="20200101-000000000000"):
        ground.prepare("20200101-000000000000", tmp_path, None, "stable")
