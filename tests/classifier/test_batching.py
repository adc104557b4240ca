"""Flows that wait together are judged together; each gets its own verdict, or its own failure, in time."""

import asyncio
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from classifier import runtime
from classifier.artifact import Floats, Model, ModelRefused
from classifier.batching import BatchFailed, Batching, scorer
from classifier.features import NUMBERS, Features
from classifier.lanes import Shape
from classifier.records import Label, Verdict
from classifier.scorer import BadScore, Late, Overloaded, Scorer
from gated import Slow
from models import POISON, QUOTE, tiny_model

SHAPES = (Shape(1, 64), Shape(8, 64), Shape(64, 64), Shape(1, 1024), Shape(16, 1024))


def features(*windows: int, length: int = 64, byte: int = QUOTE) -> Features:
    """One record whose windows hold so many quotes."""
    tokens = np.full((len(windows), length), ord("a"), np.int32)
    for row, count in enumerate(windows):
        tokens[row, :count] = byte
    return Features(tokens, np.zeros(len(NUMBERS), np.float32))


def load(path: Path, **options: Any) -> Model:
    return Model.load(tiny_model(path, **options), "cpu")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load(tmp_path / "m.onnx", weight=3.0, nan_on_poison=True, release="r1")


class Worse(Model):
    """A model that says one thing alone and another in a batch."""

    def run(self, tokens: npt.NDArray[np.int32], numbers: Floats) -> tuple[Floats, Floats]:
        """Skewed."""
        probabilities, embedding = super().run(tokens, numbers)
        return probabilities / np.float32(2), embedding


async def test_verdicts_are_those_of_the_inline_scorer(model: Model) -> None:
    queue, inline = Batching(model, shapes=SHAPES), Scorer(model)
    rows = [features(*windows, length=length) for length in (32, 64, 512, 1024) for windows in [(0,), (4,), (0, 2, 5)]]
    found = await asyncio.gather(*(queue.verdict(row) for row in rows * 20))
    for row, verdict in zip(rows * 20, found, strict=True):
        expected = inline.score(row)
        assert (verdict.label, verdict.model) == (expected.label, "r1")
        assert verdict.scores == pytest.approx(expected.scores, abs=1e-6)
    queue.close()


async def test_what_waits_together_runs_together_and_wakes_the_loop_once(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=20)
    loop = asyncio.get_running_loop()
    calls: list[Any] = []
    wake = loop.call_soon_threadsafe

    def counted(*call: Any) -> asyncio.Handle:
        calls.append(call)
        return wake(*call)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    slow.gate.clear()
    first = queue.submit(features(1))
    while queue._queue.waiting:
        await asyncio.sleep(0.001)
    rest = [queue.submit(features(2)) for _ in range(40)]
    slow.gate.set()
    await asyncio.gather(first, *rest)
    assert len(calls) == 2
    queue.close()


async def test_a_bad_score_is_its_own_flows_alone(model: Model) -> None:
    queue = Batching(model, shapes=SHAPES)
    rows = [features(1), features(9, byte=POISON), features(2)]
    found = await asyncio.gather(*map(queue.verdict, rows), return_exceptions=True)
    assert [type(one) for one in found] == [Verdict, BadScore, Verdict]
    queue.close()


async def test_a_batch_that_fails_takes_nobody_with_it(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    queue = Batching(model, shapes=SHAPES)
    broken = Features(np.zeros((1, 64), np.int32), np.zeros(3, np.float32))  # the wrong number of numbers
    none = Features(np.zeros((1, 5000), np.int32), np.zeros(len(NUMBERS), np.float32))  # no lane is so long
    for bad in (broken, none):
        with pytest.raises(BatchFailed):
            await queue.verdict(bad)
        assert (await queue.verdict(features(4))).label is Label.SQLI
    assert "a batch of 1 flows could not be judged" in caplog.text
    queue.close()


async def test_nobody_waits_longer_than_the_deadline(model: Model) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=0.05)
    slow.gate.clear()
    found = await asyncio.gather(*(queue.verdict(features(1)) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Late] * 3
    slow.gate.set()
    queue.deadline = 20
    assert (await queue.verdict(features(4))).label is Label.SQLI
    queue.close()


async def test_what_is_late_is_not_run_any_more(model: Model) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=0.05)
    slow.gate.clear()
    late = [queue.submit(features(1)) for _ in range(5)]
    await asyncio.wait(late)
    assert {type(one.exception()) for one in late} == {Late}
    before = slow.runs
    slow.gate.set()
    queue.deadline = 20
    await queue.verdict(features(4))
    assert slow.runs <= before + 2  # what was being run, and the last
    queue.close()


async def test_a_full_queue_refuses_at_once_and_recovers(model: Model) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=20, limit=2)
    slow.gate.clear()
    running = queue.submit(features(1))
    while queue._queue.waiting:
        await asyncio.sleep(0.001)
    waiting = [queue.submit(features(1)) for _ in range(2)]
    with pytest.raises(Overloaded):
        await queue.verdict(features(1))
    slow.gate.set()
    await asyncio.gather(running, *waiting)
    assert (await queue.verdict(features(4))).label is Label.SQLI
    queue.close()


