import math
from pathlib import Path

import msgspec
import pytest

from classifier.errors import UserError
from classifier.evaluate import Interval
from comparisons import RESULT, row
from finetune.comparison import rows
from finetune.comparison.rows import Keep


def test_rows_of_the_same_base_replay_and_site_are_known_again(tmp_path: Path) -> None:
    keep = Keep(tmp_path, "release", "corpus")
    keep.add(row(seed=1), "digest")
    keep.add(row(seed=2), "digest")
    assert [found.seed for found in keep.known({"shop": "digest"})] == [1, 2]
    assert keep.known({"shop": "other flows"}) == []
    assert keep.known({"mail": "digest"}) == []
    assert Keep(tmp_path, "newer", "corpus").known({"shop": "digest"}) == []
    assert Keep(tmp_path, "release", "synthetic").known({"shop": "digest"}) == []


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    keep = Keep(tmp_path, "release", "corpus")
    keep.add(row(), "digest")
    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:90])
    assert len(keep.known({"shop": "digest"})) == 1


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    keep = Keep(None, "release", "corpus")
    keep.add(row(), "digest")
    assert keep.known({"shop": "digest"}) == []
    assert list(tmp_path.iterdir()) == []


def test_a_saved_result_is_read_back_and_anything_else_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(msgspec.json.encode(RESULT))
    assert rows.read(path) == RESULT
    path.write_text("[]")
    with pytest.raises(UserError, match="no result of `sluice finetune compare --json`"):
        rows.read(path)


def test_the_fields_that_others_read_are_there() -> None:
    fields = "site strategy labels seed site_auroc site_fpr_at_tpr base_auroc_drop seconds parameters_moved".split()
    assert set(fields) <= msgspec.to_builtins(row()).keys()


def test_the_lead_over_a_new_network_is_that_of_the_same_labels_and_seed() -> None:
    found = rows.over_scratch(
        [
            row(strategy="from-scratch"),
            row(),
            row(seed=1),
            row(site_auroc=None),
            row(strategy="from-scratch", labels=50),
        ]
    )
    assert [None if each.over_scratch is None else round(each.over_scratch, 3) for each in found] == [
        *(0.0, 0.26, None, None, 0.0)
    ]


def test_an_interval_becomes_three_fields_without_nan_or_negative_zero() -> None:
    found = rows.bounds("gain", Interval(-0.0, math.nan, 0.25))
    assert found == {"gain": 0.0, "gain_low": None, "gain_high": 0.25}
    assert str(found["gain"]) == "0.0"
