"""Pictures of a run as inline SVG: they take the page's colours, light or dark, and need nothing beside them."""

from collections.abc import Sequence
from html import escape
from typing import Final

import numpy as np

from classifier.training.evaluation.plots import LEFT, curve
from finetune.gate import Gate, Judged
from finetune.statistics import Bools, Floats

WIDTH, HEIGHT, MARGIN = 460, 270, 44
BAR: Final = 280
BINS: Final = 36
EDGE: Final = 9.4
"""Log-odds at which a histogram ends; scores beyond are in its last bins."""
RISING: Final = frozenset({"reported", "missed", "site_quality", "sentinels"})
"""Gates whose value must not be below the limit; of the others it must not be above."""
STYLE: Final = """
svg{color:inherit;max-width:100%;height:auto}svg text{fill:currentColor;font:12px system-ui,sans-serif}
.axis{stroke:currentColor;stroke-opacity:.45;fill:none}.grid{stroke:currentColor;stroke-opacity:.13}
.before{stroke:#8a8f98;fill:none;stroke-width:2;stroke-dasharray:5 4}.after{stroke:#2f7de1;fill:none;stroke-width:2.2}
.fill{fill:#2f7de1;fill-opacity:.25;stroke:none}.ok{fill:var(--good);fill-opacity:.16}.span{stroke-width:7;stroke-opacity:.55}
.pass{stroke:var(--good)}.fail{stroke:var(--bad)}.dot-pass{fill:var(--good)}.dot-fail{fill:var(--bad)}
.limit{stroke:currentColor;stroke-width:1.6;stroke-dasharray:2 2}.pair{display:flex;flex-wrap:wrap;gap:1rem}
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#ff7b6b}}
.pair figure{margin:.4rem 0;max-width:29rem}
"""


def bar(gate: Gate) -> str:
    """A gate's value (dot), interval (thick line) and limit (dashed) on one axis; where it passes is tinted."""
    if gate.low == gate.high == gate.limit == 0.0:
        return ""
    ends = (gate.low, gate.high, gate.value, gate.limit)
    low, high = min(ends), max(ends)
    pad = (high - low or abs(high) or 1.0) * 0.12
    scale = _scale(low - pad, high + pad, 6, BAR - 6)
    limit = scale(gate.limit)
    start, end = (limit, BAR - 6) if gate.name in RISING else (6.0, limit)
    how = "pass" if gate.passed else "fail"
    return (
        f'<svg viewBox="0 0 {BAR} 40" width="{BAR}" role="img" aria-label="{escape(gate.name)}">'
        f'<rect class="ok" x="{start:.1f}" y="4" width="{max(0.0, end - start):.1f}" height="20"/>'
        f'<line class="span {how}" x1="{scale(gate.low):.1f}" x2="{scale(gate.high):.1f}" y1="14" y2="14"/>'
        f'<circle class="dot-{how}" cx="{scale(gate.value):.1f}" cy="14" r="5"/>'
        f'<line class="limit" x1="{limit:.1f}" x2="{limit:.1f}" y1="2" y2="26"/>'
        f'<text x="{_inside(limit):.1f}" y="38" text-anchor="middle">{gate.limit:.4g}</text></svg>'
    )


def roc(rows: Judged, title: str) -> str:
    """Share of attacks caught against the share of harmless flows flagged (logarithmic), before and after."""
    across = _scale(np.log10(LEFT), 0.0, MARGIN, WIDTH - 22)
    up = _scale(0.0, 1.0, HEIGHT - MARGIN, 24)
    parts = [_frame(title, "share of harmless flows flagged", "attacks caught")]
    for power in range(int(np.log10(LEFT)), 1):
        parts.append(_tick(across(power), f"{10.0**power:g}"))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_level(up(share), f"{share:.0%}"))
    for name, threat in (("before", rows.threat_before), ("after", rows.threat_after)):
        rates, found = curve(threat[~rows.hostile], threat[rows.hostile])
        points = " ".join(f"{across(np.log10(x)):.1f},{up(y):.1f}" for x, y in zip(rates, found, strict=True))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    return "".join(parts) + "</svg>"


def histogram(rows: Judged, chosen: Bools, title: str) -> str:
    """How the scores of some rows lie, before and after; the axis is logarithmic at both ends (log-odds)."""
    edges = np.linspace(-EDGE, EDGE, BINS + 1)
    sides = [np.histogram(_odds(threat[chosen]), edges)[0] for threat in (rows.threat_before, rows.threat_after)]
    most = max(int(side.max()) for side in sides) or 1
    across, up = _scale(-EDGE, EDGE, MARGIN, WIDTH - 22), _scale(0.0, most**0.5, HEIGHT - MARGIN, 24)
    parts = [_frame(title, "threat score", "flows")]
    for threat in (0.0001, 0.001, 0.01, 0.5, 0.99, 0.999, 0.9999):
        parts.append(_tick(across(float(_odds(np.array([threat]))[0])), f"{threat:g}"))
    for level in sorted({0, most // 16, most // 4, most}):
        parts.append(_level(up(level**0.5), f"{level:,}"))
    for name, side in zip(("before", "after"), sides, strict=True):
        steps = [(across(x), up(count**0.5)) for i, count in enumerate(side) for x in (edges[i], edges[i + 1])]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
        if name == "after":
            closed = f"{across(-EDGE):.1f},{up(0):.1f} {points} {across(EDGE):.1f},{up(0):.1f}"
            parts.append(f'<polygon class="fill" points="{closed}"/>')
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    return "".join(parts) + "</svg>"


def legend() -> str:
    """What the lines are."""
    return (
        '<svg viewBox="0 0 300 20" width="300" role="img" aria-label="legend">'
        '<line class="before" x1="0" x2="34" y1="10" y2="10"/><text x="40" y="14">before</text>'
        '<line class="after" x1="110" x2="144" y1="10" y2="10"/><text x="150" y="14">after</text></svg>'
    )


class _scale:
    """From values between two ends to places between two others."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._factor = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return self._start + (float(value) - self._low) * self._factor


def _odds(threat: Floats) -> Floats:
    tight = np.clip(threat, 1e-9, 1 - 1e-9)
    return np.clip(np.log(tight / (1 - tight)), -EDGE + 1e-6, EDGE - 1e-6)


def _inside(place: float) -> float:
    return min(max(place, 20.0), BAR - 20.0)


def _frame(title: str, across: str, up: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(title)}">'
        f'<path class="axis" d="M{MARGIN} 18V{HEIGHT - MARGIN}H{WIDTH - 8}"/>'
        f'<text x="{(WIDTH + MARGIN) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
        f'<text x="2" y="11">{escape(up)}</text>'
    )


def _tick(x: float, text: str) -> str:
    bottom = HEIGHT - MARGIN
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{bottom}"/>'
        f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>'
    )


def _level(y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{MARGIN}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{MARGIN - 5}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def drawable(rows: Judged) -> bool:
    """Whether there are rows of both classes."""
    return bool(rows.hostile.any() and (~rows.hostile).any())


def pair(figures: Sequence[tuple[str, str]]) -> str:
    """Figures (SVG, caption) beside each other."""
    drawn = "".join(f"<figure>{svg}<figcaption>{escape(told)}</figcaption></figure>" for svg, told in figures)
    return f'<div class="pair">{drawn}</div>'
