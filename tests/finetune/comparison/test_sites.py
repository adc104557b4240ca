import random
from pathlib import Path

import pytest

import tinycorpus
from classifier.importers import jsonl
from classifier.records import HARMLESS, FlowRecord, Label
from finetune.comparison import sites
from finetune.comparison.sites import Recipe, Source


def flow(number: int, host: str, time: float = 0.0) -> FlowRecord:
    return FlowRecord(host=host, path=f"/{number}", time=time, label=Label.BENIGN)


def test_flows_of_a_group_get_times_that_follow_each_other() -> None:
    flows = [flow(number, f"www.d{number % 30}.example") for number in range(300)]
    timed = sites.timed(flows, random.Random(0))
    assert [each.time for each in timed] == sorted(each.time for each in timed)
    times = [each.time for each in timed if each.host == "www.d3.example"]
    assert len(times) == 10
    assert max(times) - min(times) < 3600
    assert timed[-1].time - timed[0].time > 3 * 24 * 3600
    assert len({each.id for each in timed}) == 300


def test_times_that_there_are_stay() -> None:
    assert [each.time for each in sites.timed([flow(1, "a", 9.0), flow(2, "a", 5.0)], random.Random(0))] == [5.0, 9.0]


def test_a_site_is_written_from_whole_sources(tmp_path: Path) -> None:
    corpus = tinycorpus.write(tmp_path / "corpus")
    recipe = Recipe("mine", (Source("requests:recorded", 2, 0), Source("urls:scams", 0, 5)))
    ((path, harmless, hostile),) = sites.write(corpus, tmp_path / "sites", [recipe])
    found = [record for record in jsonl.parse(path.read_bytes().splitlines(), "mine") if isinstance(record, FlowRecord)]
    assert (harmless, hostile) == (2, len(found) - 2)
    assert hostile > 0
    assert all(record.method == "GET" and record.time and record.label for record in found)
    assert sum(record.label in HARMLESS for record in found) == 2


def test_an_incomplete_corpus_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        sites.main(["--corpus", str(tmp_path), "--out", str(tmp_path / "out")])
    assert exit.value.code == 2
    assert "is missing: --corpus needs a folder" in capsys.readouterr().err


def test_sites_of_the_result_are_sources_that_training_never_sees() -> None:
    from classifier.training.corpus import HELD_OUT

    for recipes, never in ((sites.HELD_OUT, True), (sites.DEVELOPMENT, False)):
        for source in (source for recipe in recipes for source in recipe.sources):
            table, _, name = source.name.partition(":")
            assert (name in HELD_OUT[table]) == never, source.name
