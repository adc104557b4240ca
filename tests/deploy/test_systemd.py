"""systemd itself reads the units and judges how far they are shut in."""

import re
import subprocess
from pathlib import Path

import pytest

from needs import ROOT, require

UNITS = sorted((ROOT / "deploy/systemd").glob("*.*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/sluice/bin/sluice"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they would be found, with a program that is there in place of ours."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, require("true")))
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("systemd-analyze"), *arguments], cwd=folder, capture_output=True, text=True)


def test_systemd_can_read_every_unit(installed: Path) -> None:
    done = analyze(installed, "verify", *(f"./{unit.name}" for unit in UNITS))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_service_is_shut_in(installed: Path, unit: Path) -> None:
    told = analyze(installed, "security", "--offline=yes", f"./{unit.name}").stdout
    found = re.search(r"exposure level for .*: ([0-9.]+)", told)
    assert found and float(found[1]) < 2.0, told


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_service_runs_a_command_that_there_is(unit: Path) -> None:
    from test_docs import commands, options

    words = re.search(rf"^ExecStart={PROGRAM} (.+)$", unit.read_text(), re.MULTILINE)
    assert words
    name = " ".join(word for word in words[1].split(" --")[0].split())
    assert {word for word in words[1].split() if word.startswith("--")} <= options(commands()[name]).keys()
