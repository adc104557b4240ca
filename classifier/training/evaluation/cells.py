"""Figures as text for the cells of a table; what is missing is an empty cell."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from classifier.training.evaluation.compare import Discord
from classifier.training.evaluation.measure import MODERN
from classifier.training.evaluation.sources import WHOLE, Bounds

OFF: Final = 2.0
"""A threshold that lets through more than so many times its nominal rate is marked."""


def area(found: Bounds | None) -> str:
    """`0.9876 [0.980, 0.990]`."""
    return f"{found[0]:.4f} [{found[1]:.3f}, {found[2]:.3f}]" if found else ""


def signed(found: Bounds) -> str:
    """A difference with its interval."""
    return f"{found[0]:+.4f} [{found[1]:+.4f}, {found[2]:+.4f}]"


def share(value: float | None) -> str:
    """A share as percent."""
    return "" if value is None else f"{100 * value:.2f} %"


def number(value: float | None) -> str:
    """Four decimals."""
    return "" if value is None else f"{value:.4f}"


def short(name: str) -> str:
    """A system's name without folders."""
    return Path(name).name


def plain(source: str) -> str:
    """A source without its table, but for modern traffic; `*` in words."""
    table, _, name = source.partition(":")
    if table == MODERN:
        return f"{name} ({MODERN})"
    return "all" if source == WHOLE else name or source


def pair(shares: dict[str, float], rates: Iterable[str]) -> str:
    """`0.950 / 0.800`: shares by rate."""
    found = [shares[rate] for rate in rates if rate in shares]
    return " / ".join(f"{value:.3f}" for value in found)


def factor(found: Bounds | None) -> str:
    """`(1.2 x [1, 1.5])`: a multiple of a nominal rate, marked where it is too large and no accident."""
    if found is None:
        return ""
    value, low, high = (f"{each:.0f}" if each >= 10 else f"{each:.2g}" for each in found)
    return f"({value} x [{low}, {high}]{' !' if found[0] > OFF and found[1] > 1 else ''})"


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.950 [0.940, 0.960]`."""
    if value is None or low is None or high is None:
        return ""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def discord(found: Discord | None) -> str:
    """`12 / 3 (p 0.035)`."""
    return f"{found.first} / {found.second} (p {found.p:.2g})" if found else ""
