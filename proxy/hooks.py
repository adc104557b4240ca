"""What all hooks of ours have in common: they never raise, because mitmproxy would log it and let the flow pass."""

import functools
import logging
from collections.abc import Callable
from typing import Any, Protocol

from proxy.judge import where

log = logging.getLogger(__name__)


class Hooked(Protocol):
    """An addon that can say what becomes of a flow that one of its hooks failed on."""

    def fail(self, subject: Any) -> None:
        """Do what the policy says."""


def guarded[A: Hooked, T](hook: Callable[[A, T], None]) -> Callable[[A, T], None]:
    """Turn an exception in a hook into the policy's decision."""

    @functools.wraps(hook)
    def run(self: A, subject: T) -> None:
        try:
            hook(self, subject)
        except Exception as error:
            log.error("the filter failed in %s: %s", hook.__name__, where(error))
            self.fail(subject)

    return run
