import asyncio
import logging
from typing import Any

import pytest

from proxy.hooks import guarded


class Addon:
    def __init__(self) -> None:
        self.failed: list[Any] = []
        self.seen: list[Any] = []

    @guarded
    def request(self, subject: str) -> None:
        if subject == "bad":
            raise ValueError("password=hunter2")
        if subject == "empty":
            next(iter(()))

    @guarded
    async def response(self, subject: Any) -> None:
        if isinstance(subject, asyncio.Future):
            subject = await subject
        self.request(subject)
        if subject == "worse":
            raise ValueError("password=hunter2")
        self.seen.append(subject)

    def fail(self, subject: Any) -> None:
        self.failed.append(subject)


def test_what_a_hook_raises_becomes_a_decision_and_a_line_without_the_flow(caplog: pytest.LogCaptureFixture) -> None:
    addon = Addon()
    with caplog.at_level(logging.ERROR):
        for subject in ("good", "bad"):
            addon.request(subject)
    assert addon.failed == ["bad"]
    assert "the filter failed in request: ValueError at test_hooks.py:" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_hook_that_need_not_wait_is_over_at_once() -> None:
    addon = Addon()
    assert addon.response("good") is None
    assert addon.response("worse") is None
    assert (addon.seen, addon.failed) == (["good"], ["worse"])


def test_an_end_of_iteration_is_a_failure_like_any_other() -> None:
    addon = Addon()
    addon.request("empty")
    addon.response("empty")
    assert addon.failed == ["empty", "empty"]


async def test_a_hook_that_waits_goes_on_where_it_was() -> None:
    addon = Addon()
    futures: list[asyncio.Future[str]] = [asyncio.get_running_loop().create_future() for _ in range(3)]
    waiting = [addon.response(future) for future in futures]
    assert None not in waiting
    futures[0].set_result("good")
    futures[1].set_result("worse")
    futures[2].set_exception(ValueError("password=hunter2"))
    for one in waiting:
        assert one is not None
        await one
    assert addon.seen == ["good"]
    assert len(addon.failed) == 2


async def test_a_hook_that_is_cancelled_is_no_failure_of_the_filter() -> None:
    addon = Addon()
    waiting = addon.response(asyncio.get_running_loop().create_future())
    assert waiting is not None
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert addon.failed == []
