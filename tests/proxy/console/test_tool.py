import pytest

from classifier.errors import UserError
from proxy.console import tool


async def test_a_command_runs_beside_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    done = await tool.run("--version")
    assert (done.code, done.out.startswith("sluice "), done.err) == (0, True, "")


async def test_its_complaint_is_told() -> None:
    done = await tool.run("explain", "x", "--state", "/nowhere")
    assert done.code == 2
    assert done.problem.startswith("no events in /nowhere")
    assert tool.Done(1, "", "").problem == "the command ended with code 1"


async def test_one_that_takes_too_long_is_ended() -> None:
    with pytest.raises(UserError, match="longer than 0 seconds"):
        await tool.run("--version", seconds=0.001)
