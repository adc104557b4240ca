"""The page about a run: one file that needs nothing beside it and runs no script.

Flows are masked, but hosts, paths and clients are whatever somebody sent: nothing of them is written unescaped.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from classifier.training.evaluation.shell import document, table
from classifier.training.evaluation.tables import Table
from finetune.gate import Gate, Judged
from finetune.judging import Paper
from finetune.report import charts, flips
from finetune.report.story import Story
from finetune.statistics import Bools

STYLE: Final = (
    charts.STYLE
    + """
.verdict{font-size:1.15rem;border-left:5px solid var(--good);padding:.3rem .9rem;margin:1rem 0}
.verdict.no{border-color:var(--bad)}.gate small{opacity:.75;display:block}.gate b{overflow-wrap:anywhere}
.gate{display:grid;grid-template-columns:1.2rem minmax(9rem,13rem) 300px 1fr;gap:.2rem 1rem;align-items:center;
padding:.45rem 0;border-bottom:1px solid var(--line)}
.gate.no b:first-child{color:var(--bad)}.gate b:first-child{color:var(--good)}
@media(max-width:60rem){.gate{grid-template-columns:1.2rem 1fr}.gate>*:nth-child(n+3){grid-column:2}}
"""
)
_GATES: Final = (
    "The dot is the measured value, the thick line where it lies with 90 % confidence (each end 95 %), the dashed line "
    "the limit; tinted is the side that passes. Red is what refused."
)
_ROC: Final = "The further up and to the left, the better; only the left counts."
_CALM: Final = "Ordinary flows: should lie on the left. Heights are drawn by their square root."
_LOUD: Final = "Attacks: should lie on the right. Heights are drawn by their square root."


def write(path: Path, story: Story) -> None:
    """Write the page."""
    passed = all(gate.passed for gate in story.gates)
    heading = "Fine-tuning: " + ("passed every gate" if passed else "refused")
    path.write_text(
        document("Fine-tuning run", heading, _verdict(story, passed), list(_sections(story)), STYLE), "utf-8"
    )


def _verdict(story: Story, passed: bool) -> str:
    refused = [gate for gate in story.gates if not gate.passed]
    if not passed:
        names = ", ".join(gate.name for gate in refused)
        told = f"The candidate was refused by {names}; the model in service stays. {refused[0].said}"
    elif story.options.dry_run:
        told = "Every gate passed. This was a dry run: nothing was published."
    else:
        told = "Every gate passed, and the candidate was published as a release."
    return (
        f'<p class="verdict{"" if passed else " no"}">{escape(told)}</p>'
        f"<p>Strategy {escape(story.options.strategy)}, seed {story.options.seed}, begun from "
        f"{escape(story.incumbent)}; {story.seconds:.0f} seconds.</p>"
    )


def _sections(story: Story) -> Iterator[tuple[str, str]]:
    yield "Before and after", _summary(story)
    yield "Gates", f"<p>{escape(_GATES)}</p>" + "".join(map(_gate, story.gates))
    yield "Wrong blocks", _promises(story)
    yield "What was learned from", _learned(story)
    sitting, exam = story.sitting, story.exam
    parts = (("This site", exam.site, sitting.site), ("Other sites", exam.base, sitting.base))
    for name, paper, rows in parts:
        if len(rows.labels):
            yield name, _before_and_after(rows) + _flips(paper, rows)
    if len(sitting.grafts.labels):
        told = "<p>Made up for this run: attacks and harmless values, put into requests that this site really got.</p>"
        yield "Attacks put into this site's requests", told + _flips(exam.grafts, sitting.grafts)
    yield "How it was trained", _stages(story)


def _summary(story: Story) -> str:
    sitting = story.sitting
    parts = (("this site", sitting.site), ("other sites", sitting.base))
    rows = [
        [
            f"{place}: {what} {how}",
            _share(side.rank_before >= rank),
            _share(side.rank_after >= rank),
            f"{len(side.labels):,}",
        ]
        for place, whole in parts
        for what, side in (
            ("harmless flows", whole.take(~whole.hostile)),
            ("attacks", whole.take(whole.hostile)),
        )
        for how, rank in (("flagged", 1), ("blocked", 2))
        if len(side.labels)
    ]
    note = (
        "Flows that nothing was learned from, under the thresholds that serve. Attacks of this site were put into it."
    )
    return table(Table("", note, ("", "before", "after", "of"), rows, 1))


def _share(reached: Bools) -> str:
    return f"{int(reached.sum()):,} ({float(reached.mean()):.2%})"


def _gate(gate: Gate) -> str:
    how = "" if gate.passed else " no"
    figures = f"{gate.value:.4g} [{gate.low:.4g}, {gate.high:.4g}], limit {gate.limit:.4g}"
    more = [figures] if charts.bar(gate) else []
    more += [gate.note] if gate.note else []
    more += [f"chance of this, were both models alike: {gate.p:.2g}"] if gate.p is not None else []
    small = "".join(f"<small>{escape(line)}</small>" for line in more)
    return (
        f'<div class="gate{how}"><b>{"✓" if gate.passed else "✗"}</b><b>{escape(gate.name)}</b>'
        f"<span>{charts.bar(gate)}</span><span>{escape(gate.said)}{small}</span></div>\n"
    )


def _promises(story: Story) -> str:
    return "".join(f"<p>{'✓' if promise.kept else '✗'} {escape(promise.said)}</p>" for promise in story.promises)


def _learned(story: Story) -> str:
    site, sources = story.site, story.site.sources
    rows = [
        ["flows of this site", f"{sources.get('flows', 0):,}"],
        ["clients", f"{sources.get('clients', 0):,}"],
        ["hosts", f"{sources.get('hosts', 0):,}"],
        ["left out by the caps on clients, hosts and look-alikes", f"{sources.get('capped', 0):,}"],
        ["alarms nobody labelled, left out", f"{len(site.doubtful):,}"],
        *([name.replace("_", ", "), f"{count:,}"] for name, count in site.counts.items()),
    ]
    found = table(Table("", "", ("what", "how many"), rows, 1))
    labels = [[name, f"{count:,}"] for name, count in sources.get("labels", {}).items()]
    if labels:
        found += "<h3>Labels</h3>" + table(Table("", "", ("who: what", "flows"), labels, 1))
    weights = [
        [origin, f"{share['rows']:,}", f"{share['weight']:.2f}"] for origin, share in sources.get("weights", {}).items()
    ]
    if weights:
        found += "<h3>What is learned from</h3>"
        found += table(Table("", "", ("who says so", "rows", "weight of a row"), weights, 1))
    clients = [[name or "unnamed", f"{share:.1%}"] for name, share in sources.get("heaviest", {}).items()]
    if clients:
        note = "Share of the weight of flows that no administrator labelled."
        found += "<h3>Clients with the most weight</h3>" + table(Table("", note, ("client", "share"), clients, 1))
    return found


def _before_and_after(rows: Judged) -> str:
    if not charts.drawable(rows):
        return ""
    figures = [
        (charts.roc(rows, "ROC"), _ROC),
        (charts.histogram(rows, ~rows.hostile, "scores of harmless flows"), _CALM),
        (charts.histogram(rows, rows.hostile, "scores of attacks"), _LOUD),
    ]
    return charts.legend() + charts.pair(figures)


def _flips(paper: Paper, rows: Judged) -> str:
    found = list(flips.kinds(paper, rows))
    counts = [[kind.name, f"{kind.flows:,}", f"{kind.of:,}"] for kind in found]
    text = "<h3>Treated differently now</h3>" + table(Table("", "", ("change", "flows", "of"), counts, 1))
    for kind in found:
        if kind.examples:
            text += f"<h4>{escape(kind.name)}</h4>" + "".join(map(flips.shown, kind.examples))
    return text


def _stages(story: Story) -> str:
    rows = [
        [f"{number}", f"{each.steps:,}", f"{each.loss:.4f}", f"{each.parameters_moved:,}", f"{each.seconds:.1f}"]
        for number, each in enumerate(story.reports, 1)
    ]
    return table(Table("", "", ("stage", "steps", "loss", "parameters that moved", "seconds"), rows, 1))
