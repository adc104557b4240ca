"""One worker's counts: cheap while traffic passes, added up in the tables, never in the way."""

import asyncio
import math
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from classifier import drift
from classifier.basis import SAMPLE
from classifier.features import vectorize
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.reference import REFERENCE, encode, measured
from classifier.registry import Registry
from classifier.stability import ENOUGH, SCORE_BINS
from classifier.tallies import FIRST, HOUR, RELEASE, SCORE, Tallies
from harness import run_proxy, sluice
from inside import make_judge
from models import tiny_release
from origin import Origin
from proxy.drift import KEPT, Drift, Minute
from proxy.judge import Judge


def record(number: int) -> FlowRecord:
    quotes = "'" * (number % 3)
    return FlowRecord(
        id=str(number), client="c", host="a.example", method="GET", path=f"/{'x' * (number % 50)}?q={quotes}", time=5.0
    )


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def judge(tmp_path: Path, metrics: CollectorRegistry) -> Judge:
    judge = make_judge(tmp_path, registry=metrics)
    judge.drift = made(judge, tmp_path)
    return judge


def made(judge: Judge, folder: Path) -> Drift:
    registry = Registry(folder, shipped=folder / "none")
    return Drift(judge.journal, registry, judge.metrics, lambda: judge.scorer.model, 60.0)


def counter(judge: Judge) -> Drift:
    assert judge.drift is not None
    return judge.drift


def see(judge: Judge, flows: int) -> None:
    for number in range(flows):
        judge.judge(lambda: record(number), "request")  # noqa: B023  called at once


