"""`sluice review`: the review queue in a terminal, a key a flow. Works over ssh: plain lines, no full-screen mode.

Every answer is kept at once, so that whoever quits, or loses the connection, goes on where it ended.
"""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
from rich.console import Console
from rich.text import Text

from classifier import novelty, review
from classifier.errors import UserError
from classifier.explain import Explanation, Span
from classifier.journal import Journal, LabelRow
from classifier.parts import whole
from classifier.records import FlowRecord, Label
from classifier.registry import Registry
from classifier.review import Item
from classifier.scorer import Scorer
from classifier.shown import carried, printable
from proxy import config

KEYS: Final[dict[str, Label]] = {
    "b": Label.BENIGN, "t": Label.TRACKER, "1": Label.SQLI, "2": Label.XSS, "3": Label.PATH_TRAVERSAL,
    "4": Label.COMMAND_INJECTION, "5": Label.SSRF_XXE, "6": Label.SCANNER, "7": Label.PHISHING, "8": Label.MALWARE,
    "9": Label.C2, "d": Label.DGA, "e": Label.EXFILTRATION, "m": Label.CRYPTOMINING,
}  # fmt: skip
"""What a key says a flow is."""
AROUND: Final = 60
"""Characters shown on each side of a span, and of its middle twice as many."""
_HELP: Final = "  ".join(f"{key} {label}" for key, label in KEYS.items())
_ACTIONS: Final = {"block": "blocked", "flag": "flagged", "allow": "passed"}
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[\d;]*[~A-Za-z]|O.|)")
"""What an arrow or a function key sends, which says nothing here."""
_QUIT: Final = ("q", "\x04")


class Done(NamedTuple):
    """Something that can be undone: the place in the queue, and what was said before (None for a skip or nothing)."""

    place: int
    kind: Literal["label", "skip"]
    before: LabelRow | None = None


def ask(file: Path | None, state: Path, limit: int, as_json: bool) -> None:
    """Ask about the queue, or print it. Raises UserError when there is no state, or nobody to ask."""
    database = state / "sluice.db"
    if not database.exists():
        raise UserError(f"no events in {state}; choose the proxy's state directory with --state")
    if not as_json and not sys.stdin.isatty():
        raise UserError("standard input is no terminal to ask at; list the queue with --json, answer with sluice label")
    journal, registry = Journal(database), Registry(config.load(file).model.registry or state)
    scorer = functools.cache(lambda release: Scorer(registry.load(release, "cpu")))
    with contextlib.suppress(UserError), _waiting(as_json):  # without a release the queue is ranked without novelty
        novelty.refresh(journal, state / "captures", scorer(registry.resolve()))
    items = review.waiting(journal)[:limit]
    if as_json:
        print(msgspec.json.encode(items).decode())
    else:
        with pressed() as keys:
            Session(journal, items, scorer, Console(highlight=False), keys).run()


