"""docs/reference is what the code says today, whole and with nothing that is gone."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from needs import ROOT
from proxy import config
from test_docs import commands, options

FOLDER = ROOT / "docs/reference"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    _generator().write(folder)
    return folder


@pytest.mark.parametrize("name", ["configuration.md", "metrics.md", "commands.md"])
def test_a_page_is_what_its_generator_writes(written: Path, name: str) -> None:
    assert (FOLDER / name).read_text() == (written / name).read_text(), "run `make docs`"


def test_no_other_page_lies_there(written: Path) -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in written.iterdir()}


def test_every_key_says_what_may_stand_behind_it(written: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", (written / "configuration.md").read_text(), re.MULTILINE)
    assert len(rows) > len(config.PolicyTable.model_fields)
    assert [key for key, value, _ in rows if not value or "see there" in value] == []


def test_every_option_of_every_command_is_there(written: Path) -> None:
    sections = re.split(r"^## `sluice (.+)`$", (written / "commands.md").read_text(), flags=re.MULTILINE)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert told.keys() == commands().keys()
    for name, command in commands().items():
        assert [option for option in options(command) if f"`{option}`" not in told[name]] == []


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
