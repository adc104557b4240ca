"""`sluice model diff A B`: which verdicts of recorded traffic would change if B were served instead of A.

Both judge the same flows under the same policy. A flow is judged as the proxy would: its request, and the whole
once it was answered; what counts for a person is the strictest of the two actions.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import typer

from classifier import store
from classifier.artifact import Model
from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.features import vectorize
from classifier.importers import BadLine, read
from classifier.journal import Journal
from classifier.masking import mask
from classifier.offline import source
from classifier.progress import Bar
from classifier.records import HARMLESS, FlowRecord, Verdict, phases
from classifier.scorer import BadScore, Scorer
from proxy import config
from proxy.policy import Failure, Policy

RANKS: Final = ("allow", "flag", "block")
SHOWN: Final = 20
"""Changed flows that are listed one by one; `--json` has them all."""
_DAY: Final = 86_400.0


class Flow(NamedTuple):
    """A recorded flow, masked, and the event id it was given, if any."""

    record: FlowRecord
    event: str = ""


class Change(msgspec.Struct):
    """One flow whose action changes. `known` is what people say of it: harmless, hostile, reported or nothing."""

    id: str
    time: float
    site: str
    path: str
    before: str
    after: str
    label: str
    threat_before: float
    threat_after: float
    known: str = ""


class Difference(msgspec.Struct):
    """`days` is the time from the first flow to the last; `moves` counts flows by `before→after`."""

    before: str
    after: str
    flows: int
    days: float
    moves: dict[str, int]
    changes: list[Change]


class Side:
    """One release under a policy."""

    def __init__(self, model: Model, settings: config.Settings) -> None:
        points: OperatingPoints = model.card.operating_points
        self._scorer = Scorer(model)
        self._policy: Policy = settings.build_policy(points)

    def judge(self, record: FlowRecord) -> tuple[str, float, str]:
        """The strictest action over the flow's phases, with the threat and the label there."""
        found = [self._one(view) for view in phases(record)]
        return max(found, key=lambda each: (RANKS.index(each[0]), each[1]))

    def _one(self, view: FlowRecord) -> tuple[str, float, str]:
        try:
            verdict: Verdict = self._scorer.score(vectorize(view))
        except BadScore:
            return self._policy.decide(view, Failure("nan")).action, 0.0, ""
        decision = self._policy.decide(view, verdict)
        return decision.action, verdict.threat, str(decision.label or verdict.label)


class Words:
    """What people said: labels and reports of a state."""

    def __init__(self, state: Path) -> None:
        self._labels: dict[str, str] = {}
        self._reported: set[str] = set()
        if (state / "sluice.db").exists():
            journal = Journal(state / "sluice.db")
            for name, row in journal.labels().items():
                self._labels[name] = "harmless" if row.label in HARMLESS else "hostile"
            self._reported = {report.event for report in journal.reports(waiting=False)}
            journal.close()

    def of(self, flow: Flow) -> str:
        """Harmless, hostile (somebody labelled it), reported (a user's word only), or nothing."""
        for name in (flow.record.id, flow.event):
            if name and name in self._labels:
                return self._labels[name]
        return "reported" if flow.event and flow.event in self._reported else ""


def difference(flows: Iterable[Flow], sides: tuple[Side, Side], words: Words) -> Difference:
    """Judge `flows` on both sides."""
    found = Difference("", "", 0, 0.0, {}, [])
    moves: Counter[str] = Counter()
    first, last = float("inf"), float("-inf")
    for flow in flows:
        found.flows += 1
        if flow.record.time > 0:
            first, last = min(first, flow.record.time), max(last, flow.record.time)
        old, new = (side.judge(flow.record) for side in sides)
        if old[0] != new[0]:
            moves[f"{old[0]}→{new[0]}"] += 1
            found.changes.append(_change(flow, old, new, words))
    found.days = max(0.0, last - first) / _DAY
    found.moves = dict(sorted(moves.items()))
    found.changes.sort(key=lambda change: (-RANKS.index(change.after), -change.threat_after))
    return found


