"""The page of `sluice drift --html`: the text, and the index day by day as inline SVG."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from classifier.drift import OF, PHASES, Day
from classifier.stability import MOVED, WATCH

WIDTH, HEIGHT, LEFT, BELOW = 640, 180, 44, 24
_STYLE: Final = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
pre{overflow-x:auto}svg{max-width:100%;height:auto;display:block}
svg text{fill:currentColor;font:11px system-ui,sans-serif}
.axis{stroke:currentColor;stroke-opacity:.4}.watch{stroke:#b58900;stroke-dasharray:4 4}
.moved{stroke:#d33;stroke-dasharray:4 4}.line{fill:none;stroke:#2f7de1;stroke-width:2}.dot{fill:#2f7de1}
"""


def page(release: str, lines: Sequence[str], history: Sequence[Day]) -> str:
    """HTML with `lines` as they stand and a picture for each phase and side that has days."""
    pictures = [
        f"<h2>{phase}: {of}</h2>{picture(days, f'Index of {of}, {phase}')}"
        for phase in PHASES
        for of in OF
        if (days := [day for day in history if (day.phase, day.of) == (phase, of)])
    ]
    told = "".join(pictures) or "<p>No day has enough traffic for a picture yet.</p>"
    title = f"Drift of {escape(release)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><pre>{escape(chr(10).join(lines))}</pre>"
        f"<p>Population stability index of each day (UTC) against the reference; {WATCH} and {MOVED} are dashed.</p>"
        f"{told}</body></html>\n"
    )


def picture(days: Sequence[Day], title: str) -> str:
    """The index of `days`, oldest first, at least one."""
    top = max(MOVED * 1.4, *(day.psi for day in days), 0.0) * 1.05
    first, last = days[0].time, days[-1].time

    def across(moment: float) -> float:
        share = (moment - first) / (last - first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - 14)

    def up(index: float) -> float:
        return HEIGHT - BELOW - index / top * (HEIGHT - BELOW - 10)

    points = [(across(day.time), up(day.psi), day) for day in days]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{_date(day.time)}: {day.psi:.3f}, '
        f"{day.rows:,} flows</title></circle>"
        for x, y, day in points
    )
    limits = "".join(
        f'<line class="{name}" x1="{LEFT}" x2="{WIDTH - 14}" y1="{up(limit):.1f}" y2="{up(limit):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{up(limit) + 4:.1f}" text-anchor="end">{limit}</text>'
        for name, limit in (("watch", WATCH), ("moved", MOVED))
    )
    ends = f'<text x="{LEFT}" y="{HEIGHT - 6}">{_date(first)}</text>'
    if last > first:
        ends += f'<text x="{WIDTH - 14}" y="{HEIGHT - 6}" text-anchor="end">{_date(last)}</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(title)}">'
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 14}" y1="{up(0.0):.1f}" y2="{up(0.0):.1f}"/>'
        f'{limits}<polyline class="line" points="{path}"/>{dots}{ends}</svg>'
    )


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
