"""Less of everything; the steps are the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sites
from finetune import candidate, replay, teaching
from finetune.comparison import attempt, controls, ground, task
from finetune.comparison.ground import Ground


@contextmanager
def lessened() -> Iterator[None]:
    """Few rows and steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "PRACTISED", 400)
        patch.setattr(replay, "ASKED", 600)
        patch.setattr(teaching, "STEPS", 4)
        patch.setattr(candidate, "ROUNDS", 1)
        patch.setattr(controls, "BASE", 200)
        patch.setattr(attempt, "LEARNED", 20)
        patch.setattr(task, "GRAFTS", 40)
        yield


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """For one test at a time: tests of other folders run in the same process."""
    with lessened():
        yield


@pytest.fixture(scope="package")
def base(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """The shipped release and synthetic base rows."""
    with lessened():
        return ground.prepare("", tmp_path_factory.mktemp("state"), None, "stable")


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a made-up site."""
    return make(tmp_path_factory.mktemp("sites") / "reports.jsonl")


def make(path: Path, hostile: int = 30) -> Path:
    """Ninety harmless flows and some hostile ones."""
    flows = [sites.harmless(sites.page(number)) for number in range(90)]
    return sites.write(path, *flows, *map(sites.attack, range(hostile)))
