"""`sluice finetune run`, read top to bottom: flows → labels → split → training in stages → gates → release → report.

Everything is seeded. Nothing is published before every gate has passed, and publishing is one rename: a run that
is interrupted leaves no half-written release, and the next one with the same inputs goes on where it stopped.
"""

import datetime
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from classifier.artifact import Model
from classifier.journal import Journal
from classifier.records import HARMLESS
from classifier.registry import MODEL, Registry
from classifier.training.corpus import Row
from classifier.training.fisher import FISHER, Fisher
from classifier.training.fisher import read as read_fisher
from classifier.training.fisher import save as save_fisher
from classifier.training.network import Network
from classifier.training.progress import Bar
from finetune import bench, exam, influence, usual
from finetune.basis import remembered
from finetune.bench import Bench, Incumbent
from finetune.candidate import Material, consolidate, make
from finetune.exam import Exam
from finetune.lock import exclusive
from finetune.outcome import Options, Outcome
from finetune.replay import lessons
from finetune.report import page
from finetune.report.story import Story
from finetune.site import Site, collect, gather, grafted
from finetune.strategies.recipes import recipe
from finetune.teaching import share_cores
from finetune.transplant import Grafted
from finetune.work import Work

LEARNED, EXAMINED = 600, 400
"""Hostile grafts to learn from and to judge by, and as many harmless ones."""
REPORT: Final = "report.html"


def run(options: Options, shipped: Path | None = None) -> Outcome:
    """One run. Raises UserError for what a person can mend; a gate's refusal is an outcome, not an error.

    `shipped` is the release to start from where nothing was promoted, by default the one in the package.
    """
    share_cores()
    registry = Registry(options.registry or options.state, shipped=shipped)
    with exclusive(options.state), tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        incumbent = bench.incumbent(registry, options, Path(scratch))
        work = Work(options.state / "finetune" / "work", _inputs(options, incumbent.release))
        try:
            outcome = _attempt(options, registry, incumbent, work, _folder(scratch))
        except KeyboardInterrupt:
            print("sluice: interrupted; the same command goes on from here", file=sys.stderr)
            raise
        except Exception:
            work.clear()
            raise
        work.clear()
    return outcome


def _attempt(options: Options, registry: Registry, incumbent: Incumbent, work: Work, folder: Path) -> Outcome:
    begun = time.monotonic()
    chosen = recipe(options.strategy)
    flows = work.chosen(lambda: collect(options.state, options.flows, options.labels, options.lists))
    if work.resumed:
        print(f"sluice: going on with an interrupted run and its {len(flows.records):,} flows", file=sys.stderr)
    with Bar("Rows", 4) as bar:
        site = gather(flows.records, flows.words, incumbent.judge)
        bar.at(1)
        practice, questions = remembered(options.corpus, options.seed, options.state / "finetune")
        bar.at(2)
        fisher = _fisher(registry, incumbent.release, incumbent.network, "ewc" in chosen.parts)
        grafts = grafted(site.train, f"train {options.seed}", LEARNED)
        material = _material(site, grafts, exam.mastered(practice, incumbent.judge), fisher)
        bar.at(3)
        paper = exam.spared(_paper(site, grafts, questions, options), site, incumbent.judge, options.budget)
        bar.at(4)
    made = Bench(options, incumbent, paper, bench.card(options, incumbent, site), folder)
    tuned, reports = make(incumbent.network, chosen, material, made.mended, options.seed, work)
    story = _judged(made, tuned, site, material)
    story = story._replace(reports=reports, seconds=round(time.monotonic() - begun, 2))
    outcome = _outcome(options, story, work.resumed)
    if outcome.passed and not options.dry_run:
        save_fisher(consolidate(material, incumbent.network, tuned, options.seed), folder / FISHER)
        if not options.flows:  # files that somebody names are not the traffic that will come
            usual.write(folder, Model.load(folder / MODEL, "cpu"), flows.records, options.seed)
        page.write(folder / REPORT, story)
        bench.publish(outcome, tuned, made, registry, reports)
        outcome.report = str(registry.path(outcome.release or "") / REPORT)
    else:
        outcome.report = str(_aside(options.state, story))
    _note(options.state, outcome, incumbent.release)
    return outcome


