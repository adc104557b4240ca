"""`sluice bench scoring`: what it costs to judge one record, by phase, size and stage.

The stages are those of the hook (`judge`): the record is masked, made features of, and run through the model, alone and
on one thread. Every request is seen for the first time, the headers of its client are not, as in traffic.
The answered flow is judged after its request, which has been masked and read by then. What is measured is the
processor time of the thread, so that other work on the machine harms only through caches and clocks.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import batched, chain, count, cycle, islice
from typing import TYPE_CHECKING, Final

import msgspec

from classifier.artifact import Model
from classifier.features import vectorize
from classifier.masking import mask
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Phase
from classifier.scorer import Scorer
from proxy.bench import mix
from proxy.bench.replies import Replies

if TYPE_CHECKING:
    from rich.table import Table

SIZES: Final = (0, 512, 1024, 4096, BODY_CAP)
"""Bytes of request bodies; 0: requests without one."""
MIX: Final = 8000
"""Requests of 200 clients to choose from."""
COUNT: Final = 100
"""Flows of a size in each round."""
_LATER: Final = 20
"""Requests that come before the answer of an earlier one does."""


class Cost(msgspec.Struct, frozen=True):
    """Medians of one phase and size, microseconds; `p95_us` is of the total."""

    phase: Phase
    body: int
    mask_us: float
    features_us: float
    model_us: float
    total_us: float
    p95_us: float


def measure(model: Model, rounds: int, tell: Callable[[str], None]) -> list[Cost]:
    """Judge `rounds` times `COUNT` flows of each size; all sizes take turns. `tell` is told of each turn."""
    scorer = Scorer(model)
    times: dict[tuple[Phase, int], list[tuple[int, int, int]]] = {}
    _judge_all(scorer, flows(0, SIZES[1]))  # what is loaded or compiled at first use
    for turn in range(1, rounds + 1):
        for size in SIZES:
            tell(f"{size} bytes")
            for phase, stages in _judge_all(scorer, flows(turn, size)):
                times.setdefault((phase, size), []).append(stages)
    return [_cost(phase, size, taken) for (phase, size), taken in sorted(times.items())]


def flows(part: int, size: int, number: int = COUNT) -> list[tuple[FlowRecord, FlowRecord]]:
    """Requests with a body of `size` bytes, and the same flows when they are answered: the `part`th of the mix."""
    requests, replies = _mix()
    found = [request for request in requests if bool(request.body) is (size > 0)]
    bodies = _bodies([request.body for request in found], size, part)
    made: list[tuple[FlowRecord, FlowRecord]] = []
    for request in islice(cycle(found), part * number, (part + 1) * number):
        asked = FlowRecord(
            host=dict(request.headers)["Host"],
            port=80,
            method=request.method,
            scheme="http",
            path=request.path,
            request_headers=request.headers,
            request_body=next(bodies) if size else b"",
        )
        made.append((asked, _answered(asked, replies.reply(request.method, request.path, compressed=False))))
    return made


def table(costs: Sequence[Cost]) -> "Table":
    """The figures, in 80 columns."""
    from rich.table import Table

    shown = Table("phase", box=None, pad_edge=False)
    for title in ("body", "mask µs", "features µs", "model µs", "all µs", "p95 µs"):
        shown.add_column(title, justify="right")
    for one in costs:
        stages = (one.mask_us, one.features_us, one.model_us, one.total_us, one.p95_us)
        shown.add_row(one.phase, f"{one.body:,}", *(f"{value:,.0f}" for value in stages))
    return shown


def _judge_all(
    scorer: Scorer, flows: Sequence[tuple[FlowRecord, FlowRecord]]
) -> Iterator[tuple[Phase, tuple[int, int, int]]]:
    for some in batched(flows, _LATER):
        for record in chain((asked for asked, _ in some), (answered for _, answered in some)):
            yield record.phase, _judge(scorer, record)


def _judge(scorer: Scorer, record: FlowRecord) -> tuple[int, int, int]:
    """Nanoseconds of the stages."""
    clock = time.thread_time_ns
    start = clock()
    masked = mask(record)
    seen = clock()
    features = vectorize(masked)
    read = clock()
    scorer.score(features)
    return seen - start, read - seen, clock() - read


def _cost(phase: Phase, size: int, taken: Sequence[tuple[int, int, int]]) -> Cost:
    masked, read, run = (round(statistics.median(stage) / 1000, 1) for stage in zip(*taken, strict=True))
    totals = [sum(stages) / 1000 for stages in taken]
    p95 = statistics.quantiles(totals, n=20)[-1]
    return Cost(phase, size, masked, read, run, round(statistics.median(totals), 1), round(p95, 1))


@cache
def _mix() -> tuple[list[mix.Request], Replies]:
    return mix.build(0, MIX), Replies(0)


def _bodies(posted: Sequence[bytes], size: int, part: int) -> Iterator[bytes]:
    """What the mix posts, strung together to bodies of one size, no two alike: forms and JSON in turns."""
    forms = cycle([body for body in posted if b"=" in body and body[:1] not in (b"{", b"-")])
    items = cycle([body for body in posted if body[:1] == b"{"])
    for number in count():
        yield _strung(forms, b"n=%d.%d" % (part, number), b"&", size)
        yield _strung(items, b'[{"n": "%d.%d"}' % (part, number), b",", size)


def _strung(parts: Iterator[bytes], body: bytes, sign: bytes, size: int) -> bytes:
    while len(body) < size:
        body += sign + next(parts)
    return body[:size]


def _answered(asked: FlowRecord, reply: bytes) -> FlowRecord:
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [line.partition(": ") for line in lines]
    return msgspec.structs.replace(
        asked,
        phase="response",
        status=int(status.split()[1]),
        response_headers=tuple((name, value) for name, _, value in headers),
        response_body=body[:REPLY_CAP],
    )


def document(costs: Sequence[Cost], machine: dict[str, str | int | float], release: str) -> str:
    """What `--json` writes."""
    return json.dumps({"costs": msgspec.to_builtins(costs), "machine": machine, "release": release}, indent=2) + "\n"
