"""What comes out of a task group."""

import asyncio

import pytest

from classifier.errors import UserError
from proxy.unwrapped import unwrapped


async def fail(error: Exception) -> None:
    raise error


async def test_a_mistake_comes_out_alone_whatever_else_failed() -> None:
    with pytest.raises(UserError, match="the line"), unwrapped():
        async with asyncio.TaskGroup() as outer:
            async with asyncio.TaskGroup() as inner:
                inner.create_task(fail(ValueError()))
                inner.create_task(fail(UserError("the line")))
            outer.create_task(fail(ValueError()))


async def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ExceptionGroup), unwrapped():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(ValueError()))