def _judged(made: Bench, tuned: Network, site: Site, material: Material) -> Story:
    """The candidate before every gate."""
    options, incumbent, paper = made.options, made.incumbent, made.exam
    with Bar("Judging", 4) as bar:
        candidate = made.exported(tuned)
        bar.at(1)
        judge = made.judge(candidate)
        sitting = exam.sit(paper, incumbent.judge, judge, options.budget, options.seed)
        bar.at(2)
        pull, suspect = influence.judged(incumbent.network, material, paper.attacks, made.yardstick(), options.seed)
        bar.at(3)
        gates = [*sitting.gates, pull, exam.race(incumbent.model, candidate, paper.labelled.features)]
        bar.at(4)
    promises = exam.promised(paper, judge, options.budget)
    return Story(options, incumbent.release, site, paper, sitting, gates, promises, suspect)


def _outcome(options: Options, story: Story, resumed: bool) -> Outcome:
    return Outcome(
        None,
        False,
        story.gates,
        {**story.site.counts, "weights": story.site.sources["weights"], **exam.figures(story.sitting.site)},
        exam.figures(story.sitting.base),
        story.seconds,
        f"1 in {round(1 / options.budget)}",
        story.promises,
        options.dry_run,
        resumed,
    )


def _fisher(registry: Registry, release: str, network: Network, wanted: bool) -> Fisher | None:
    """The release's Fisher information; None, and a note where it is `wanted`, for a release made without."""
    if (registry.path(release) / FISHER).exists():
        return read_fisher(registry.read(release, FISHER), network)
    if wanted:
        print(f"sluice: {release} has no {FISHER}; what matters to it is measured on base traffic", file=sys.stderr)
    return None


def _material(site: Site, grafts: Sequence[Grafted], base: Sequence[Row], fisher: Fisher | None) -> Material:
    """What to learn from; of the base only what the incumbent masters."""
    return Material(
        site.train,
        hostile=lessons((graft.record, (graft.label,), 1.0) for graft in grafts if graft.label not in HARMLESS),
        disguised=lessons((graft.record, HARMLESS, 1.0) for graft in grafts if graft.label in HARMLESS),
        base=lessons((row.record, row.labels, row.weight) for row in base),
        fisher=fisher,
    )


def _paper(site: Site, learned: Sequence[Grafted], base: Sequence[Row], options: Options) -> Exam:
    """Held-out grafts carry other payloads, in held-out requests where there are some and in the reported ones."""
    donors = site.holdout if any(row.record.method for row in site.holdout) else site.train
    grafts = grafted([*donors, *site.labelled], f"holdout {options.seed}", EXAMINED)
    known = {graft.outline for graft in learned}
    return exam.prepare(site, [graft for graft in grafts if graft.outline not in known], base)


def _inputs(options: Options, release: str) -> dict[str, Any]:
    """Whatever decides what a run does; of captures, which grow by the minute, only that they are meant."""
    journal = Journal(options.state / "sluice.db")
    said = sorted((flow, str(row.label), row.weight) for flow, row in journal.labels().items())
    journal.close()
    told = [*options.flows, *([options.labels] if options.labels else []), *options.lists.values()]
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in told if path.exists()]
    return {
        "release": release,
        "labels": sha256(repr(said).encode()).hexdigest(),
        "files": files,
        "rest": repr((options.strategy, options.seed, options.corpus, options.budget, options.thresholds)),
    }


def _folder(scratch: str) -> Path:
    folder = Path(scratch) / "release"
    folder.mkdir()
    return folder


def _aside(state: Path, story: Story) -> Path:
    """The report of a run that made no release."""
    folder = state / "finetune" / "reports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}.html"
    page.write(path, story)
    return path


def _note(state: Path, outcome: Outcome, parent: str) -> None:
    refused = ", ".join(outcome.refused)
    done = "dry run" if outcome.dry_run else outcome.release
    journal = Journal(state / "sluice.db")
    journal.audit("finetune", f"refused by {refused} (from {parent})" if refused else f"{done} from {parent}")
    journal.close()
