"""One real origin and two real proxies, shared by the tests that need them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Proxy, run_proxy
from origin import Origin, run_origin

CONFIG = """
[policy]
do_not_decrypt = ["localhost"]

[[policy.rules]]
name = "no-connect"
host = ["blocked.invalid", "hidden.invalid"]
action = "block"

[[policy.exceptions]]
path = "/allowed"
owner = "ops"
reason = "a known false alarm"
"""


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """Where requests go."""
    with run_origin(tmp_path_factory.mktemp("origin")) as running:
        yield running


@pytest.fixture(scope="session")
def enforcing(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    """A proxy that blocks, with the default `on_failure`."""
    folder = tmp_path_factory.mktemp("enforcing")
    with run_proxy(folder, config=CONFIG, origin_ca=origin.ca, nan_on_poison=True) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def watching(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    """The same in monitor mode, but blocking on failure."""
    folder = tmp_path_factory.mktemp("watching")
    config = CONFIG.replace("[policy]\n", '[policy]\non_failure = "block"\n')
    with run_proxy(folder, config=config, mode="monitor", origin_ca=origin.ca, nan_on_poison=True) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    """A proxy that blocks what it cannot judge."""
    folder = tmp_path_factory.mktemp("strict")
    config = '[policy]\non_failure = {exception = "block", nan = "block", oversized = "block", streamed = "block"}\n'
    with run_proxy(folder, config=config, origin_ca=origin.ca, nan_on_poison=True) as proxy:
        yield proxy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's own proxy lives."""
    return tmp_path / "own"
