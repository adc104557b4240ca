"""The tables as rows: labels, parts, and what is left out."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tinycorpus
from classifier.errors import UserError
from classifier.records import Label
from classifier.training.corpus import HELD_OUT, TABLES, WEB_ATTACK, Row, digests, rows, tables


@pytest.fixture
def found(tmp_path: Path) -> list[Row]:
    return list(rows(tinycorpus.write(tmp_path)))


def of(found: list[Row], source: str) -> list[Row]:
    return [row for row in found if row.source == source]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    tinycorpus.write(tmp_path)
    (tmp_path / TABLES["urls"]).unlink()
    with pytest.raises(UserError, match=r"urls_train\.parquet is missing"):
        tables(tmp_path)


def test_held_out_sources_are_never_part_of_training(found: list[Row]) -> None:
    assert {row.source for row in found if row.part == "holdout"} == {
        "requests:csic-2010-classifier", "payloads:xss-payload-list", "urls:phishtank",
    }  # fmt: skip


def test_the_tables_own_validation_split_is_followed(found: list[Row]) -> None:
    assert {row.source for row in found if row.part == "val"} >= {"requests:templates", "urls:generator"}


def test_a_weak_attack_may_also_be_reconnaissance_and_counts_half(found: list[Row]) -> None:
    (row,) = of(found, "requests:templates")
    assert row.labels == (Label.SQLI, Label.SCANNER) and row.weight == 0.5


def test_a_web_attack_is_one_of_six_labels(found: list[Row]) -> None:
    assert [row.labels for row in of(found, "transactions:captures")] == [(Label.MALWARE,), (Label.BENIGN,), WEB_ATTACK]


def test_unlabelled_rows_are_left_out(found: list[Row]) -> None:
    assert [row.record.qname for row in of(found, "dns:captures")] == ["q.tunnel.example"]


def test_dns_tunnels_are_exfiltration_with_their_answers(found: list[Row]) -> None:
    (row,) = of(found, "dns:captures")
    assert row.labels == (Label.EXFILTRATION,) and row.record.answers == ("x",)
    assert (row.record.qtype, row.record.rcode, row.record.phase) == ("TXT", "NOERROR", "response")


def test_a_url_is_split_and_a_broken_one_left_out(found: list[Row]) -> None:
    (row,) = of(found, "urls:crawl")
    assert (row.record.scheme, row.record.host, row.record.path) == ("https", "www.good.example", "/a?b=1")
    assert row.weight == 2.0


def test_a_scam_is_light_phishing(found: list[Row]) -> None:
    (row,) = of(found, "urls:scams")
    assert row.labels == (Label.PHISHING,) and row.weight == pytest.approx(0.2) and row.record.port == 8080


def test_a_bare_domain_is_a_connect(found: list[Row]) -> None:
    (row,) = of(found, "urls:generator")
    assert (row.record.host, row.record.phase, row.record.path) == ("bad.example", "connect", "")


def test_a_handshake_without_a_name_is_left_out(found: list[Row]) -> None:
    assert [row.record.sni for row in of(found, "handshakes:captures")] == ["c2.example"]


def test_digests_name_every_table(tmp_path: Path) -> None:
    assert set(digests(tinycorpus.write(tmp_path))) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_every_held_out_source_is_in_the_real_table(corpus: Path, table: str) -> None:
    column = {"requests": "source", "payloads": "source", "urls": "source"}.get(table, "source_repo")
    names = pq.read_table(corpus / TABLES[table], columns=[column])[column].unique().to_pylist()
    assert HELD_OUT[table] <= {name.split(" (")[0].rsplit("/", 1)[-1] for name in names}
