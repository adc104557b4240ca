"""The locks: one set of versions, hashed, without addresses, and no torch where the proxy runs."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from needs import ROOT

LOCKS = ("run", "cuda", "train", "test")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def test_the_proxys_lock_holds_nothing_of_training() -> None:
    unwanted = {"torch", "onnx", "onnxscript", "safetensors", "matplotlib", "pytest"}
    assert not unwanted & _pins("run").keys()
    assert not unwanted & _pins("cuda").keys()
    assert not [name for name in _pins("run") if name.startswith("nvidia")]


def test_all_locks_agree_on_every_version() -> None:
    whole = _pins("test")
    for lock in LOCKS:
        for name, version in _pins(lock).items():
            assert whole.get(name, version) == version, (lock, name)
    assert _pins("run").items() <= _pins("train").items() <= whole.items()
    assert _pins("run").items() <= _pins("cuda").items()


@pytest.mark.parametrize(
    ("lock", "extras"), [("run", ()), ("cuda", ("cuda",)), ("train", ("train",)), ("test", ("train", "test"))]
)
def test_a_lock_satisfies_what_pyproject_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    pins, project = _pins(lock), _project()
    asked = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), (lock, str(requirement))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_index(lock: str) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PINNED.finditer(text)}


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
