"""What all hooks of ours have in common: they never raise, because mitmproxy would log it and let the flow pass.

A hook that may wait for a verdict is a coroutine. It runs at once up to where it does wait: with an inline scorer that
is its end, and mitmproxy is handed nothing to await.
"""

import functools
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

    def failed(self: A, subject: T, error: Exception) -> None:
        log.error("the filter failed in %s: %s", hook.__name__, where(error))
        self.fail(subject)

    async def rest(self: A, subject: T, hooked: Coroutine[Any, Any, None], waited: Any) -> None:
        try:
            await _resumed(hooked, waited)
        except Exception as error:
            failed(self, subject, error)

    @functools.wraps(hook)
    def run(self: A, subject: T) -> Awaitable[None] | None:
        hooked = None
        try:
            hooked = hook(self, subject)
            return None if hooked is None else rest(self, subject, hooked, hooked.send(None))
        except StopIteration as done:
            if hooked is None:  # else it is the end of a hook that did not have to wait
                failed(self, subject, done)
        except Exception as error:
            failed(self, subject, error)
        return None

    return run


@types.coroutine
def _resumed(work: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
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
