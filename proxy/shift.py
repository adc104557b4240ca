"""`sluice drift`: has the traffic moved away from what the release in service is used to, what moved, and what to do.

The figures are those of the metrics, from the counts that the proxy keeps; what they come from is looked for in the
captures, by judging a sample of old and new flows again.
"""

import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from classifier import drift
from classifier.basis import Basis
from classifier.drift import Day, Figure
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.moved import Doubt, Part, Shift, explain, samples
from classifier.registry import Registry
from classifier.scorer import Scorer
from classifier.shown import printable
from classifier.tallies import RELEASE, Tallies
from proxy import config, plot
from proxy.config import Settings

_UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


class Report(msgspec.Struct, frozen=True):
    """What `--json` prints. `shifts` explain the figures that moved, `doubts` are flows worth a label."""

    release: str
    figures: list[Figure]
    history: list[Day]
    shifts: list[Shift]
    doubts: list[Doubt]
    advice: list[str]
    note: str = ""


def show(since: str, as_json: bool, html: Path | None, file: Path | None, state: Path) -> None:
    """Print what there is to say. Raises UserError, Exit(1) when captures could not be read."""
    begun = parse(since, time.time()) if since else None
    settings = config.load(file)
    if not (state / "sluice.db").exists():
        raise UserError(f"no sluice.db in {state}: run `sluice run` with this --state first")
    unreadable: list[Path] = []
    report = examine(settings, state, begun, unreadable)
    if html is not None:
        try:
            html.write_text(plot.page(report.release, _lines(report), report.history), "utf-8")
        except OSError as error:
            raise UserError(f"{html}: cannot be written ({error.strerror})") from None
    print(msgspec.json.encode(_plain(report)).decode() if as_json else printable_lines(_lines(report)))
    for path in unreadable:
        print(f"{path}: cannot be read as captures", file=sys.stderr)
    if unreadable:
        raise typer.Exit(1)


def examine(settings: Settings, state: Path, begun: float | None, unreadable: list[Path]) -> Report:
    """Figures of the release in service and, where they moved, what they come from. Raises UserError."""
    registry = Registry(settings.model.registry or state)
    release = registry.resolve(settings.model.channel)
    journal = Journal(state / "sluice.db")
    figures = drift.summary(journal, release, since=begun)
    moved = [figure for figure in figures if figure.verdict in ("watch", "moved")]
    shifts: list[Shift] = []
    doubts: list[Doubt] = []
    note = ""
    if moved:
        try:
            sides = samples(state / "captures", min(figure.since for figure in moved), unreadable)
            scorer = Scorer(registry.load(release, "cpu"))
            shifts, doubts = explain(scorer, moved, _bases(journal, release), sides, journal.labels())
            if not shifts:
                note = (
                    f"too few captures to say what moved: {len(sides.before):,} flows before, {len(sides.now):,} since"
                )
        except UserError as error:
            note = f"what moved cannot be said: {error}"
    found = Report(release, figures, drift.history(journal, release), shifts, doubts, advice(figures), note)
    journal.close()
    return found


def parse(text: str, now: float) -> float:
    """The moment that `7d`, `12h`, `30m` or an ISO date means, Unix seconds. Raises UserError."""
    if (span := re.fullmatch(r"(\d+)([mhd])", text)) is not None:
        return now - float(span[1]) * _UNITS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--since {text!r}: a span such as 7d, 12h or 30m, or a date such as 2026-01-31") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def advice(figures: list[Figure]) -> list[str]:
    """What to do next, a line each."""
    words = {figure.verdict for figure in figures}
    if "moved" in words:
        return [
            "label some of the flows above (`sluice label ID benign`, or the console's review queue)",
            "then `sluice finetune run`; `sluice finetune auto` does it by itself once there are labels",
        ]
    if "watch" in words:
        return ["look again tomorrow; label what was reported meanwhile"]
    if words == {None}:
        return ["nothing yet: the proxy counts, look again when there was more traffic"]
    return ["nothing: the traffic is what the release is used to"]


def printable_lines(lines: list[str]) -> str:
    """Lines for a terminal: names of hosts and paths are the traffic's."""
    return "\n".join(map(printable, lines))


def _bases(journal: Journal, release: str) -> dict[str, Basis]:
    tallies = Tallies(journal)
    found = {phase: tallies.basis(release, phase) for phase in drift.PHASES}
    return {phase: basis for phase, basis in found.items() if basis is not None}


def _plain(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(report)
    for plain, figure in zip(found["figures"], report.figures, strict=True):
        plain["said"] = figure.said
    return found


def _lines(report: Report) -> list[str]:
    lines = [f"release {report.release}", "", *map(_figure, report.figures)]
    for shift in report.shifts:
        what = "scores" if shift.of == "score" else "embeddings"
        lines += ["", f"What moved the {what} of {shift.phase}s: {shift.now:,} captured flows, {shift.before:,} before"]
        lines += map(_part, shift.parts)
    if report.note:
        lines += ["", report.note]
    if report.doubts:
        lines += ["", "Worth a label:"]
        lines += [f"  {doubt.id}  {doubt.label:<17} {doubt.threat:.4f}  {doubt.what}" for doubt in report.doubts]
    return [*lines, "", *(f"next: {line}" for line in report.advice)]


def _part(part: Part) -> str:
    return f"  {part.kind:<13} {part.part:>5.0%}  {part.name}  ({part.now:.1%} of flows, before {part.before:.1%})"


def _figure(figure: Figure) -> str:
    shown = "-" if figure.psi is None else f"{figure.psi:.3f}"
    line = f"{figure.phase:<9} {figure.of:<10} {shown:>6}  {figure.said}"
    if figure.psi is None:
        return line
    known = "that came with the release" if figure.origin == RELEASE else "that it judged first here"
    begun = f"{datetime.fromtimestamp(figure.since, UTC):%Y-%m-%d %H:%M}"
    return f"{line}  ({figure.rows:,} flows since {begun} UTC, against {figure.reference_rows:,} {known})"
