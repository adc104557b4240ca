"""Old events go, and the look at them goes on whatever happens."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from classifier.journal import Event, Journal
from classifier.records import FlowRecord
from proxy import sweep

OLD = Event(
    id="old", time=time.time() - 100, record=FlowRecord(), verdict=None, action="flag", enforced=False, reason="r",
    release="m",
)  # fmt: skip


def test_old_events_go_and_labelled_ones_stay(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sluice.db")
    for name, age in (("old", 100.0), ("labelled", 100.0), ("new", 1.0)):
        journal.event(msgspec.structs.replace(OLD, id=name, time=time.time() - age))
    journal.label("labelled", "benign")
    assert sweep.sweep(journal, 50.0) == 1
    assert {event.id for event in journal.events()} == {"labelled", "new"}


async def test_a_database_that_fails_is_said_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "sluice.db")
    journal.write("drop table events")
    following = asyncio.get_running_loop().create_task(sweep.follow(journal, 50.0))
    while "old events could not be removed" not in caplog.text:
        await asyncio.sleep(0.01)
    assert not following.done()
    following.cancel()
