"""What is judged to see what judging costs. The figures themselves are not looked at: a test is no benchmark."""

import json
from pathlib import Path

import pytest

from classifier.artifact import Model
from classifier.records import REPLY_CAP
from harness import publish, sluice
from models import tiny_model
from proxy.bench.cost import SIZES, Cost, document, flows, measure


@pytest.mark.parametrize("size", SIZES)
def test_every_flow_is_a_request_of_its_size_and_its_answer(size: int) -> None:
    made = flows(1, size, 30)
    assert len(made) == 30
    for asked, answered in made:
        assert (asked.phase, answered.phase, len(asked.request_body)) == ("request", "response", size)
        assert answered.status in (200, 204, 303) and len(answered.response_body) <= REPLY_CAP
        assert (answered.path, answered.request_body) == (asked.path, asked.request_body)
        assert dict(asked.request_headers)["User-Agent"]


def test_no_request_comes_twice() -> None:
    seen = [(asked.method, asked.path, asked.request_body) for part in (0, 1) for asked, _ in flows(part, 1024, 40)]
    assert len(set(seen)) == 80
    assert flows(1, 512, 5) == flows(1, 512, 5)


def test_each_phase_and_size_has_its_costs(tmp_path: Path) -> None:
    told: list[str] = []
    costs = measure(Model.load(tiny_model(tmp_path / "m.onnx")), 1, told.append)
    assert [(cost.phase, cost.body) for cost in costs] == [
        (phase, size) for phase in ("request", "response") for size in SIZES
    ]
    for cost in costs:
        assert min(cost.mask_us, cost.features_us, cost.model_us) > 0 and cost.total_us <= cost.p95_us
    assert len(told) == len(SIZES)


def test_costs_are_written_down() -> None:
    cost = Cost("request", 512, 1.0, 2.0, 3.0, 6.0, 7.0)
    written = json.loads(document([cost], {"cores": 2}, "r1"))
    assert written["costs"][0] | {"phase": "request", "body": 512, "total_us": 6.0} == written["costs"][0]
    assert (written["machine"], written["release"]) == ({"cores": 2}, "r1")


def test_the_command_measures_the_release_of_its_state(tmp_path: Path) -> None:
    release = publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "scoring.json"
    done = sluice("bench", "scoring", "--rounds", "1", "--state", str(tmp_path / "state"), "--json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert release in done.stdout and "mask µs" in done.stdout
    assert json.loads(file.read_text())["release"] == release
