"""The figures of `sluice bench` as a picture: requests per second of each variant, with the spread over the rounds.

Written as SVG by hand: two dozen shapes are not worth a plotting library in the proxy's environment. Pure.
"""

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from proxy.bench.report import Figures, percentile

_WIDTH: Final = 720
_LEFT, _RIGHT = 130, 150
_ROW: Final = 36
_TOP: Final = 40
_GREY, _BLUE = "#9aa5b1", "#2f6fab"


def svg(results: Mapping[str, Sequence[Figures]], title: str) -> str:
    """A bar for each variant: the median, a line from the lowest to the highest round, the ratio to the first."""
    largest = max(one.rps for rounds in results.values() for one in rounds)
    scale = (_WIDTH - _LEFT - _RIGHT) / largest
    first = statistics.median(one.rps for one in next(iter(results.values())))
    height = _TOP + _ROW * len(results) + 24
    shapes = [f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>']
    for number, (name, rounds) in enumerate(results.items()):
        shapes += _bar(_TOP + _ROW * number, name, sorted(one.rps for one in rounds), scale, first)
    note = "requests per second, median of interleaved rounds; the line spans the rounds; x: times the first"
    shapes.append(f'<text x="8" y="{height - 8}" fill="{_GREY}">{note}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="13"><rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def _bar(top: int, name: str, ascending: list[float], scale: float, first: float) -> list[str]:
    middle = statistics.median(ascending)
    low, high = (_LEFT + value * scale for value in (percentile(ascending, 0.0), ascending[-1]))
    line = top + 12
    return [
        f'<text x="8" y="{top + 17}">{escape(name)}</text>',
        f'<rect x="{_LEFT}" y="{top}" width="{middle * scale:.1f}" height="24" fill="{_BLUE}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{line}" y2="{line}" stroke="black"/>',
        f'<text x="{high + 8:.1f}" y="{top + 17}">{middle:,.0f} ({middle / first:.2f}x)</text>',
    ]
