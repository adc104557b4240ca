"""The run itself is a real process: one that has nothing to learn from, and stand-ins that say what a run would."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from classifier.errors import UserError
from proxy.console import tool
from proxy.console.context import Console
from proxy.console.learning import Learning, Run


async def ended(learning: Learning) -> Run:
    assert learning._runner._task is not None
    await asyncio.wait_for(learning._runner._task, 120)
    assert learning.latest is not None
    return learning.latest


@pytest.fixture
def saying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A script that runs in place of `sluice`."""
    script = tmp_path / "said.py"
    monkeypatch.setattr(tool, "_SLUICE", (sys.executable, str(script)))
    return script


@pytest.mark.parametrize(
    ("outcome", "code", "state"),
    [
        ({"release": "r", "promoted": True, "gates": []}, 0, "promoted"),
        ({"release": "r", "promoted": False, "gates": []}, 0, "published"),
        ({"release": None, "promoted": False, "gates": []}, 3, "refused"),
        (None, 2, "failed"),
        (None, 0, "failed"),
    ],
)
async def test_how_a_run_ends(console: Console, saying: Path, outcome: object, code: int, state: str) -> None:
    said = json.dumps(outcome) if outcome else ""
    saying.write_text(
        "import os, sys\nassert os.environ['SLUICE_PROGRESS'] == 'json'\n"
        """print('{"progress": "Training", "done": 3, "total": 9}', file=sys.stderr)\n"""
        "print('sluice: no flow', file=sys.stderr)\n"
        f"print({said!r})\nsys.exit({code})\n"
    )
    learning = console.learning
    await learning.start()
    run = await ended(learning)
    assert (run.state, run.outcome, run.step, run.done, run.total) == (state, outcome, "Training", 3, 9)
    assert run.ended >= run.started and run.seconds >= 0
    assert (run.problem == "no flow") is (state == "failed")


async def test_only_one_at_a_time_and_it_can_be_stopped(console: Console, saying: Path) -> None:
    saying.write_text("import time\ntime.sleep(60)")
    learning = console.learning
    assert not learning.running
    await learning.start()
    assert learning.running
    with pytest.raises(UserError, match="under way"):
        await learning.start()
    await learning.stop()
    assert learning.latest is not None and learning.latest.problem == "it was stopped"
    saying.write_text("print('{}')")
    await learning.start()
    assert (await ended(learning)).state == "published"


async def test_a_long_line_does_not_end_the_following(console: Console, saying: Path) -> None:
    saying.write_text("import sys\nprint('x' * 200_000, 'why', sep='\\n', file=sys.stderr)\nsys.exit(2)")
    learning = console.learning
    await learning.start()
    assert (await ended(learning)).problem == "why"


async def test_a_program_that_is_missing_is_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_SLUICE", ("/nowhere/sluice",))
    monkeypatch.setattr("shutil.which", lambda _: None)
    run = await console.learning.start()
    assert (run.state, run.problem) == ("failed", "No such file or directory")


async def test_a_real_run_that_fails_says_why(console: Console) -> None:
    learning = console.learning
    await learning.start()
    run = await ended(learning)
    assert run.state == "failed" and "weights" in run.problem


async def test_how_a_run_ended_outlives_a_restart(console: Console, saying: Path) -> None:
    report = console.status.state / "finetune" / "reports" / "1.html"
    report.parent.mkdir(parents=True)
    report.write_text("<p>told</p>")
    outside = console.status.state / "secret.html"
    outside.write_text("no report")
    for path in (report, outside):
        saying.write_text(f"print({json.dumps({'release': None, 'report': str(path)})!r})\nimport sys\nsys.exit(3)")
        await console.learning.start()
        await ended(console.learning)
    again = Learning(console.status, console.journal)
    assert again.latest is not None and again.latest.state == "refused"
    last, first = again.runs()
    assert (again.report(first.started), again.report(last.started), again.report(0.0)) == (report, None, None)
