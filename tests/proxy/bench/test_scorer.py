"""What is measured, and how it is written down; the figures themselves are not looked at."""

import json
from pathlib import Path

from classifier.artifact import Model
from classifier.runtime import CPU
from harness import publish, sluice
from models import tiny_model
from proxy.bench.scorer import Plan, best, count, document, measure, urls


def test_urls_are_of_their_size_and_no_two_alike() -> None:
    records = urls(200)
    assert len({(record.host, record.path) for record in records}) == len(records) == 200
    assert all(record.phase == "request" and not record.request_headers for record in records)


def test_every_lane_of_the_wanted_sizes_is_measured(tmp_path: Path) -> None:
    path, told = tiny_model(tmp_path / "m.onnx", release="r1"), list[str]()
    plan = Plan("cpu", rows=(8,), rate=200.0, seconds=0.3)
    outcome = measure(Model.load(path, "cpu"), path.read_bytes(), plan, told.append)
    assert [(one.rows, one.length, one.graph) for one in outcome.batches] == [
        (8, length, False) for length in (64, 128, 256, 512, 1024)
    ]
    for one in outcome.batches:
        assert one.flows_per_s > 0 and 0 < one.p50_ms <= one.p99_ms and one.floor_ms > 0
    assert (outcome.provider, outcome.release, outcome.queue.rate) == (CPU, "r1", 200.0)
    assert min(outcome.extraction_us, outcome.single_us) > 0
    assert len(told) == count(plan)
    assert best(outcome.batches).flows_per_s == max(one.flows_per_s for one in outcome.batches)
    written = json.loads(json.dumps(document(outcome, {"cores": 2}, plan)))
    assert (written["machine"], written["settings"]["rows"]) == ({"cores": 2}, [8])


def test_the_command_says_which_provider_ran_and_writes_figures_and_plot(tmp_path: Path) -> None:
    release = publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "scorer.json"
    options = ("--device", "cpu", "--rows", "1", "--rows", "8", "--rate", "200", "--seconds", "0.3")
    done = sluice("bench", "scorer", *options, "--state", str(tmp_path / "state"), "--json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{CPU}, release {release}" in done.stdout
    written = json.loads(file.read_text())
    assert (written["provider"], written["release"]) == (CPU, release)
    assert {batch["rows"] for batch in written["batches"]} == {1, 8}
    assert file.with_suffix(".svg").read_text().startswith("<svg")


def test_a_device_that_is_not_there_is_named() -> None:
    from classifier import runtime

    if runtime.has_nvidia():
        return
    done = sluice("bench", "scorer", "--device", "cuda")
    assert done.returncode == 2
    assert "device = cuda" in done.stderr
