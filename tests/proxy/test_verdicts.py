"""A verdict is remembered as long as it would be the same, and never stands in for another."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from classifier.artifact import Model
from classifier.features import Features, extract
from classifier.records import FlowRecord, Label, Verdict
from classifier.scorer import BadScore, Scorer
from inside import make_judge
from models import POISON, tiny_model
from proxy.verdicts import SECONDS, Verdicts

ATTACK = FlowRecord(id="1", client="192.0.2.1", host="a.example", method="GET", path="/?q='", time=5.0)


class Counting(Scorer):
    """A scorer that says how often it was asked."""

    asked = 0

    def score(self, features: Features) -> Verdict:
        """Count, then judge."""
        self.asked += 1
        return super().score(features)


class Bench:
    """A memory with what it is tested with."""

    def __init__(self, folder: Path, size: int = 3, **model: bool) -> None:
        self.now = 0.0
        self.seen: list[str] = []
        self.scorer = Counting(Model.load(tiny_model(folder / "model.onnx", **model)))  # type: ignore[arg-type]
        self.verdicts = Verdicts(size, self.seen.append, lambda: self.now)

    def score(self, path: str, **fields: object) -> Verdict:
        record = FlowRecord(host="a.example", method="GET", path=path, **fields)  # type: ignore[arg-type]
        return asyncio.run(self.verdicts.verdict(self.scorer, extract(record)))


def test_what_looks_the_same_is_scored_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.score("/?q='", id="1", client="192.0.2.1", time=1.0)
    assert bench.score("/?q='", id="2", client="192.0.2.2", time=2.0) is first
    assert first == bench.scorer.score(extract(FlowRecord(host="a.example", method="GET", path="/?q='")))
    assert bench.seen == ["miss", "hit"]


def test_secrets_of_one_length_look_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.score("/?password=hunter2hunter2")
    bench.score("/?password=hunter3hunter3")
    assert bench.seen == ["miss", "hit"]


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/?q=''"},
        {"path": "/?q=", "request_body": b"'"},
        {"phase": "response"},
        {"phase": "response", "status": 200},
        {"port": 4444},
        {"kind": "websocket"},
    ],
)
def test_what_the_model_would_read_otherwise_is_another_text(tmp_path: Path, other: dict[str, object]) -> None:
    bench = Bench(tmp_path)
    bench.score("/?q='")
    bench.score(**({"path": "/?q='"} | other))  # type: ignore[arg-type]
    assert bench.seen == ["miss", "miss"]


def test_a_verdict_is_forgotten_in_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.score("/")
    bench.now = SECONDS - 1
    bench.score("/")
    bench.now = SECONDS + 1  # being asked for does not make it younger
    bench.score("/")
    assert bench.seen == ["miss", "hit", "miss"]


def test_it_never_holds_more_than_its_size(tmp_path: Path) -> None:
    bench = Bench(tmp_path, size=3)
    for path in ("/1", "/2", "/3", "/1", "/4", "/1", "/2"):
        bench.score(path)
        assert len(bench.verdicts) <= 3
    assert bench.seen == ["miss", "miss", "miss", "hit", "miss", "hit", "miss"]


def test_size_0_remembers_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, size=0)
    assert bench.score("/") == bench.score("/")
    assert (bench.scorer.asked, bench.seen, len(bench.verdicts)) == (2, [], 0)


def test_a_swap_empties_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.score("/?q='").label == Label.SQLI
    bench.score("/")
    bench.scorer.swap(Model.load(tiny_model(tmp_path / "other.onnx", label=Label.XSS)))
    assert bench.score("/?q='").label == Label.XSS
    assert (len(bench.verdicts), bench.seen) == (1, ["miss", "miss", "miss"])


def test_what_could_not_be_scored_is_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, nan_on_poison=True)
    for _ in range(2):
        with pytest.raises(BadScore):
            bench.score("/" + chr(POISON) * 20)
    assert (bench.scorer.asked, len(bench.verdicts)) == (2, 0)


def test_the_judge_counts_hits_and_asks_the_policy_each_time(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry, cache=10)
    first, second = (judge.judge(lambda: ATTACK, "request") for _ in range(2))
    assert second.verdict is first.verdict
    assert first.decision.event != second.decision.event
    assert [registry.get_sample_value("sluice_verdict_cache_total", {"result": r}) for r in ("hit", "miss")] == [1, 1]
