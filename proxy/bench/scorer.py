"""`sluice bench scorer`: how fast a model judges in batches, on the provider that is in use, and what a queue adds.

    feature arrays in host memory ──▶ lanes: flows a second for each batch size, copies in and out included
    records offered at a rate     ──▶ queue: how long a hook waits

URL-sized flows are the browser-like requests of `mix`, reduced to scheme, host and path; what it takes to make features
of them is measured beside it and is not part of the rest. On CUDA every lane is measured with and without its graph.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from classifier.artifact import Model
from classifier.batching import Batching
from classifier.features import Features, extract
from classifier.lanes import SHAPES, Lane, Lanes
from classifier.records import FlowRecord
from classifier.runtime import Device
from classifier.scorer import Scorer
from proxy.bench import floor, mix, offered
from proxy.bench.floor import Needs, Rates
from proxy.bench.offered import Offered
from proxy.bench.report import percentile

FLOWS: Final = 4096
"""URL-sized flows to choose from."""
TURN: Final = 0.3
"""Seconds of one lane's measurement, after which it must have run this often:"""
LEAST: Final = 20


class Plan(msgspec.Struct, frozen=True):
    """What is measured: batches of `rows` (empty: of every lane's), then the queue at `rate` a second."""

    device: Device = "auto"
    rows: tuple[int, ...] = ()
    rate: float = 10_000.0
    seconds: float = 10.0


class Speed(msgspec.Struct, frozen=True):
    """Batches of `rows` windows of `length` tokens from arrays in host memory; `floor_ms` is the least they need."""

    rows: int
    length: int
    graph: bool
    flows_per_s: float
    p50_ms: float
    p99_ms: float
    floor_ms: float


class Outcome(msgspec.Struct, frozen=True):
    """All figures; `extraction_us` is for one flow on one core, `single_us` for one flow judged inline."""

    provider: str
    release: str
    batches: list[Speed]
    queue: Offered
    extraction_us: float
    single_us: float
    rates: Rates
    needs: list[Needs]


def measure(model: Model, data: bytes, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Measure `model`, whose file is `data`. `tell` is told what is measured now."""
    tell("features")
    rows, extraction = _extracted()
    tell("device")
    rates = floor.rates(plan.device, model.provider)
    lanes = Lanes(model)
    wanted = [lane for lane in lanes.all if not plan.rows or lane.shape.rows in plan.rows]
    needs = {length: floor.needs(data, length) for length in sorted({lane.shape.length for lane in wanted})}
    speeds = []
    for lane in wanted:
        tell(f"{lane.shape.rows} x {lane.shape.length} tokens")
        least = floor.seconds(needs[lane.shape.length], rates, lane.shape.rows)
        speeds += [_speed(lane, rows, least, graph=graph) for graph in (False, True)[: 1 + lanes.graphs]]
    single = _single(model, rows)
    tell("queue")
    queue = _queued(model, rows, plan)
    return Outcome(model.provider, model.release, speeds, queue, extraction, single, rates, list(needs.values()))


def count(plan: Plan) -> int:
    """How often `tell` is called."""
    return 3 + sum(not plan.rows or shape.rows in plan.rows for shape in SHAPES)


def urls(number: int = FLOWS) -> list[FlowRecord]:
    """URL-sized flows, no two alike."""
    return [
        FlowRecord(scheme="https", host=dict(request.headers)["Host"], path=request.path, method="GET")
        for request in mix.build(0, 2 * number)
        if request.method == "GET"
    ][:number]


def document(outcome: Outcome, machine: dict[str, str | int | float], plan: Plan) -> dict[str, Any]:
    """What `--json` writes."""
    told: dict[str, Any] = msgspec.to_builtins(outcome)
    return told | {"machine": machine, "settings": msgspec.to_builtins(plan)}


def best(speeds: Iterable[Speed]) -> Speed:
    """The most flows a second."""
    return max(speeds, key=lambda speed: speed.flows_per_s)


def _extracted() -> tuple[list[Features], float]:
    """Features of URL-sized flows, and the microseconds that one took."""
    records = urls()
    extract(records[0])
    started = time.perf_counter()
    rows = [extract(record) for record in records]
    return rows, round((time.perf_counter() - started) / len(rows) * 1e6, 1)


def _speed(lane: Lane, rows: Sequence[Features], least: float, *, graph: bool) -> Speed:
    """Run a lane for a while on arrays that are ready: copied in, judged, copied out."""
    count, length = lane.shape
    tokens = np.zeros(lane.shape, np.int32)
    for place in range(count):
        found = rows[place % len(rows)].tokens[0][:length]
        tokens[place, : len(found)] = found
    numbers = np.stack([rows[place % len(rows)].numbers for place in range(count)])
    before, lane.graph = lane.graph, graph
    taken: list[float] = []
    begun = time.perf_counter()
    while (started := time.perf_counter()) < begun + TURN or len(taken) < LEAST:
        lane.fill(0, tokens, numbers)
        lane.run(count)
        taken.append(time.perf_counter() - started)
    lane.graph = before
    taken.sort()
    middle, high = percentile(taken, 0.5), percentile(taken, 0.99)
    told = (round(middle * 1e3, 4), round(high * 1e3, 4), round(least * 1e3, 4))
    return Speed(count, length, graph, round(count / middle, 1), *told)


def _single(model: Model, rows: Sequence[Features]) -> float:
    """Microseconds of one flow judged inline."""
    scorer = Scorer(model)
    taken: list[float] = []
    for row in rows[: 10 * LEAST]:
        started = time.perf_counter()
        scorer.score(row)
        taken.append(time.perf_counter() - started)
    return round(statistics.median(taken) * 1e6, 1)


def _queued(model: Model, rows: Sequence[Features], plan: Plan) -> Offered:
    queue = Batching(model)
    try:
        asyncio.run(offered.offer(queue, rows, plan.rate, min(1.0, plan.seconds)))  # warm, like a proxy under way
        return asyncio.run(offered.offer(queue, rows, plan.rate, plan.seconds, seed=1))
    finally:
        queue.close()
