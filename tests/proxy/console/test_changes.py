"""The comparison itself is a real process, on real captures."""

import asyncio
import sys
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import Label
from consoles import capture, row
from models import tiny_release
from proxy.console import tool
from proxy.console.changes import Changes, Comparison
from proxy.console.context import Console


async def ended(changes: Changes) -> Comparison:
    work, task = changes.running, changes._runner._task
    assert work is not None and task is not None
    await asyncio.wait_for(task, 120)
    return work


async def test_what_another_release_would_change_is_found_and_kept(console: Console, tmp_path: Path) -> None:
    blind = console.registry.publish(tiny_release(tmp_path / "blind", weight=0.0))
    capture(console.status.state, row("calm"), row("loud", "block", Label.SQLI, 0.99, path="/?q=''''"))
    work = await console.changes.start(console.status.release, blind)
    assert console.changes.of(console.status.release, blind) is work and work.seconds >= 0
    with pytest.raises(UserError, match="being compared"):
        await console.changes.start(blind, console.status.release)
    assert await ended(console.changes) is work and console.changes.running is None
    assert work.state == "done" and work.found is not None
    assert (work.found.flows, work.found.moves) == (2, {"block→allow": 1})
    again = Changes(console.status, console.journal).of(console.status.release, blind)
    assert again == work, "a restart forgets nothing"
    assert console.changes.of(blind, console.status.release) is None


async def test_one_that_fails_says_why(console: Console) -> None:
    await console.changes.start(console.status.release, "20200101-0123456789ab")
    work = await ended(console.changes)
    assert work.state == "failed" and "20200101" in work.problem


async def test_one_under_way_can_be_stopped(console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "said.py"
    script.write_text("import time\ntime.sleep(60)")
    monkeypatch.setattr(tool, "_SLUICE", (sys.executable, str(script)))
    work = await console.changes.start("a", "b")
    await console.changes.stop()
    assert (work.state, work.problem) == ("failed", "it was stopped")
