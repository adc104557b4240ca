"""The figures of `sluice bench scorer` as a table and as a plot (SVG, written by hand: a proxy has no matplotlib)."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from proxy.bench.scorer import Outcome, Speed, best

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH, _HEIGHT, _EDGE = 640, 400, 70
_COLOURS: Final = ("#1b6ca8", "#c8553d", "#588157", "#8e5ea2", "#b8860b")


def table(outcome: Outcome) -> "Table":
    """A line a lane, in 80 columns; `x floor` is how many times the floor it takes."""
    from rich.table import Table

    shown = Table("batch", box=None, pad_edge=False)
    for title in ("tokens", "graph", "flows/s", "p50 ms", "p99 ms", "floor ms", "x floor"):
        shown.add_column(title, justify="right")
    for one in outcome.batches:
        graph = "yes" if one.graph else "no"
        times = (f"{one.p50_ms:.3f}", f"{one.p99_ms:.3f}", f"{one.floor_ms:.3f}", f"{one.p50_ms / one.floor_ms:.1f}")
        shown.add_row(f"{one.rows:,}", f"{one.length:,}", graph, f"{one.flows_per_s:,.0f}", *times)
    return shown


def remarks(outcome: Outcome) -> list[str]:
    """What a reader must know beside the table, in sentences."""
    top, queue, rates = best(outcome.batches), outcome.queue, outcome.rates
    return [
        f"{outcome.provider}, release {outcome.release}. Best: {top.flows_per_s:,.0f} flows/s, {top.rows:,} of "
        f"{top.length} tokens at once, copies included; one by one {1e6 / outcome.single_us:,.0f}/s inline.",
        f"Queue at {queue.rate:,.0f} flows/s for {queue.seconds:g} s: a flow waits {queue.p50_ms:.2f} ms (median), "
        f"{queue.p99_ms:.2f} ms (p99); {queue.judged:,} of {queue.asked:,} judged, {queue.late:,} late, "
        f"{queue.refused:,} refused.",
        f"Making features of a flow took {outcome.extraction_us:.0f} µs of one core, not part of these figures.",
        f"Measured rates: copy {rates.copy / 1e9:,.1f} GB/s, matmul {rates.matmul / 1e12:,.3f} Tflop/s, "
        f"in {rates.upload / 1e9:,.1f} GB/s, out {rates.download / 1e9:,.1f} GB/s.",
    ]


def plot(outcome: Outcome) -> str:
    """Flows a second over the batch size, both logarithmic, a line for each length; the best of each batch."""
    lines: dict[int, dict[int, Speed]] = {}
    for one in outcome.batches:
        row = lines.setdefault(one.length, {})
        row[one.rows] = best([one, row.get(one.rows, one)])
    across = _Scale([one.rows for one in outcome.batches], _EDGE, _WIDTH - _EDGE)
    up = _Scale([one.flows_per_s for one in outcome.batches], _HEIGHT - _EDGE, _EDGE / 2)
    parts = [*_axes(across, up), _text(_WIDTH / 2, 20, f"Flows a second on {outcome.provider}", "middle")]
    for number, (length, row) in enumerate(sorted(lines.items())):
        parts += _line([row[rows] for rows in sorted(row)], across, up, _COLOURS[number % len(_COLOURS)], length)
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(parts) + "\n</svg>\n"


class _Scale:
    """Values to places on a logarithmic axis, whole decades."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        logs = [math.log10(max(value, 1.0)) for value in values]
        self.low, self.high = math.floor(min(logs)), max(math.ceil(max(logs)), math.floor(min(logs)) + 1)
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        share = (math.log10(max(value, 1.0)) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> list[int]:
        return [10**power for power in range(self.low, self.high + 1)]


def _axes(across: _Scale, up: _Scale) -> list[str]:
    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>']
    for value in across.decades():
        x = across.place(value)
        parts.append(f'<path d="M{x} {up.start}V{up.end}" stroke="#ddd"/>')
        parts.append(_text(x, up.start + 18, f"{value:,}", "middle"))
    for value in up.decades():
        y = up.place(value)
        parts.append(f'<path d="M{across.start} {y}H{across.end}" stroke="#ddd"/>')
        parts.append(_text(across.start - 6, y + 4, f"{value:,}", "end"))
    return [*parts, _text((across.start + across.end) / 2, up.start + 38, "windows in a batch", "middle")]


def _line(speeds: Sequence[Speed], across: _Scale, up: _Scale, colour: str, length: int) -> list[str]:
    points = [(across.place(one.rows), up.place(one.flows_per_s)) for one in speeds]
    path = "L".join(f"{x} {y}" for x, y in points)
    dots = [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
    x, y = points[-1]
    label = _text(x + 6, y + 4, f"{length} tokens", "start", colour)
    return [f'<path d="M{path}" fill="none" stroke="{colour}"/>', *dots, label]


def _text(x: float, y: float, content: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(content)}</text>'
