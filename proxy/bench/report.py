"""Turns to figures: medians, ratios, the JSON of `--json` and the table of the terminal. Pure but for `table`."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from proxy.bench.load import Turn

if TYPE_CHECKING:
    from rich.table import Table

    from proxy.bench.scoring import Scoring

BUSY: Final = 0.9
"""Share of their core above which load and origin may be what limits a variant."""


class Figures(msgspec.Struct):
    """One turn, or the medians of several. `cpu_us` is the server's alone, None where it cannot be known.

    `load_busy` is the processor time of load generator and origin together, in cores.
    """

    rps: float
    cpu_us: float | None
    p50_ms: float
    p99_ms: float
    load_busy: float | None


def figures(turn: Turn) -> Figures:
    """What a turn says. It must have answers."""
    server, *others = turn.cpu
    return Figures(
        rps=round(len(turn.times) / turn.seconds, 1),
        cpu_us=_known(server / len(turn.times) * 1e6, 1),
        p50_ms=round(percentile(turn.times, 0.5) * 1e3, 3),
        p99_ms=round(percentile(turn.times, 0.99) * 1e3, 3),
        load_busy=_known(sum(others) / turn.seconds, 3),
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def medians(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median; None where a round lacks it."""

    def median(name: str) -> Any:
        values = [getattr(one, name) for one in rounds]
        return None if None in values else statistics.median(values)

    return Figures(**{name: median(name) for name in Figures.__struct_fields__})


def ratio(own: Sequence[Figures], other: Sequence[Figures]) -> tuple[float, float, float]:
    """Requests per second of `own` to those of `other`: of the medians, and the lowest and highest of any round."""
    pairs = [mine.rps / theirs.rps for mine, theirs in zip(own, other, strict=True)]
    return medians(own).rps / medians(other).rps, min(pairs), max(pairs)


def document(results: Mapping[str, Sequence[Figures]], machine: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What `--json` writes."""
    variants = {name: msgspec.to_builtins(medians(rounds)) for name, rounds in results.items()}
    return {"variants": variants, "machine": dict(machine), **more}


def table(results: Mapping[str, Sequence[Figures]]) -> "Table":
    """The figures, with ratios to stock and to core, in 80 columns; `CPU µs` is per request."""
    from rich.table import Table

    shown = Table("variant", box=None, pad_edge=False)
    for title in ("req/s", "x stock", "x core", "CPU µs", "p50 ms", "p99 ms"):
        shown.add_column(title, justify="right")
    for name, rounds in results.items():
        own = medians(rounds)
        ratios = [_ratio(ratio(rounds, results[other])) if other != name else "1" for other in ("stock", "core")]
        cpu = "-" if own.cpu_us is None else f"{own.cpu_us:,.0f}"
        shown.add_row(name, f"{own.rps:,.0f}", *ratios, cpu, f"{own.p50_ms:.2f}", f"{own.p99_ms:.1f}")
    return shown


def remarks(results: Mapping[str, Sequence[Figures]], scored: Mapping[str, "Scoring"], pinned: bool) -> list[str]:
    """What a reader must know beside the table, in sentences."""
    said = [
        f"Medians of {len(results['stock'])} interleaved rounds; in brackets the lowest and highest ratio of a round; "
        "CPU: the server's processor time per request.",
    ]
    for name, scoring in scored.items():
        decisions = scoring.requests + scoring.responses
        said.append(
            f"{name}: release {scoring.release} on {scoring.provider}; {scoring.flagged / decisions:.2%} of "
            f"{decisions:,} decisions flagged, {scoring.remembered / decisions:.2%} remembered; {scoring.dropped:,} "
            "flows not captured."
        )
    if not pinned:
        said.append("Nothing was pinned: servers, load and origin shared the machine's cores.")
    busy = [name for name, rounds in results.items() if (medians(rounds).load_busy or 0) > BUSY]
    if busy:
        said.append(f"The load generator may have been the limit, not the server: {', '.join(busy)}.")
    return said


def _known(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)


def _ratio(values: tuple[float, float, float]) -> str:
    middle, low, high = values
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"
