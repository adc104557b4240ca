"""One worker as its supervisor sees it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness import publish
from proxy import config, main, state
from proxy.process import Job, Process
from proxy.values import Address


@pytest.fixture
async def job(tmp_path: Path) -> AsyncIterator[Job]:
    """What a worker of a proxy without a configuration is started with."""
    settings, folder = config.Settings(), tmp_path / "state"
    state.prepare(folder)
    state.authority(folder)
    scratch = state.scratch(folder)
    sockets = main.listen(Address("127.0.0.1", 0), "--listen")
    yield Job(
        file=None,
        options={},
        folder=folder,
        scratch=scratch,
        trusted=state.trust(scratch, None),
        fixed={name: getattr(settings, name) for name in config.FIXED},
        listening=[each.fileno() for each in sockets],
        ports=[sockets[0].getsockname()[1]],
    )
    for each in sockets:
        each.close()


async def test_it_serves_does_what_it_is_told_and_ends(job: Job, tmp_path: Path) -> None:
    publish(job.folder, tmp_path / "model")
    worker = Process(job, 3)
    try:
        assert await worker.settled()
        assert worker.report is not None and worker.report.release and worker.report.memory > 0
        assert await worker.ask("reload") == (None, f"the policy has not changed; {worker.report.release} is serving")
        _, writer = await asyncio.open_connection("127.0.0.1", job.ports[0])
        writer.close()
        worker.tell("drain")
        await asyncio.wait_for(worker.gone.wait(), 30)
        assert worker.end == "ended with exit code 0"
        assert await worker.ask("reload") == ("failed", "it ended meanwhile")
        assert list(job.scratch.glob("counter_3.db")), "its metrics are under its number"
    finally:
        worker.kill()


async def test_why_it_cannot_start_is_told(job: Job) -> None:
    channels = job.folder / "models" / "channels"
    (channels / "stable").write_text('{"release": "20200101-000000000000", "since": "2020-01-01T00:00:00Z"}')
    worker = Process(job, 0)
    assert not await worker.settled()
    assert worker.mistake is not None and worker.mistake.code == 2 and "20200101-000000000000" in worker.mistake.text


async def test_one_that_is_killed_is_gone(job: Job) -> None:
    worker = Process(job, 0)
    worker.kill()
    assert not await worker.settled()
    assert worker.end == f"was ended by {signal.SIGKILL.name}"
