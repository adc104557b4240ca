"""The page about a run: it stands alone, says who decided, and trusts nothing that came over the wire."""

from pathlib import Path

import msgspec
import pytest

import sites
from classifier.artifact import Model
from classifier.records import FlowRecord, Label
from classifier.training.corpus import Row
from classifier.training.fit import FitReport
from finetune import exam
from finetune.budget import Promise
from finetune.gate import Gate
from finetune.judging import Judge
from finetune.outcome import Options
from finetune.report import page
from finetune.report.story import Story
from finetune.site import collect, gather, grafted
from models import tiny_model

EVIL = "<script>alert(1)</script>"
REFUSED = Gate("sentinels", False, 0.9, 0.8, 0.95, 1.0, said="Of 58 known attacks 52 are still caught.")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A run on a site whose client, host and paths are markup; the candidate is blind."""
    folder = tmp_path_factory.mktemp("run")
    incumbent, candidate = (
        Judge(Model.load(tiny_model(folder / f"{weight}.onnx", weight=weight), "cpu")) for weight in (16.0, 0.0)
    )
    pages = [msgspec.structs.replace(sites.page(n), client=EVIL, host=EVIL) for n in range(60)]
    flows = sites.write(folder / "flows.jsonl", *map(sites.query, range(8)), *pages)
    told = folder / "labels.jsonl"
    told.write_text("".join(f'{{"id": "query-{n}", "label": "benign"}}\n' for n in range(8)))
    found = collect(folder, [flows], told)
    site = gather(found.records, found.words, incumbent)
    base = [
        Row(FlowRecord(method="GET", path=f"/x?q='{EVIL}{n}" if n % 2 else f"/{n}"), (label,), 1.0, "test:", "val")
        for n in range(80)
        for label in [Label.SQLI if n % 2 else Label.BENIGN]
    ]
    papers = exam.prepare(site, grafted(site.labelled, "x", 20), base)
    sitting = exam.sit(papers, incumbent, candidate)
    promise = Promise("http/request", False, 10, 0, 0, 0.26, 2985, f"{EVIL} cannot be promised")
    reports = [FitReport(60, 0.5, 1.5, 1419)]
    return Story(Options(folder), "base", site, papers, sitting, sitting.gates, [promise], None, reports, 12.0)


def written(story: Story, tmp_path: Path) -> str:
    page.write(tmp_path / "report.html", story)
    return (tmp_path / "report.html").read_text()


def test_a_refusal_says_which_gate_decided_and_why(story: Story, tmp_path: Path) -> None:
    html = written(story._replace(gates=[REFUSED]), tmp_path)
    assert "refused by sentinels; the model in service stays" in html
    assert "Of 58 known attacks 52 are still caught." in html


@pytest.mark.parametrize(("dry", "said"), [(True, "nothing was published"), (False, "published as a release")])
def test_a_pass_says_what_became_of_it(story: Story, tmp_path: Path, dry: bool, said: str) -> None:
    passed = story._replace(gates=[], options=Options(Path("s"), dry_run=dry))
    assert said in written(passed, tmp_path)


def test_the_page_stands_alone_and_runs_nothing(story: Story, tmp_path: Path) -> None:
    html = written(story, tmp_path)
    assert "<script" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "src=" not in html.replace("&quot;", "") and "http-equiv" not in html and "url(" not in html


def test_every_part_is_there(story: Story, tmp_path: Path) -> None:
    html = written(story, tmp_path)
    for part in ("Before and after", "Gates", "Wrong blocks", "What was learned from", "This site", "Other sites"):
        assert f">{part}</h2>" in html
    assert html.count("<svg") >= len(story.gates)
    assert "file: benign" in html and "1,419" in html
    assert "attack, no longer caught as before" in html
