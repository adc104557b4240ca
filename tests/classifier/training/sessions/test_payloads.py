"""Sessions are read as they are, and split so that nothing of the one side is on the other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.errors import UserError
from classifier.training.sessions.payloads import LENGTH, Sessions, parts, read, split


def sessions(*rows: tuple[bytes, str, str]) -> Sessions:
    bodies, labels, servers = zip(*rows, strict=True)
    return Sessions(list(bodies), np.asarray(labels), np.asarray(servers), {})


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_only_payload_and_label_are_needed(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.parquet", payload=[b"GET /", b"\x00\x01"], label=["web", "odd"], port=[80, 1]))
    assert found.payloads == [b"GET /", b"\x00\x01"]
    assert list(found.labels) == ["web", "odd"]
    assert found.servers is None and found.seen == {}


def test_padded_and_long_payloads_are_cut(tmp_path: Path) -> None:
    padded, long = b"a\0b" + bytes(700), b"x" * 2000
    found = read(write(tmp_path / "a.parquet", payload=[padded, long, None], label=["a", "b", "c"]))
    assert found.payloads == [b"a\0b", b"x" * LENGTH, b""]


def test_what_a_test_file_says_about_seen_rows_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        payload=[b"a", b"b"],
        label=["x", "x"],
        server_ip=["192.0.2.1", "192.0.2.2"],
        dup_in_train=[True, False],
        server_in_train=[None, True],
    )
    found = read(path)
    assert found.servers is not None and list(found.servers) == ["192.0.2.1", "192.0.2.2"]
    told = {name: list(rows) for name, rows in parts(found, found)}
    assert told == {"dup_in_train=false": [False, True], "server_in_train=false": [True, False]}


def test_what_it_does_not_say_is_compared_with_training() -> None:
    train = sessions((b"a", "x", "192.0.2.1"), (b"b", "y", "192.0.2.2"))
    test = sessions((b"a", "x", "192.0.2.9"), (b"c", "x", "192.0.2.1"), (b"d", "x", "192.0.2.2"))
    told = {name: list(rows) for name, rows in parts(test, train)}
    assert told == {"dup_in_train=false": [False, True, True], "server_in_train=false": [True, False, True]}
    assert [name for name, _ in parts(replace(test, servers=None), train)] == ["dup_in_train=false"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"payload": [b"a"]}, "no column label; there are payload"),
        ({"bytes": [b"a"], "class": ["x"]}, "no column payload and label"),
        ({"payload": pa.array([], pa.binary()), "label": pa.array([], pa.string())}, "has no rows"),
        ({"payload": [[1, 2]], "label": ["x"]}, "cannot read"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(columns: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        read(write(tmp_path / "a.parquet", **columns))


def test_a_missing_or_foreign_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "b.parquet").write_bytes(b"no parquet at all")
    for name in ("a.parquet", "b.parquet"):
        with pytest.raises(UserError, match=f"cannot read .*{name}"):
            read(tmp_path / name)


ROWS = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"b", b"c", b"d", b"e"]), st.sampled_from("xyz"), st.sampled_from("123456")),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 5), st.sampled_from([0.1, 0.3, 0.5]))
def test_no_server_and_no_bytes_are_on_both_sides(rows: list[tuple[bytes, str, str]], seed: int, share: float) -> None:
    found = sessions(*rows)
    learned, judged = split(found, seed, share)
    assert found.servers is not None
    assert not set(found.servers[learned]) & set(found.servers[judged])
    bodies = [found.payloads[row] for row in judged]
    assert len(set(bodies)) == len(bodies)
    assert not set(bodies) & {found.payloads[row] for row in learned}
    again = split(found, seed, share)
    assert [list(side) for side in again] == [list(learned), list(judged)]


def test_every_class_of_many_servers_is_on_both_sides() -> None:
    rows = [(f"{label}{number}".encode(), label, f"{label}-{number % 40}") for label in "xyz" for number in range(400)]
    found = sessions(*rows)
    learned, judged = split(found, 1, 0.1)
    assert len(learned) + len(judged) == len(found)
    assert {label: int((found.labels[judged] == label).sum()) for label in "xyz"} == {"x": 40, "y": 40, "z": 40}
    assert list(split(found, 2, 0.1)[1]) != list(judged)


def test_a_class_of_one_server_is_only_learned() -> None:
    found = sessions(*[(bytes([number + 1]), "x", "192.0.2.1") for number in range(10)])
    learned, judged = split(found)
    assert len(learned) == 10 and not len(judged)


def test_a_split_needs_servers() -> None:
    with pytest.raises(UserError, match="server_ip"):
        split(replace(sessions((b"a", "x", "1")), servers=None))
