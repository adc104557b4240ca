"""scripts/find-python believes a Python only when it runs, prefers 3.12, and else says what to install."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from needs import ROOT

RUNS = "#!/bin/sh\nexit 0\n"
SHIM = "#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n"
OLDER = "#!/bin/sh\nexit 1\n"


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"bin/python3.12": RUNS, "bin/python3.13": RUNS}, "bin/python3.12"),
        ({"bin/python3.12": SHIM, "bin/python3.13": RUNS}, "bin/python3.13"),
        ({"bin/python3.12": SHIM, ".pyenv/versions/3.12.1/bin/python": RUNS}, ".pyenv/versions/3.12.1/bin/python"),
        (
            {"bin/python3.13": RUNS, ".pyenv/versions/3.12.9/bin/python": RUNS},
            ".pyenv/versions/3.12.9/bin/python",
        ),
        ({"bin/python3": OLDER, ".pyenv/versions/3.13.0/bin/python": RUNS}, ".pyenv/versions/3.13.0/bin/python"),
        ({"bin/python3": RUNS}, "bin/python3"),
    ],
)
def test_the_first_that_runs_is_taken(present: dict[str, str], expected: str, tmp_path: Path) -> None:
    done = _find(tmp_path, present)
    assert done.stdout.strip() == str(tmp_path / expected), done.stderr


def test_without_one_it_says_what_to_install(tmp_path: Path) -> None:
    done = _find(tmp_path, {"bin/python3": OLDER, "bin/python3.12": SHIM})
    assert done.returncode == 1
    assert done.stdout == ""
    assert "apt-get install python3.12" in done.stderr
    assert "pyenv install 3.12" in done.stderr


def test_a_named_python_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    done = _find(tmp_path, {"bin/python3.12": RUNS, "old": OLDER}, PYTHON=str(tmp_path / "old"))
    assert done.returncode == 1
    assert f"PYTHON={tmp_path / 'old'} is not" in done.stderr


def _find(home: Path, present: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script where nothing but `present` (path below `home` -> script) and `cat` can be found."""
    for name, script in present.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    cat = shutil.which("cat")
    assert cat is not None
    os.symlink(cat, home / "bin/cat")
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts/find-python"],
        env={"HOME": str(home), "PATH": str(home / "bin"), **variables},
        capture_output=True,
        text=True,
    )