def compare(before: str, after: str, files: list[Path], file: Path | None, state: Path, as_json: bool) -> None:
    """Print what would change. Raises UserError, Exit(1) when some of the input could not be read."""
    settings = config.load(file)
    names = (before, after)
    loaded = [source(name, state) for name in names]
    models = [Model.from_bytes(each.data, "cpu", release=each.release) for each in loaded]
    bad: list[BadLine] = []
    flows = recorded(files, bad) if files else captured(state)
    sides = (Side(models[0], settings), Side(models[1], settings))
    with Bar("Judging recorded flows") as bar:
        found = difference(_counted(flows, bar), sides, Words(state))
    found.before, found.after = (each.release or name for each, name in zip(loaded, names, strict=True))
    print(msgspec.json.encode(found).decode() if as_json else "\n".join(lines(found)))
    for part in bad:
        print(f"{part.where}: {part.reason}", file=sys.stderr)
    if bad:
        raise typer.Exit(1)


def captured(state: Path) -> Iterator[Flow]:
    """The flows that this state captured. Raises UserError when there are none."""
    folder = state / "captures"
    if not folder.is_dir():
        raise UserError(
            f"no captures in {folder}: run `sluice run` with this --state first, or name files with --flows"
        )
    for row in store.read(folder):
        yield Flow(row.record, row.event)


def recorded(files: Iterable[Path], bad: list[BadLine]) -> Iterator[Flow]:
    """The flows of files, masked; what cannot be read goes to `bad`. Raises UserError."""
    for path in files:
        if path.is_dir() or path.suffix in (".parquet", ".arrows"):
            yield from (Flow(row.record, row.event) for row in store.read(path))
            continue
        for found in read(path):
            if isinstance(found, BadLine):
                bad.append(found)
            else:
                yield Flow(mask(found))


def _counted(flows: Iterable[Flow], bar: Bar) -> Iterator[Flow]:
    for done, flow in enumerate(flows):
        bar.at(done)
        yield flow


def lines(found: Difference) -> list[str]:
    """The difference for people."""
    if not found.flows:
        return ["no flow to compare on"]
    told = [f"{found.flows} flows over {found.days:.1f} days: {found.before} → {found.after}"]
    if not found.changes:
        return [*told, "every verdict stays"]
    for move, count in found.moves.items():
        a_day = f", {count / found.days:.1f} a day" if found.days >= 1 else ""
        told.append(f"{count} {move}{a_day}{_known(found.changes, move)}")
    told += [_line(change) for change in found.changes[:SHOWN]]
    if len(found.changes) > SHOWN:
        told.append(f"… and {len(found.changes) - SHOWN} more; --json lists them all")
    return told


def _known(changes: Iterable[Change], move: str) -> str:
    said = Counter(change.known for change in changes if f"{change.before}→{change.after}" == move and change.known)
    names = {"harmless": "labelled harmless", "hostile": "labelled a threat", "reported": "reported by users"}
    return "".join(f"; {said[name]} of them {told}" for name, told in names.items() if said[name])


def _line(change: Change) -> str:
    what = f"{change.threat_before:.4f} → {change.threat_after:.4f}"
    # what clients wrote could steer a terminal
    where = "".join(c if c.isprintable() else "?" for c in f"{change.site}{change.path}"[:80])
    note = f"  ({change.known})" if change.known else ""
    return f"  {change.before:<5} → {change.after:<5}  {change.label:<17}  {what}  {where}  {change.id}{note}"


def _change(flow: Flow, old: tuple[str, float, str], new: tuple[str, float, str], words: Words) -> Change:
    record = flow.record
    label = (new if RANKS.index(new[0]) > RANKS.index(old[0]) else old)[2]
    return Change(
        record.id, record.time, record.site, record.path, old[0], new[0], label, old[1], new[1], words.of(flow)
    )
