"""What all hooks of ours have in common: they never raise, because mitmproxy would log it and let the flow pass.

A hook that may wait for a verdict is a coroutine. It runs at once up to where it does wait: with an inline scorer that
is its end, and mitmproxy is handed nothing to await.
"""

import functools
import inspect
import logging
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol

from proxy.judge import where

log = logging.getLogger(__name__)


class Hooked(Protocol):
    """An addon that can say what becomes of a flow that one of its hooks failed on."""

    def fail(self, subject: Any) -> None:
        """Do what the policy says."""


def guarded[A: Hooked, T](
    hook: Callable[[A, T], Coroutine[Any, Any, None] | None],
) -> Callable[[A, T], Awaitable[None] | None]:
    """Turn an exception in a hook into the policy's decision."""

    async def wait(self: A, subject: T, hooked: Coroutine[Any, Any, None]) -> None:
        try:
            await hooked
        except Exception as error:
            failed(self, subject, error)

    def failed(self: A, subject: T, error: Exception) -> None:
        log.error("the filter failed in %s: %s", hook.__name__, where(error))
        self.fail(subject)

    @functools.wraps(hook)
    def run(self: A, subject: T) -> Awaitable[None] | None:
        try:
            hooked = hook(self, subject)
        except Exception as error:
            failed(self, subject, error)
            return None
        return begin(wait(self, subject, hooked)) if inspect.iscoroutine(hooked) else None

    return run


def begin(work: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run up to the first wait; what is left to await, None when nothing is."""
    try:
        waited = work.send(None)
    except StopIteration:
        return None
    return _rest(work, waited)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
    """Go on with what has begun: hand on what it waits for, and hand back what came of it."""
    while True:
        try:
            try:
                sent = yield waited
            except BaseException as error:
                waited = work.throw(error)
            else:
                waited = work.send(sent)
        except StopIteration:
            return
