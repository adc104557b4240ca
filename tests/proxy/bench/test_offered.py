"""Every flow that is offered is accounted for."""

from pathlib import Path

import pytest

from classifier.artifact import Model
from classifier.batching import Batching
from classifier.features import extract
from classifier.lanes import Shape
from gated import Slow
from models import tiny_model
from proxy.bench.offered import offer
from proxy.bench.scorer import urls

SHAPES = (Shape(1, 128), Shape(64, 128), Shape(8, 1024))


@pytest.mark.parametrize(("deadline", "limit", "count"), [(20, 999, "judged"), (0.01, 999, "late"), (20, 0, "refused")])
async def test_flows_are_judged_or_late_or_refused(tmp_path: Path, deadline: float, limit: int, count: str) -> None:
    slow = Slow(Model.load(tiny_model(tmp_path / "m.onnx"), "cpu"))
    queue = Batching(slow, shapes=SHAPES, deadline=deadline, limit=limit)
    if count == "late":
        slow.gate.clear()
    found = await offer(queue, [extract(record) for record in urls(20)], 500.0, 0.2)
    slow.gate.set()
    queue.close()
    assert found.asked == found.judged + found.late + found.refused
    assert 50 < found.asked < 200
    assert getattr(found, count) == found.asked
    assert found.judged == 0 or 0 < found.p50_ms <= found.p99_ms
