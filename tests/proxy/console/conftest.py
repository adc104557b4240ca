"""A console that nobody has logged in to, and somebody who has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from consoles import LOCAL, PASSWORD, Admin, make_console, make_status
from proxy.admin import build
from proxy.console.context import Console
from proxy.console.status import Status


@pytest.fixture
def status(tmp_path: Path) -> Status:
    """What a proxy would tell."""
    return make_status(tmp_path)


@pytest.fixture
def console(status: Status) -> Console:
    """A console whose password is chosen."""
    found = make_console(status)
    found.vault.set_password(PASSWORD)
    return found


@pytest.fixture
def visitor(console: Console) -> Iterator[TestClient]:
    """A client that is not logged in."""
    with TestClient(build(console, "127.0.0.1"), **LOCAL) as client:
        yield client


@pytest.fixture
def admin(console: Console) -> Iterator[Admin]:
    """A client that is logged in."""
    with TestClient(build(console, "127.0.0.1"), **LOCAL) as client:
        yield Admin(client, console)
