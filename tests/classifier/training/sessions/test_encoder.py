"""The encoder learns made-up protocols from raw bytes, and its figures are those that anyone would compute."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import needs
from classifier.training.network import Network
from classifier.training.sessions import encoder as sessions
from classifier.training.sessions import payloads
from classifier.training.sessions.payloads import Sessions


def _mail(rng: np.random.Generator) -> bytes:
    return b"220 mx%d ready\r\nHELO c%d\r\n250 hello\r\n" % tuple(rng.integers(0, 10_000, 2))


def _names(rng: np.random.Generator) -> bytes:
    return rng.bytes(2) + b"\x01\0\0\x01\0\0\0\0\0\0\x05host%d\x07example\0\0\x01\0\x01" % rng.integers(0, 10)


def _sealed(rng: np.random.Generator) -> bytes:
    return b"\x17\x03\x03\0\x40" + rng.bytes(64)


PROTOCOLS = {"mail": _mail, "names": _names, "sealed": _sealed}


def made_up(seed: int, count: int) -> Sessions:
    """`count` sessions of each toy protocol, each with ten servers."""
    rng = np.random.default_rng(seed)
    rows = [(make(rng), name, f"{name}-{number % 10}") for number in range(count) for name, make in PROTOCOLS.items()]
    bodies, labels, servers = zip(*rows, strict=True)
    return Sessions(list(bodies), np.asarray(labels), np.asarray(servers), {})


def write(path: Path, rows: Sessions) -> Path:
    pq.write_table(
        pa.table({"payload": rows.payloads, "label": rows.labels.tolist(), "server_ip": _servers(rows)}), path
    )
    return path


def _servers(rows: Sessions) -> list[str]:
    assert rows.servers is not None
    return [str(server) for server in rows.servers]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_it_learns_toy_protocols_and_reports_every_part() -> None:
    found = sessions.report(made_up(1, 300), made_up(2, 60), seed=0, epochs=3, baselines=True)
    assert found["accuracy"] > 0.98 and found["macro_f1"] > 0.98
    assert found["rows"] == 180 and found["train_rows"] == 900
    assert found["by_part"].keys() == {"dup_in_train=false", "server_in_train=false"}
    assert found["by_part"]["server_in_train=false"] == {"accuracy": None, "macro_f1": None, "rows": 0}
    assert found["per_class"].keys() == PROTOCOLS.keys()
    assert found["baselines"].keys() == {
        f"{name}, {width} bytes" for name in ("decision tree", "random forest") for width in (64, 784)
    }
    assert all(
        one["accuracy"] > 0.9 and one["by_part"].keys() == found["by_part"].keys()
        for one in found["baselines"].values()
    )
    json.dumps(found, allow_nan=False)


def test_the_same_seed_gives_the_same_answers() -> None:
    train, test = made_up(1, 50), made_up(2, 20)
    one, other = (sessions.predict(sessions.learn(train, 3, 1), test, np.unique(train.labels)) for _ in range(2))
    assert list(one) == list(other)


def test_bytes_become_tokens_of_one_segment_and_a_zero_byte_is_no_padding() -> None:
    rows = sessions.arrays(
        Sessions([b"\0A", b"", b"\xff"], np.asarray(["x"] * 3), None, {}), np.asarray([0, 1, 0], np.int64), 2
    )
    assert rows.tokens.tolist() == [256, 256 + ord("A"), 511]
    assert rows.ends.tolist() == [0, 2, 2, 3]
    assert rows.allowed.tolist() == [[True, False], [False, True], [True, False]]
    assert rows.numbers.shape == (3, 0)


def test_every_byte_differs_from_every_other_and_from_padding_in_the_n_grams_too() -> None:
    network = Network(sessions.config(4))
    codes = network.get_buffer("codes")[256:, 0].tolist()
    assert len(codes) == len(set(codes)) == 256 and min(codes) > 0
    logits, _ = network(torch.full((2, 64), 256, dtype=torch.int32), torch.zeros(2, 0))
    assert logits.shape == (2, 4)


def test_the_answers_come_back_in_the_order_of_the_rows() -> None:
    train = made_up(1, 300)
    network, classes = sessions.learn(train, 0, 3), np.unique(train.labels)
    test = made_up(3, 40)
    turned = test.take(np.arange(len(test))[::-1])
    assert list(sessions.predict(network, turned, classes)) == list(sessions.predict(network, test, classes))[::-1]


def test_an_empty_session_is_judged_too() -> None:
    train = made_up(1, 20)
    told = sessions.predict(
        sessions.learn(train, 0, 1), Sessions([b""], np.asarray(["mail"]), None, {}), np.unique(train.labels)
    )
    assert told[0] in PROTOCOLS


def test_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    rng = np.random.default_rng(0)
    labels, told = (np.asarray([*"abcd"])[rng.choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])] for _ in range(2))
    found = sessions.figures(labels, told, {"half": np.arange(200) < 100})
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, told))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, told, average="macro"))
    assert found["by_part"]["half"]["rows"] == 100
    each = sessions.per_class(labels, told)
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        theirs = score(labels, told, average=None, labels=list("abcd"))
        assert [each[label][name] for label in "abcd"] == pytest.approx(list(theirs))


def test_a_class_that_training_does_not_know_counts_as_wrong() -> None:
    labels, told = np.asarray(["a", "new"]), np.asarray(["a", "a"])
    assert sessions.figures(labels, told, {})["accuracy"] == 0.5
    assert sessions.per_class(labels, told)["new"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 1}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "classifier.training.sessions", *arguments],
        cwd=needs.ROOT,
        capture_output=True,
        text=True,
    )


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train.parquet", made_up(1, 60)), write(tmp_path / "test.parquet", made_up(2, 20))
    done = run(str(train), str(test), "--json", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 60 and 0.0 <= found["macro_f1"] <= 1.0
    assert found["baselines"] == {} and found["epochs"] == 1


def test_without_a_test_file_a_part_of_the_training_file_is_judged(tmp_path: Path) -> None:
    train = write(tmp_path / "train.parquet", made_up(1, 200))
    done = run(str(train), "--epochs", "1", "--seed", "2")
    assert done.returncode == 0, done.stderr
    assert "encoder" in done.stdout and "accuracy / macro F1" in done.stdout
    assert "540 training rows, 1 epochs" in done.stdout


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none.parquet"))
    assert done.returncode == 2
    assert done.stderr.startswith("sessions: cannot read") and done.stderr.count("\n") == 1


def test_the_real_file_has_the_columns_and_trains_a_step(corpus: Path) -> None:
    rows = payloads.read(corpus / "benchmark" / "ustc_tfc2016_session_l7_train.parquet")
    classes = np.unique(rows.labels)
    assert len(classes) == 20 and rows.servers is not None
    assert max(map(len, rows.payloads)) == payloads.LENGTH
    learned, judged = payloads.split(rows)
    assert 0.02 < len(judged) / len(rows) < 0.1 and len(learned) > 0.85 * len(rows)
    few = rows.take(learned[:: len(learned) // sessions.BATCH][: sessions.BATCH])
    told = sessions.predict(sessions.learn(few, 0, 1), rows.take(judged[:50]), np.unique(few.labels))
    assert set(told) <= set(classes)
