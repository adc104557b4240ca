"""Every table of an evaluation."""

import pytest

from classifier.training.evaluation import tables
from classifier.training.evaluation.figures import Evaluation
from classifier.training.evaluation.tables import Table
from evaluations import sample

FOUND = sample()


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        (tables.summary(FOUND), ["m", "0.9000 [0.800, 1.000]", "80.00 %", "", "150"]),
        (tables.hostile(FOUND, "http"), ["a", "200", "400 (own)", "m", "0.500 / 0.400", "0.970 / 0.960", "0.8000"]),
        (tables.harmless(FOUND, "http"), ["a", "400", "m", "0.0300 (3 x [1.5, 5] !)"]),
        (tables.others(FOUND, "url"), ["b", "tracker", "20"]),
        (tables.phases(FOUND.systems[0]), ["all", "malware", "+0.1000 [+0.0500, +0.1500]"]),
        (tables.confusion(FOUND.systems[0]), ["sqli", "10", "9", "1"]),
        (tables.evasions(FOUND), ["case", "90.00 %", "80.00 %", "0.900 [0.850, 0.940]"]),
        (tables.ablations(FOUND), ["a", "no host", "-0.0500"]),
        (tables.comparison(FOUND.comparisons[0]), ["a", "http threat", "9 / 1 (p 0.02)"]),
        (tables.flips(FOUND.comparisons[0]), ["hostile", "block", "allow", "7"]),
        (tables.targets(FOUND), ["a target", "≥ 1", "missed", "a 0.5"]),
    ],
    ids=lambda value: value.title if isinstance(value, Table) else "",
)
def test_a_table_has_its_figures(table: Table, cells: list[str]) -> None:
    assert table.rows
    assert all(len(row) == len(table.headings) for row in table.rows)
    assert table.note
    told = [cell for row in table.rows for cell in row]
    assert [cell for cell in cells if cell not in told] == []


def test_systems_stand_below_each_other_under_one_source() -> None:
    rows = [row for row in tables.hostile(FOUND, "http").rows if row[3] in ("m", "TF-IDF + LR")]
    assert [(row[0], row[3]) for row in rows] == [("all", "m"), ("a", "m"), ("", "TF-IDF + LR")]


def test_families_come_in_their_order() -> None:
    assert tables.families(FOUND) == ["http", "url"]


def test_an_empty_evaluation_has_empty_tables() -> None:
    nothing = Evaluation(0, 0, [])
    assert tables.families(nothing) == []
    assert [make(nothing).rows for make in (tables.summary, tables.evasions, tables.ablations, tables.targets)] == [
        []
    ] * 4
