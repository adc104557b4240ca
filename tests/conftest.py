"""Fixtures for every test. What a test needs from the machine is in `needs`."""

from pathlib import Path

import pytest

import needs


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The prepared public data, or a skip that says where it was looked for."""
    return needs.corpus()
