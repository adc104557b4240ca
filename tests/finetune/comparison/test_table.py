from pathlib import Path

import msgspec
import pytest

from classifier.errors import UserError
from comparisons import RESULT, row
from finetune.comparison import table


def test_a_table_a_site_with_the_incumbent_once_and_means_over_seeds() -> None:
    shop, _ = table.tables(RESULT)
    assert shop.title.startswith("shop: 600 flows to learn from (9 hostile), judged on 400 harmless and 0 hostile and")
    assert [line[:2] for line in shop.rows] == [
        ["incumbent", ""],
        *([name, labels] for labels in ("50", "200") for name in ("n-gram", "from-scratch", "two-stage", "full+plain")),
    ]
    assert shop.rows[3][:6] == ["two-stage", "50", "0.9600", "2.10%", "10.0 x fewer", "++"]
    assert shop.rows[4][4:6] == ["(0.25 x fewer !)", "--"]
    assert shop.rows[1][8:10] == ["", ""], "an n-gram regression has no deployed points"
    assert all(len(line) == len(shop.headings) for line in shop.rows)


def test_no_false_positive_is_infinitely_fewer() -> None:
    assert table.times_fewer([row(site_fpr_at_tpr=0.0)], 0.1) == float("inf")
    assert table.times_fewer([row(site_fpr_at_tpr=0.0)], 0.0) == 1.0
    assert table.times_fewer([row(site_fpr_at_tpr=None)], 0.1) is None
    assert table.times_fewer([row()], None) is None


def test_one_number_of_labels_stands_for_all() -> None:
    assert table.typical({50, 200, 1000}) == 200
    assert table.typical({50}) == 50


def test_a_saved_result_as_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(msgspec.json.encode(RESULT))
    table.main([str(path)])
    out = capsys.readouterr().out
    assert "**shop: 600 flows" in out
    assert "| two-stage | 200 | 0.9600 |" in out
    assert out.count("False positives: share") == 1
    with pytest.raises(UserError, match="expected one file"):
        table.main([])


def test_the_terminal_shows_every_site(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(RESULT)
    out = capsys.readouterr().out
    assert "shop: 600" in out
    assert "mail: 600" in out
