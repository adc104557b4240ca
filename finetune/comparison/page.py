"""The result as one page that needs nothing beside it."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Final

from classifier.training.evaluation.shell import document, figure, table
from classifier.training.evaluation.tables import Table
from finetune.comparison.rows import INCUMBENT, NGRAMS, SCRATCH, Result, Row, SiteInfo
from finetune.comparison.table import heading, mean, tables, times_fewer, typical
from finetune.strategies.names import PARTS, PLAIN, WAYS

_CAPTIONS: Final = {
    "false-positives": (
        "Shorter is better: the share of the site's harmless flows that would be flagged where {detection} of its "
        "hostile ones are caught ({labels} labels). Dots are seeds, lines their mean interval. The dashed lines are "
        "what has to be beaten: the model in service with the best threshold for this site, and the n-gram regression. "
        "The axis is logarithmic; nothing at all is drawn at its left end."
    ),
    "gain-and-loss": (
        "Up is what the site won, right is what the base lost, both as points of the area under the ROC curve against "
        "the model in service ({labels} labels). The best place is the upper left; below the horizontal line a "
        "strategy has done harm to the site. Both axes are linear near zero and logarithmic beyond."
    ),
    "labels": "The same false positives with more labels. A line that falls makes use of them.",
}
_HOW: Final = (
    "A site's flows are split once. From the older part some flows keep their labels, the others are unlabelled "
    "captures as in production, and attacks are put into the site's own requests. Every strategy learns from exactly "
    "the same flows and is judged on the newer part, which shares no near-duplicate and, where there are many, no "
    "domain with the older one."
)


def write(path: Path, result: Result, images: Mapping[str, bytes]) -> None:
    """Write the page; `images` are `plots.draw`'s."""
    seeds = len({row.seed for row in result.rows})
    intro = (
        f"<p>{escape(_HOW)}</p><p>Started from release <code>{escape(result.base)}</code>, base rows from "
        f"{'the corpora' if result.replay == 'corpus' else 'made-up traffic'}, {seeds} seed{'s' if seeds > 1 else ''}, "
        f"{result.threads} thread{'s' if result.threads > 1 else ''}.</p>"
    )
    sections = [("At a glance", table(glance(result)))]
    found = {each.title: each for each in tables(result)}
    for site in result.sites:
        sections.append((site.site, _site(site, result, images, found[heading(site)])))
    sections.append(("What the names mean", table(meanings(result), wide=True)))
    path.write_text(document("Fine-tuning compared", "Fine-tuning strategies compared", intro, sections), "utf-8")


def glance(result: Result) -> Table:
    """Times fewer false positives than the incumbent by strategy and site, at the middle number of labels."""
    labels = typical({row.labels for row in result.rows})
    rows = [row for row in result.rows if row.labels == labels]
    names = list(dict.fromkeys(row.strategy for row in rows))
    note = (
        f"With {labels} labels: how many times fewer harmless flows of the site are flagged than by the incumbent, "
        f"both at the threshold that catches {result.detection:.0%} of its hostile flows. Below 1 (!) the strategy "
        "does harm. The last column is the largest loss of area on base traffic over the sites, in points."
    )
    lines = [[name, *_across(result, rows, name)] for name in names]
    return Table("At a glance", note, ("strategy", *(site.site for site in result.sites), "base area lost"), lines, 1)


def meanings(result: Result) -> Table:
    """The strategies that were compared, in words."""
    told = {
        INCUMBENT: "the model in service, untouched",
        NGRAMS: "TF-IDF of character n-grams and a logistic regression on the same rows: the control to beat",
        SCRATCH: "a new network on the same rows",
        **WAYS,
        **{f"+{part}": text for part, text in PARTS.items()},
        f"+{PLAIN}": "without the way's usual protections",
    }
    used = {row.strategy for row in result.rows}
    ways = {name.partition("+")[0] for name in used}
    parts = {f"+{part}" for name in used for part in name.split("+")[1:]}
    kept = [[name, text] for name, text in told.items() if name in ways | parts]
    return Table("", "Without a + a way has its usual protections.", ("name", "meaning"), kept, 1)


def _across(result: Result, rows: list[Row], name: str) -> Iterator[str]:
    losses = []
    for site in result.sites:
        here = [row for row in rows if row.site == site.site]
        before = mean([row for row in here if row.strategy == INCUMBENT], lambda row: row.site_fpr_at_tpr)
        own = [row for row in here if row.strategy == name]
        fewer = times_fewer(own, before)
        yield "" if fewer is None else f"{fewer:.1f}" if fewer >= 1 else f"({fewer:.2f} !)"
        losses.append(mean(own, lambda row: row.base_auroc_drop))
    known = [loss for loss in losses if loss is not None]
    yield f"{100 * max(known):+.2f}" if known else ""


def _site(site: SiteInfo, result: Result, images: Mapping[str, bytes], found: Table) -> str:
    labels = typical({row.labels for row in result.rows if row.site == site.site})
    shown = "".join(
        figure(images[name], name, caption.format(detection=f"{result.detection:.0%}", labels=labels))
        for kind, caption in _CAPTIONS.items()
        if (name := f"{site.site}-{kind}") in images
    )
    return f"<p>{escape(heading(site))}; grouped by {escape(site.grouped_by)}.</p>{shown}{table(found)}"