async def test_a_swap_judges_what_waits_with_the_old_model_and_what_comes_with_the_new(tmp_path: Path) -> None:
    old = Slow(load(tmp_path / "1.onnx", release="old"))
    new = load(tmp_path / "2.onnx", release="new", label=Label.XSS)
    queue = Batching(old, shapes=SHAPES, deadline=20)
    old.gate.clear()
    before = [queue.submit(features(1)) for _ in range(10)]
    await asyncio.to_thread(queue.prepare, new)
    assert queue.swap(new) is old
    assert queue.model is new
    after = await queue.verdict(features(1))
    assert (after.label, after.model) == (Label.XSS, "new")
    old.gate.set()
    assert {(one.label, one.model) for one in await asyncio.gather(*before)} == {(Label.SQLI, "old")}
    queue.close()


async def test_while_swapping_every_verdict_is_of_the_model_it_names(tmp_path: Path) -> None:
    models = [load(tmp_path / label, release=label, label=label) for label in (Label.SQLI, Label.XSS)]
    queue = Batching(models[0], shapes=SHAPES)
    seen: set[str] = set()
    for turn in range(12):
        asked = [queue.submit(features(2)) for _ in range(20)]
        await asyncio.to_thread(queue.prepare, models[turn % 2])
        queue.swap(models[turn % 2])
        for verdict in await asyncio.gather(*asked):
            assert verdict.label == verdict.model
            seen.add(verdict.model)
    assert len(seen) == 2
    queue.close()


async def test_the_model_before_is_freed_when_its_queue_is_empty(tmp_path: Path) -> None:
    queue = Batching(load(tmp_path / "1.onnx"), shapes=SHAPES)
    await queue.verdict(features(1))
    old = weakref.ref(queue.model)
    queue.swap(load(tmp_path / "2.onnx"))
    deadline = time.monotonic() + 20
    while old() is not None and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert old() is None  # without the garbage collector's help, which the proxy freezes
    queue.close()


async def test_a_model_that_was_prepared_and_not_wanted_leaves_no_thread(tmp_path: Path) -> None:
    threads = {thread for thread in threading.enumerate() if thread.name == "scorer"}
    queue = Batching(load(tmp_path / "1.onnx"), shapes=SHAPES)
    for number in (2, 3):
        queue.prepare(load(tmp_path / f"{number}.onnx"))
    queue.swap(load(tmp_path / "4.onnx", release="four"))
    assert (await queue.verdict(features(1))).model == "four"
    queue.close()
    for thread in {thread for thread in threading.enumerate() if thread.name == "scorer"} - threads:
        thread.join(20)
        assert not thread.is_alive()


async def test_closing_judges_what_waits_and_takes_nothing_more(model: Model) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=20)
    slow.gate.clear()
    waiting = [queue.submit(features(4)) for _ in range(5)]
    queue.close()
    with pytest.raises(Overloaded):
        queue.submit(features(4))
    slow.gate.set()
    assert {verdict.label for verdict in await asyncio.gather(*waiting)} == {Label.SQLI}


async def test_a_flow_that_goes_away_meanwhile_disturbs_nobody(model: Model) -> None:
    slow = Slow(model)
    queue = Batching(slow, shapes=SHAPES, deadline=20)
    slow.gate.clear()
    gone, stays = queue.submit(features(1)), queue.submit(features(4))
    gone.cancel()
    slow.gate.set()
    assert (await stays).label is Label.SQLI
    queue.close()


async def test_who_does_not_wait_hears_of_it(model: Model) -> None:
    queue = Batching(model, shapes=SHAPES)
    heard: list[Verdict | Exception] = []
    for row in (features(4), features(9, byte=POISON)):
        queue.hear(row, heard.append)
    await queue.verdict(features(0))
    queue.close()
    queue.hear(features(4), heard.append)
    assert [type(one) for one in heard] == [Verdict, BadScore, Overloaded]


async def test_a_model_that_fails_in_batches_is_refused_before_it_is_swapped_in(model: Model, tmp_path: Path) -> None:
    queue = Batching(model, shapes=SHAPES)
    good = load(tmp_path / "good.onnx")
    with pytest.raises(ModelRefused):
        queue.prepare(Worse(good.session(graphs=False), good.card, good.release))
    assert (await queue.verdict(features(4))).model == "r1"
    queue.close()


def test_a_queue_is_for_a_gpu_unless_it_is_asked_for(model: Model) -> None:
    assert type(scorer(model, "auto")) is (Batching if model.provider == runtime.CUDA else Scorer)
    assert type(scorer(model, "off")) is Scorer
    queue = scorer(model, "on")
    assert type(queue) is Batching
    queue.close()


@pytest.mark.gpu
@pytest.mark.skipif(not runtime.has_nvidia(), reason="no NVIDIA device")
async def test_on_a_gpu_swaps_go_on_while_flows_are_judged(tmp_path: Path) -> None:
    paths = [tiny_model(tmp_path / label, release=label, label=label) for label in (Label.SQLI, Label.XSS)]
    queue = Batching(Model.load(paths[0], "cuda"), deadline=20)
    for turn in range(10):
        following = asyncio.create_task(asyncio.to_thread(_prepared, queue, paths[turn % 2]))  # noqa: TID251
        while not following.done():
            for verdict in await asyncio.gather(*(queue.verdict(features(2)) for _ in range(50))):
                assert verdict.label == verdict.model
        queue.swap(await following)
    queue.close()


def _prepared(queue: Batching, path: Path) -> Model:
    model = Model.load(path, "cuda")
    queue.prepare(model)
    return model
