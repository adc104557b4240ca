"""`sluice label`."""

import subprocess
import sys
from pathlib import Path

from classifier.journal import Journal


def sluice(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "classifier.cli", *arguments], capture_output=True, text=True)


def test_a_label_is_kept(tmp_path: Path) -> None:
    done = sluice("label", "a.jsonl:1", "benign", "--weight", "0.5", "--state", str(tmp_path / "state"))
    assert (done.returncode, done.stdout) == (0, "a.jsonl:1 is benign\n")
    row = Journal(tmp_path / "state" / "sluice.db").labels()["a.jsonl:1"]
    assert (row.label, row.weight, row.origin) == ("benign", 0.5, "admin")


def test_an_unknown_label_is_one_line_with_those_allowed(tmp_path: Path) -> None:
    done = sluice("label", "x", "evil", "--state", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("sluice: unknown label 'evil'") and "sqli" in done.stderr