class Session:
    """One sitting. `load` gives a release's scorer, `keys` what is pressed; both as they are needed."""

    def __init__(
        self, journal: Journal, items: Sequence[Item], load: Callable[[str], Scorer], out: Console, keys: Iterator[str]
    ) -> None:
        self.journal, self.items, self.load, self.out, self.keys = journal, items, load, out, keys
        self.done: list[Done] = []

    def run(self) -> None:
        """Ask until everything is answered or somebody quits."""
        if not self.items:
            self._say("Nothing waits for you: what is flagged, blocked, reported or strange appears here.")
            return
        self._say(f"{_HELP}\ny as the filter says  s skip  u undo  q quit", style="dim")
        place = 0
        while place < len(self.items):
            item = self.items[place]
            self._show(place, item)
            moved = self._answer(place, item)
            if moved is None:
                break
            place = moved
        self._bye()

    def _answer(self, place: int, item: Item) -> int | None:
        """Take a key that means something here; the next place, None to stop."""
        for key in self.keys:
            label = item.label if key == "y" and item.label else KEYS.get(key)
            if key in _QUIT:
                return None
            if key == "u":
                return self._undo(place)
            if key == "s":
                review.skip(self.journal, item.event)
                self.done.append(Done(place, "skip"))
                self._say("  skipped", style="dim")
                return place + 1
            if label:
                before = review.say(self.journal, item.event, label, where="terminal")
                self.done.append(Done(place, "label", before))
                self._say(f"  {label}", style="bold")
                return place + 1
            self._say(f"  {_HELP}  y s u q")
        return None

    def _undo(self, place: int) -> int:
        if not self.done:
            self._say("  nothing to undo", style="dim")
            return place
        last = self.done.pop()
        event = self.items[last.place].event
        if last.kind == "skip":
            review.skip(self.journal, event, 0.0)
        else:
            review.unsay(self.journal, event, last.before, where="terminal")
        self._say("  undone", style="dim")
        return last.place

    def _show(self, place: int, item: Item) -> None:
        """One flow: what it is, what was decided and why, who minds, and where in it the reason lies."""
        event = self.journal.find(item.event)
        why = [*item.because, *([f"by {item.reporter}"] if item.reporter else [])]
        self._say(f"\n{place + 1} of {len(self.items)}  {', '.join(why)}", style="bold")
        self._say(f"  {item.method} {item.url}".rstrip(), style="cyan")
        moment = datetime.fromtimestamp(item.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._say(f"  client {item.client or 'unknown'}, {moment} UTC, event {item.event}", style="dim")
        if event is None:
            return
        best = sorted(event.verdict.scores.items(), key=lambda each: -each[1])[:3] if event.verdict else []
        scores = ", ".join(f"{label} {score:.3f}" for label, score in best if score >= 0.0005)
        act = f"{'would be ' if item.action == 'block' and not item.enforced else ''}{_ACTIONS[item.action]}"
        self._say(f"  {act}: {item.reason}  ({scores or 'no score'})")
        found = carried(event, self.load)
        if isinstance(found, Explanation):
            for span in found.spans:
                self.out.print(_marked(event.record, span))

    def _bye(self) -> None:
        labelled = sum(each.kind == "label" for each in self.done)
        left = len(self.items) - len(self.done)
        told = f"\n{labelled} labelled, {len(self.done) - labelled} skipped, {left} left"
        self._say(told + (". The filter learns from it with: sluice finetune run" if labelled else ""))

    def _say(self, content: str, style: str = "") -> None:
        """Print a text in which clients may have written: nothing in it is markup, nothing steers the terminal."""
        safe = "\n".join(printable(line) for line in content.split("\n"))
        self.out.print(Text(safe, style=style))


@contextlib.contextmanager
def pressed() -> Iterator[Iterator[str]]:
    """The keys of the terminal on standard input, one at a time, unechoed; as it was afterwards."""
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSADRAIN)
        yield _keys(number)
    except KeyboardInterrupt:
        print()
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _keys(number: int) -> Iterator[str]:
    while found := os.read(number, 64):
        yield from _SEQUENCE.sub("", found.decode("utf-8", "replace")).lower()


@contextlib.contextmanager
def _waiting(quiet: bool) -> Iterator[None]:
    """A word on a terminal while the traffic is looked at."""
    console = Console(stderr=True)
    with contextlib.nullcontext() if quiet else console.status("Looking at the newest traffic…"):
        yield


def _marked(record: FlowRecord, span: Span) -> Text:
    """A span within the text of its part; marked in reverse, and in brackets where there is no colour."""
    content = whole(record, span.part)
    left = printable(content[max(0, span.start - AROUND) : span.start])
    middle = printable(span.text if len(span.text) <= 2 * AROUND else f"{span.text[:AROUND]}…{span.text[-AROUND:]}")
    right = printable(content[span.end : span.end + AROUND])
    return Text.assemble(
        (f"  {printable(span.part)}: ", "dim"),
        left,
        "[[",
        (middle, "bold red"),
        "]]",
        right,
        (f"  {span.weight:+.1f}", "dim"),
    )
