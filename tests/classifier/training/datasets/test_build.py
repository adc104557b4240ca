"""From made-up repositories to tables that training reads."""

import shutil
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from classifier.errors import UserError
from classifier.training import corpus
from classifier.training.data import training_rows
from classifier.training.datasets import manifest
from classifier.training.datasets.build import Report, build
from classifier.training.datasets.formats import FORMATS
from classifier.training.datasets.lock import NAME
from classifier.training.datasets.manifest import UNKNOWN, Source
from classifier.training.network import Config
from classifier.training.train import Settings, main
from repositories import pack, write

SMALL = Config(buckets=512, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="module")
def built(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    out = tmp_path_factory.mktemp("out") / "corpus"
    return out, build(out, manifest.load(), kept)


def test_every_format_gives_rows(built: tuple[Path, Report]) -> None:
    sources = {source.name: source for source in manifest.load()}
    assert {sources[name].format for name in built[1].read} == FORMATS.keys()
    rows = built[1].rows
    assert {table for table, _, _ in rows} == corpus.TABLES.keys() - {"handshakes"}
    for name in built[1].read:
        source = sources[name]
        called = {source.name, *map(str, source.repositories)}
        assert any(key[1] in called for key in rows), name


def test_training_reads_the_tables(built: tuple[Path, Report]) -> None:
    rows = list(corpus.rows(built[0]))
    assert len(rows) == built[1].rows.total()
    assert Counter(row.part for row in rows)["holdout"] > 5
    (row,) = [row for row in rows if row.source == "requests:afrog"]
    assert (row.record.path, row.labels) == ("/x?f=../../etc/passwd", ("path_traversal",))


def test_training_runs_on_the_tables(built: tuple[Path, Report], tmp_path: Path) -> None:
    assert list(training_rows(built[0], limit=20))
    assert main(built[0], tmp_path, Settings(batch=8, limit=60, network=SMALL))


def test_labels_contradictions_and_bad_rows(built: tuple[Path, Report]) -> None:
    rows, report = built[1].rows, built[1]
    # bad.example.org is harmless to one source and hostile to another: neither keeps it
    assert rows["urls", "opendns_top", "benign"] == 2 and rows["urls", "blackbook", "c2"] == 1
    assert rows["urls", "v2fly_domains", "tracker"] == 1
    assert rows["requests", "team-missing-one/csic-2010-classifier", "sqli"] == 1
    assert rows["requests", "ocatak/apache-http-logs", "scanner"] == 1
    assert {name for name, bad in report.bad.items() if bad} == {
        "waf-comparison-project-resource", "examples", "nuclei-templates", "HttpParamsDataset",
    }  # fmt: skip


def test_what_was_left_out_is_told(built: tuple[Path, Report]) -> None:
    report = built[1]
    assert set(report.unknown) == {source.name for source in manifest.load() if source.format == UNKNOWN}
    assert "zeek" in report.absent and "tldr" not in report.absent
    assert [line.partition(":")[0] for line in report.failed] == ["easyprivacy"]
    assert set(report.trusted) == set(report.read)


def test_a_second_run_knows_the_sources_and_gives_the_same_tables(built: tuple[Path, Report], kept: Path) -> None:
    before = corpus.digests(built[0])
    report = build(built[0], manifest.load(), kept)
    assert report.trusted == [] and report.read == built[1].read
    assert corpus.digests(built[0]) == before


def list_source(**changes: object) -> Source:
    source = Source(
        name="s", table="urls", pins=("o/n@c0ffee",), licence="-", format="list", paths=("*.txt",), label="benign"
    )
    return msgspec.structs.replace(source, **changes)


def test_a_source_that_has_changed_stops_the_build_and_leaves_the_tables(tmp_path: Path) -> None:
    (tmp_path / "o__n").mkdir()
    (tmp_path / "o__n/a.txt").write_text("a.example\n")
    build(tmp_path / "out", [list_source()], tmp_path)
    before = corpus.digests(tmp_path / "out")
    (tmp_path / "o__n/a.txt").write_text("b.example\n")
    with pytest.raises(UserError, match="s: o/n has the digest"):
        build(tmp_path / "out", [list_source()], tmp_path)
    assert corpus.digests(tmp_path / "out") == before
    (tmp_path / "out" / NAME).unlink()
    assert build(tmp_path / "out", [list_source()], tmp_path).trusted == ["s"]


def test_a_folder_and_an_archive_of_one_commit_have_one_digest(tmp_path: Path) -> None:
    (tmp_path / "o__n").mkdir()
    (tmp_path / "o__n/a.txt").write_text("a.example\n")
    build(tmp_path / "out", [list_source()], tmp_path)
    shutil.rmtree(tmp_path / "o__n")
    pack(tmp_path / "o__n.tar.gz", {"a.txt": b"a.example\n"}, commit="c0ffee99")
    assert build(tmp_path / "out", [list_source()], tmp_path).trusted == []


def test_an_archive_of_another_commit_is_not_read(tmp_path: Path) -> None:
    pack(tmp_path / "o__n.tar.gz", {"a.txt": b"a.example\n"}, commit="decaf")
    with pytest.raises(UserError, match="is of commit decaf, not c0ffee"):
        build(tmp_path / "out", [list_source()], tmp_path)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"most": 2}, 2),
        ({"per_family": 1}, 2),
        ({"per_domain": 1}, 3),
        ({"labels": {"a.txt": ""}}, 2),
        ({"unquote": True}, 6),
    ],
)
def test_caps_and_rules_of_a_source(tmp_path: Path, changes: dict[str, object], names: int) -> None:
    (tmp_path / "o__n").mkdir()
    (tmp_path / "o__n/a.txt").write_text("x.a.example\ny.a.example\nz.a.example\n")
    (tmp_path / "o__n/b.txt").write_text("b.example\nc.example\nx%2Ec.example\n")
    assert build(tmp_path / "out", [list_source(**changes)], tmp_path).rows.total() == names


def test_a_capture_is_used_once(tmp_path: Path) -> None:
    for place in ("o__n/a.jsonl", "o__n/b.jsonl"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text('{"method": "GET", "host": "a.example", "path": "/"}\n')
    source = list_source(table="flows", format="capture", paths=("*.jsonl",))
    assert build(tmp_path / "out", [source], tmp_path).rows == {("transactions", "o/n", "benign"): 1}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (list_source(), "1 sources are not there"),
        (list_source(format=UNKNOWN), "1 sources have an unknown format"),
    ],
)
def test_nothing_to_build_from(tmp_path: Path, source: Source, told: str) -> None:
    with pytest.raises(UserError, match=f"nothing to build from: {told}"):
        build(tmp_path / "out", [source], tmp_path)


def test_mistakes_with_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        build(tmp_path / "out", [list_source()], tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        build(tmp_path / "file", [list_source()], tmp_path)
