"""The tables as files."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tinycorpus
from classifier.training import corpus
from classifier.training.datasets import tables


@pytest.mark.parametrize("table", corpus.TABLES)
def test_the_columns_that_training_reads_are_there_in_its_types(table: str) -> None:
    for wanted in tinycorpus.SCHEMAS[table]:
        assert tables.SCHEMAS[table].field(wanted.name).type == wanted.type, wanted.name


def test_every_table_is_written_even_without_rows(tmp_path: Path) -> None:
    tables.write(tmp_path, {"payloads": iter([{"payload": b"x", "label": "xss"}])})
    assert {name: pq.ParquetFile(path).metadata.num_rows for name, path in corpus.tables(tmp_path).items()} == {
        **dict.fromkeys(corpus.TABLES, 0),
        "payloads": 1,
    }
    assert not list(tmp_path.rglob("*.tmp"))


def test_rows_that_fail_leave_the_old_tables(tmp_path: Path) -> None:
    tables.write(tmp_path, {"requests": [{"path": "/old"}]})
    with pytest.raises(ZeroDivisionError):
        tables.write(tmp_path, {"requests": [{"path": "/new"}], "dns": ({"qtype": 1 // n} for n in range(1))})
    assert pq.read_table(tmp_path / corpus.TABLES["requests"])["path"].to_pylist() == ["/old"]
