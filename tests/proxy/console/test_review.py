"""The queue on a page: names of events, and a ranking that is made anew beside the proxy."""

import asyncio

from classifier.novelty import LEAST
from classifier.records import Label, Verdict
from consoles import NOW, capture, event, row
from proxy.console.context import Console
from proxy.console.review import named


def test_events_are_named_by_what_was_decided(console: Console) -> None:
    event(console, "e1")
    event(console, "e2", label=None)
    assert named(console.journal, ["e1", "e2", "e3"]) == {"e1": "sqli"}
    assert named(console.journal, []) == {}


def test_who_looks_at_the_queue_has_it_ranked_anew_but_not_again_and_again(console: Console) -> None:
    state = console.status.state
    doubtful = row("doubtful", path="/strange", time=NOW + 1)
    doubtful.verdicts = {"response": Verdict(Label.SQLI, 0.5, {Label.SQLI: 0.5, Label.BENIGN: 0.5}, "r")}
    capture(state, *(row(f"usual{number}", path="/usual") for number in range(LEAST)), doubtful)

    async def look() -> None:
        console.freshener.poke()
        task = console.freshener._task
        assert task is not None
        await task
        console.freshener.poke()
        assert console.freshener._task is task

    asyncio.run(look())
    picked = console.journal.events()
    assert [(found.record.id, found.action, found.rule) for found in picked] == [
        ("doubtful", "allow", "picked for review")
    ]


def test_nothing_is_started_where_nothing_was_captured(console: Console) -> None:
    console.freshener.poke()
    assert console.freshener._task is None
