import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sites
from classifier.errors import UserError
from classifier.features import extract
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord, Label
from classifier.registry import Registry
from classifier.store import CaptureRow, CaptureWriter
from classifier.training import synthetic
from classifier.training.fit import FitReport
from classifier.training.network import Network
from finetune import candidate, pipeline, replay, teaching
from finetune.judging import Judge
from finetune.lock import exclusive
from finetune.outcome import Options, Outcome
from finetune.strategies.stages import Stage


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of everything; the steps are the same."""
    monkeypatch.setattr(replay, "PRACTISED", 800)
    monkeypatch.setattr(replay, "ASKED", 1200)
    monkeypatch.setattr(teaching, "STEPS", 160)
    monkeypatch.setattr(pipeline, "LEARNED", 320)
    monkeypatch.setattr(candidate, "ROUNDS", 2)


def ranks(registry: Registry, release: str, records: list[FlowRecord]) -> list[int]:
    masked = [mask(record) for record in records]
    found = Judge(registry.load(release, "cpu")).opinion(masked, [extract(record) for record in masked])[1]
    return [int(rank) for rank in found]


def capture(state: Path, records: list[FlowRecord]) -> None:
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    assert all(writer.offer(CaptureRow(record=mask(record))) for record in records)
    writer.close()


@pytest.mark.usefixtures("quick")
def test_a_few_reported_flows_mend_a_false_positive_and_attacks_are_still_caught(base: Path, tmp_path: Path) -> None:
    capture(tmp_path, [sites.query(n) for n in range(4)] + [sites.page(n) for n in range(120)])
    journal = Journal(tmp_path / "sluice.db")
    for number in range(4):
        journal.label(f"query-{number}", "benign")
    registry = Registry(tmp_path, shipped=base)
    incumbent, fresh = registry.resolve(), [sites.query(n) for n in range(50, 80)]
    assert sum(rank > 0 for rank in ranks(registry, incumbent, fresh)) >= 28

    outcome = pipeline.run(Options(tmp_path), shipped=base)

    assert [gate.name for gate in outcome.gates if not gate.passed] == []
    assert outcome.promoted
    assert outcome.release == registry.resolve()
    assert sum(rank == 0 for rank in ranks(registry, outcome.release, fresh)) >= 20
    assert "reported" in {gate.name for gate in outcome.gates}
    shown = registry.show(outcome.release)
    assert shown["parent"] == incumbent
    assert shown["data"].keys() == {"site_flows", "site_labels"}
    assert shown["operating_points"].keys() == registry.show(incumbent)["operating_points"].keys()
    report = json.loads(registry.read(outcome.release, "report.json"))
    assert report["stages"][0]["parameters_moved"] > 100_000
    assert registry.read(outcome.release, "weights.safetensors")
    assert registry.read(outcome.release, "fisher.safetensors")
    assert journal.audits()[0][1:] == ("finetune", f"{outcome.release} from {incumbent}")
    assert b"passed every gate" in registry.read(outcome.release, "report.html")
    assert Path(outcome.report).is_file()
    assert [gate for gate in outcome.gates if not gate.said] == []
    assert not (tmp_path / "finetune" / "work").exists()


@pytest.mark.usefixtures("quick")
def test_attacks_that_were_labelled_harmless_are_refused(base: Path, tmp_path: Path) -> None:
    web = (Label.SQLI, Label.XSS, Label.COMMAND_INJECTION, Label.PATH_TRAVERSAL)
    attacks = [record for record, _ in zip(synthetic.attacks(5), range(400), strict=False) if record.label in web]
    poison = [_at_site(record, number) for number, record in enumerate(attacks[:60])]
    flows = sites.write(tmp_path / "flows.jsonl", *poison, *map(sites.page, range(60)))
    labels = tmp_path / "labels.jsonl"
    labels.write_text("".join(json.dumps({"id": record.id, "label": "benign"}) + "\n" for record in poison))

    outcome = pipeline.run(Options(tmp_path, flows=[flows], labels=labels), shipped=base)

    assert not outcome.passed
    assert "refused" in Path(outcome.report).read_text()
    assert outcome.release is None
    assert not outcome.promoted
    assert list((tmp_path / "models").glob("releases/*")) == []
    assert Registry(tmp_path, shipped=base).resolve() == Registry(tmp_path, shipped=base).list()[0].release


def _at_site(record: FlowRecord, number: int) -> FlowRecord:
    return FlowRecord(
        id=f"poison-{number}", time=2000.0 + number, host="reports.internal", method=record.method, path=record.path,
        request_headers=record.request_headers, request_body=record.request_body,
    )  # fmt: skip


def files(tmp_path: Path) -> Options:
    return Options(tmp_path, flows=[sites.write(tmp_path / "flows.jsonl", sites.page(1))])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda options: None, "no labelled flow to learn from"),
        (lambda options: options.flows[0].write_text("torn"), "no flow in"),
        (lambda options: options.flows[0].unlink(), "cannot read"),
        (lambda options: (options.state / "sluice.db").write_text("no database"), "cannot open"),
    ],
)
def test_what_a_person_can_mend_is_said_in_one_line(
    base: Path, tmp_path: Path, spoil: Callable[[Options], object], said: str
) -> None:
    options = files(tmp_path)
    spoil(options)
    with pytest.raises(UserError, match=said) as error:
        pipeline.run(options, shipped=base)
    assert "\n" not in str(error.value)


def test_a_release_without_weights_cannot_be_tuned(base: Path, tmp_path: Path) -> None:
    from classifier.registry import MODEL, seal

    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / MODEL).write_bytes((base / MODEL).read_bytes())
    seal(bare)
    with pytest.raises(UserError, match=r"no weights\.safetensors"):
        pipeline.run(files(tmp_path), shipped=bare)


def test_two_runs_at_once_are_refused(base: Path, tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(UserError, match="another fine-tuning run"):
        pipeline.run(files(tmp_path), shipped=base)
    with exclusive(tmp_path):
        pass


def test_an_interrupted_run_leaves_no_release_and_no_lock(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "gather", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(files(tmp_path), shipped=base)
    assert not (tmp_path / "models" / "releases").exists()
    with exclusive(tmp_path):
        pass


def test_an_interrupted_training_goes_on_and_a_dry_run_writes_no_release(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capture(tmp_path, [sites.query(n) for n in range(4)] + [sites.page(n) for n in range(120)])
    journal = Journal(tmp_path / "sluice.db")
    for number in range(4):
        journal.label(f"query-{number}", "benign")
    journal.close()
    for module, name, size in ((replay, "PRACTISED", 200), (replay, "ASKED", 300), (teaching, "STEPS", 20)):
        monkeypatch.setattr(module, name, size)
    monkeypatch.setattr(pipeline, "LEARNED", 40)
    monkeypatch.setattr(pipeline, "EXAMINED", 40)
    options = Options(tmp_path, strategy="two-stage", dry_run=True)
    taught: list[str] = []

    def cut(name: str) -> None:
        taught.append(name)
        if len(taught) == 2:
            raise KeyboardInterrupt

    watch(monkeypatch, cut)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(options, shipped=base)
    assert "the same command goes on from here" in capsys.readouterr().err
    work = tmp_path / "finetune" / "work"
    assert {path.name for path in work.iterdir()} == {"key", "chosen.msgpack", "done-0.pt"}
    assert not (tmp_path / "models" / "releases").exists()

    capture(tmp_path, [sites.page(n) for n in range(200, 220)])
    watch(monkeypatch, taught.append)
    outcome = pipeline.run(options, shipped=base)

    assert "going on with an interrupted run and its 124 flows" in capsys.readouterr().err
    assert taught[2] == "layers"
    assert (outcome.resumed, outcome.dry_run, outcome.release, outcome.promoted) == (True, True, None, False)
    assert not (tmp_path / "models" / "releases").exists()
    assert Path(outcome.report).parent == tmp_path / "finetune" / "reports"
    assert not work.exists()


def watch(monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], object]) -> None:
    """Let `seen` know of each stage before it is taught."""

    def teach(network: Network, stage: Stage, *rest: Any) -> FitReport:
        seen(stage.name)
        return teaching.teach(network, stage, *rest)

    monkeypatch.setattr(candidate, "teach", teach)
