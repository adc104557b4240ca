"""The manifest: the shipped one is sound, mistakes in one are one line."""

import pytest

from classifier.errors import UserError
from classifier.training.corpus import HELD_OUT, TABLES
from classifier.training.datasets import manifest
from classifier.training.datasets.commands import ALL
from classifier.training.datasets.labels import KNOWN
from classifier.training.datasets.manifest import UNKNOWN, Pin

GOOD = '[[source]]\nname="a"\ntable="urls"\npins=["o/n@c"]\nlicence="MIT"\nformat="list"\npaths=["x"]\n'


def test_every_shipped_source_is_pinned_and_licensed_and_counts_what_was_trained_on() -> None:
    sources = manifest.load()
    assert len(sources) > 80
    for source in sources:
        assert all(len(pin.commit) >= 12 for pin in source.repositories), source.name
        assert source.licence and source.rows.keys() <= TABLES.keys(), source.name
        assert {label for labels in source.rows.values() for label in labels} <= KNOWN | {ALL}, source.name


def test_a_repository_is_pinned_to_one_commit() -> None:
    pins = {pin for source in manifest.load() if source.format != UNKNOWN for pin in source.repositories}
    commits = {(pin.folder, pin.commit[:12]) for pin in pins}
    assert len(commits) == len({folder for folder, _ in commits})


def test_the_sources_that_are_held_out_are_named_as_training_names_them() -> None:
    sources = manifest.load()
    by_name = {source.name for source in sources if source.table == "urls"}
    repositories = {pin.name for source in sources for pin in source.repositories}
    assert HELD_OUT["urls"] <= by_name
    assert set().union(*(names for table, names in HELD_OUT.items() if table != "urls")) <= repositories


def test_a_manifest_of_ones_own() -> None:
    (source,) = manifest.load(GOOD)
    assert source.repositories == [Pin("o", "n", "c")]
    assert source.repositories[0].folder == "o__n"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[[source", "sources.toml: "),
        (GOOD.replace('"urls"', '"maps"'), "maps"),
        (GOOD + 'colour="red"', "colour"),
        (GOOD.replace("list", "riddle"), "no such format: riddle"),
        (GOOD.replace('"urls"', '"flows"'), "the format list cannot feed the table flows"),
        (GOOD.replace('"urls"', '"payloads"').replace("list", "http"), "cannot feed"),
        (GOOD.replace('paths=["x"]', ""), "paths are missing"),
        (GOOD.replace("o/n@c", "o/n"), "is not owner/name@commit"),
        (GOOD + 'label="evil"', "no such label rule: 'evil'"),
        (GOOD + GOOD, "named twice: a"),
    ],
)
def test_mistakes(wrong: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        manifest.load(wrong)


def test_sources_are_chosen_by_name() -> None:
    sources = manifest.load()
    assert [source.name for source in manifest.select(sources, ["tldr"])] == ["tldr"]
    assert manifest.select(sources, []) == sources
    with pytest.raises(UserError, match="no such source: nothing"):
        manifest.select(sources, ["tldr", "nothing"])
