"""The reference a release brings along: from a day of captures or more, of requests and responses."""

from pathlib import Path

import msgspec
import pytest

from classifier.artifact import Model
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.reference import REFERENCE, Content
from finetune.usual import FLOWS, write
from models import tiny_model

DAY = 86_400.0


def flows(count: int, days: float) -> list[FlowRecord]:
    return [
        mask(
            FlowRecord(
                id=str(number), host="a.example", method="GET", path=f"/{number}", phase="response", status=200,
                time=1000.0 + days * DAY * number / (count - 1),
            )
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.load(tiny_model(tmp_path / "model.onnx"))


def test_a_days_traffic_is_counted_by_phase(tmp_path: Path, model: Model) -> None:
    tunnels = [FlowRecord(kind="tls", phase="connect", sni="b.example", time=1000.0)] * 400
    assert write(tmp_path, model, [*flows(400, 1.1), *tunnels], 0, wanted=100)
    content = msgspec.json.decode((tmp_path / REFERENCE).read_bytes(), type=Content)
    assert {phase: sum(side.score) for phase, side in content.phases.items()} == {"request": 400, "response": 400}


@pytest.mark.parametrize(("count", "days"), [(400, 0.9), (300, 2.0)])
def test_half_a_day_or_too_few_flows_are_none(tmp_path: Path, model: Model, count: int, days: float) -> None:
    assert not write(tmp_path, model, flows(count, days), 0, wanted=100)
    assert not (tmp_path / REFERENCE).exists()


def test_no_more_flows_are_counted_than_it_takes(tmp_path: Path, model: Model) -> None:
    assert write(tmp_path, model, flows(FLOWS + 500, 3.0), 0)
    content = msgspec.json.decode((tmp_path / REFERENCE).read_bytes(), type=Content)
    assert sum(content.phases["request"].score) == FLOWS


def test_without_times_there_is_none(tmp_path: Path, model: Model) -> None:
    assert not write(tmp_path, model, [FlowRecord(host="a.example", path="/")] * 500, 0, wanted=100)
