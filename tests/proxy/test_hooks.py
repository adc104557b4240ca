import logging
from typing import Any

import pytest

from proxy.hooks import guarded


class Addon:
    def __init__(self) -> None:
        self.failed: list[Any] = []

    @guarded
    def request(self, subject: str) -> None:
        if subject == "bad":
            raise ValueError("password=hunter2")

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
