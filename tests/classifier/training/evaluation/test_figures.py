"""The saved figures."""

from pathlib import Path

import numpy as np
import pytest

from classifier.errors import UserError
from classifier.records import LABELS, Label
from classifier.training.evaluation.figures import confusion, decode, encode
from classifier.training.evaluation.measure import Judgement
from evaluations import sample


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    path.write_bytes(encode(sample()))
    assert decode(path) == sample()
    assert encode(decode(path)) == path.read_bytes()


def test_an_evaluation_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    report = '{"source":"*","family":"http","target":"threat","positives":1,"negatives":2,"against":"own","tpr":{}'
    path.write_text(
        f'{{"rows":3,"skipped":0,"systems":[{{"name":"m","release":"r","reports":[{report},"auroc":null}}]}}]}}'
    )
    assert decode(path).systems[0].reports[0].positives == 1


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_what_is_no_evaluation_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match="is no evaluation"):
        decode(tmp_path / "x.json")


def test_the_confusion_counts_by_label() -> None:
    labels = [Label.SQLI, Label.SQLI, Label.BENIGN]
    guesses = np.asarray([LABELS.index(label) for label in (Label.SQLI, Label.XSS, Label.BENIGN)], np.int64)
    judgement = Judgement(["a"] * 3, ["http"] * 3, labels, ["http/request"] * 3, {}, {"m": guesses})
    assert confusion(judgement, "m") == {"benign": {"benign": 1}, "sqli": {"sqli": 1, "xss": 1}}
    assert confusion(judgement, "other") == {}
