"""One evaluation from inputs to figures, with real small models."""

from itertools import islice
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label, to_json
from classifier.training.evaluation.judging import Inputs, run
from classifier.training.synthetic import attacks, benign
from models import tiny_model
from tinycorpus import write


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    path = tmp_path / "flows.jsonl"
    flows = [*islice(benign(1), 40), *islice(attacks(1), 40)]
    flows += [
        FlowRecord(phase="response", path="/", status=200, response_body=body, label=label)
        for body, label in ((b"fine", Label.BENIGN), (b"'''", Label.C2))
        for _ in range(12)
    ]
    path.write_bytes(b"\n".join(map(to_json, flows)) + b"\n{\n")
    model = str(tiny_model(tmp_path / "a.onnx"))
    return Inputs([path], [model], None, 0, False, "", False, tmp_path)


def test_figures_of_one_model(inputs: Inputs) -> None:
    outcome = run(inputs)
    system = outcome.evaluation.systems[0]
    assert (outcome.evaluation.rows, outcome.evaluation.skipped, len(outcome.bad)) == (104, 1, 1)
    assert system.microseconds
    assert system.bytes == {"model.onnx": Path(inputs.models[0]).stat().st_size}
    assert sum(sum(row.values()) for row in system.confusion.values()) == 104
    assert {report.what for report in system.phases} >= {"threat", "c2"}
    assert outcome.evaluation.targets
    assert outcome.evaluation.comparisons == []
    assert outcome.cases.errors == ()


def test_two_models_are_compared_and_errors_explained(inputs: Inputs, tmp_path: Path) -> None:
    other = str(tiny_model(tmp_path / "b.onnx", weight=1.0))
    outcome = run(inputs._replace(models=[inputs.models[0], other], explained=True))
    (found,) = outcome.evaluation.comparisons
    assert (found.a, found.b) == (inputs.models[0], other)
    assert found.flips
    ((_, _, flows),) = outcome.cases.flipped
    assert flows
    assert any(error.explanation for error in outcome.cases.errors)


def test_a_corpus_brings_modern_traffic_and_the_baseline(inputs: Inputs, tmp_path: Path) -> None:
    outcome = run(inputs._replace(files=[], corpus=write(tmp_path / "corpus"), baseline_rows=200, modern_rows=120))
    names = [system.name for system in outcome.evaluation.systems]
    assert names == [inputs.models[0], "TF-IDF + LR"]
    sources = {report.source.partition(":")[0] for report in outcome.evaluation.systems[0].reports}
    assert {"modern", "payloads", "urls"} <= sources
    assert outcome.evaluation.settings["corpus"] is True
    assert "corpus" not in str(outcome.evaluation.settings.values())


def test_rewriting_is_measured_on_request(inputs: Inputs) -> None:
    found = run(inputs._replace(evasions=True)).evaluation
    assert {each.label for each in found.evasions} >= {"attack"}
    assert found.ablations


def test_a_model_named_twice_is_a_mistake(inputs: Inputs) -> None:
    with pytest.raises(UserError, match="named twice"):
        run(inputs._replace(models=[inputs.models[0]] * 2))