def test_every_judged_flow_is_counted_and_nothing_twice(judge: Judge) -> None:
    see(judge, 90)
    counter(judge).flush(counter(judge).take())
    counter(judge).flush(counter(judge).take())
    hours = Tallies(judge.journal).hours(judge.scorer.model.release, "request", SCORE)
    assert [rows for _, rows in hours] == [90]
    now = int(time.time() // HOUR)
    counts = Tallies(judge.journal).counts(judge.scorer.model.release, "request", SCORE, now - 1, now)
    assert np.count_nonzero(counts) == 3, "no quote, one, two"


def test_a_minutes_sample_is_bounded_and_every_flow_may_be_in_it() -> None:
    rows = [vectorize(FlowRecord(host=str(number))) for number in range(20)]
    seen = set()
    for _ in range(30):
        minute = Minute()
        for number in range(KEPT * 4):
            minute.keep(rows[number % 20]._replace(numbers=np.array([number], np.float32)))
        assert len(minute.sample) == KEPT
        seen |= {int(kept.numbers[0]) for kept in minute.sample}
    assert max(seen) > KEPT * 3 and len(seen) > KEPT * 3


def test_embeddings_are_counted_once_there_is_a_basis_and_workers_share_it(judge: Judge, tmp_path: Path) -> None:
    release, other = judge.scorer.model.release, made(judge, tmp_path)
    tallies = Tallies(judge.journal)
    for _ in range(-(-SAMPLE // KEPT)):
        assert tallies.basis(release, "request") is None
        see(judge, KEPT)
        counter(judge).flush(counter(judge).take())
    basis = tallies.basis(release, "request")
    assert basis is not None
    assert tallies.hours(release, "request", 0) == []
    judge.drift = other
    see(judge, 10)
    other.flush(other.take())
    assert tallies.basis(release, "request") == basis
    assert [rows for _, rows in tallies.hours(release, "request", basis.coordinates - 1)] == [10]


def test_a_verdict_without_features_is_counted_by_its_score(judge: Judge) -> None:
    verdict = judge.judge(lambda: record(1), "request").verdict
    assert verdict is not None
    counter(judge).take()
    counter(judge).saw("request", verdict, None)
    ((key, minute),) = counter(judge).take().items()
    assert key == (judge.scorer.model.release, "request")
    assert (sum(minute.scores), minute.sample) == (1, [])


def value(metrics: CollectorRegistry, name: str, of: str = "score") -> float:
    found = metrics.get_sample_value(name, {"phase": "request", "of": of})
    assert found is not None
    return found


def test_the_gauges_are_the_tables(judge: Judge, metrics: CollectorRegistry) -> None:
    counter(judge).flush({})
    assert math.isnan(value(metrics, "sluice_drift_psi"))
    assert value(metrics, "sluice_drift_rows") == 0
    tallies, release = Tallies(judge.journal), judge.scorer.model.release
    now = int(time.time() // HOUR)
    for hour in range(now - 50, now):
        fallen = np.bincount([10 if hour < now - 25 else 20] * 100, minlength=SCORE_BINS)
        tallies.add(release, {("request", SCORE): fallen}, hour)
    other = made(judge, judge.journal.path.parent)  # another worker, which counted none of it
    other.flush({})
    kept = tallies.reference(release, "request", SCORE)
    assert kept is not None and kept.origin == FIRST and int(kept.counts.sum()) >= ENOUGH
    assert value(metrics, "sluice_drift_psi") > 0.25
    assert value(metrics, "sluice_drift_rows") >= ENOUGH
    assert math.isnan(value(metrics, "sluice_drift_psi", "embedding"))


def test_what_a_release_brings_along_is_its_reference(tmp_path: Path, judge: Judge, metrics: CollectorRegistry) -> None:
    registry = Registry(tmp_path / "state", shipped=tmp_path / "none")
    folder = tiny_release(tmp_path / "made", weight=3.0)
    records = [mask(record(number)) for number in range(1300)]
    (folder / REFERENCE).write_bytes(encode(measured(judge.scorer.model, records)))
    model = registry.load(registry.publish(folder), "cpu")
    found = Drift(judge.journal, registry, judge.metrics, lambda: model, 1e9)
    found.flush({})
    kept = Tallies(judge.journal).reference(model.release, "request", SCORE)
    assert kept is not None and (kept.origin, int(kept.counts.sum())) == (RELEASE, 1300)
    assert {figure.origin for figure in drift.summary(judge.journal, model.release)} == {RELEASE, ""}


def test_a_reference_that_does_not_fit_is_said_once_and_done_without(
    tmp_path: Path, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(tmp_path / "state", shipped=tmp_path / "none")
    folder = tiny_release(tmp_path / "made", weight=3.0)
    (folder / REFERENCE).write_bytes(b"{}}")
    model = registry.load(registry.publish(folder), "cpu")
    found = Drift(judge.journal, registry, judge.metrics, lambda: model, 1e9)
    for _ in range(3):
        found.flush({})
    assert caplog.text.count("is compared with its first traffic") == 1


def test_old_hours_go(judge: Judge) -> None:
    tallies, release = Tallies(judge.journal), judge.scorer.model.release
    tallies.add(release, {("request", SCORE): np.ones(SCORE_BINS, np.int64)}, 5)
    counter(judge).flush({})
    assert tallies.hours(release, "request", SCORE) == []


def test_a_database_that_takes_nothing_stops_no_traffic(
    judge: Judge, metrics: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    see(judge, 3)
    counter(judge).journal.write("drop table if exists drift")
    counter(judge).journal.write("create view drift as select 1 as hour")
    counter(judge).flush(counter(judge).take())
    assert "drift could not be counted" in caplog.text
    assert metrics.get_sample_value("sluice_journal_errors_total") == 1
    assert judge.judge(lambda: record(1), "request").verdict is not None


async def test_what_was_counted_last_is_kept_when_the_proxy_stops(judge: Judge) -> None:
    task = asyncio.get_running_loop().create_task(counter(judge).run())
    await asyncio.sleep(0.3)
    see(judge, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hours = Tallies(Journal(judge.journal.path)).hours(judge.scorer.model.release, "request", SCORE)
    assert [rows for _, rows in hours] == [5]


def test_a_running_proxy_counts_exports_and_keeps_it_over_a_restart(origin: Origin, tmp_path: Path) -> None:
    for _ in range(2):
        with run_proxy(tmp_path / "own", origin_ca=origin.ca) as proxy:
            with proxy.client() as client:
                for number in range(20):
                    assert client.get(f"{origin.plain}/fine?n={number}").status_code == 200
            assert math.isnan(proxy.metric("sluice_drift_psi", phase="request", of="score"))
            assert proxy.stop() == 0
    state = tmp_path / "own" / "state"
    release = Registry(state).resolve()
    for phase in ("request", "response"):
        found = Tallies(Journal(state / "sluice.db")).hours(release, phase, SCORE)
        assert sum(rows for _, rows in found) == 40
    told = sluice("drift", "--state", str(state), "--config", str(tmp_path / "own" / "sluice.toml")).stdout
    assert "request   score           -  not enough traffic for a reference yet: 40 of 1,000 flows" in told


def test_a_running_proxy_withdraws_a_canary_that_misses_what_the_release_in_service_catches(
    origin: Origin, tmp_path: Path
) -> None:
    with run_proxy(tmp_path / "own", config="[model]\ncanary_percent = 100.0\n", origin_ca=origin.ca) as proxy:
        registry = Registry(proxy.state)
        registry.promote(registry.publish(tiny_release(tmp_path / "blind", weight=0.1)), "canary")
        proxy.wait_metric("sluice_canary_withdrawn_total", 1)
        assert registry.followed("canary") is None
        with proxy.client() as client:
            assert client.get(f"{origin.plain}/?q='").status_code == 403
        assert "misses" in proxy.log() and "known attacks" in proxy.log()


def test_counts_of_a_canary_are_its_own(judge: Judge) -> None:
    verdict = judge.judge(lambda: record(1), "request").verdict
    assert verdict is not None
    counter(judge).take()
    other = msgspec.structs.replace(verdict, model="20260101-000000000000")
    counter(judge).saw("request", other, vectorize(mask(record(1))))
    counter(judge).flush(counter(judge).take())
    tallies = Tallies(judge.journal)
    assert [rows for _, rows in tallies.hours(other.model, "request", SCORE)] == [1]
    assert tallies.hours(judge.scorer.model.release, "request", SCORE) == []
