"""The layout holds: who imports whom, a test file for each module, no torch in the proxy, a clean linter."""

import subprocess
import sys
from pathlib import Path

import pytest

from needs import ROOT

SOURCES = sorted(
    path.relative_to(ROOT)
    for package in ("classifier", "finetune", "proxy")
    for path in (ROOT / package).rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)


def test_the_import_rules_hold() -> None:
    done = _run("-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache", "--no-logo")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_module_has_its_test_file(source: Path) -> None:
    assert (ROOT / "tests" / source.with_name(f"test_{source.name}")).is_file()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("proxy.main", ("torch", "finetune", "classifier.training")),
        ("proxy.commands", ("torch", "mitmproxy", "finetune")),
        ("classifier.scorer", ("torch", "mitmproxy", "scapy", "proxy", "finetune")),
        ("classifier.importers", ("torch", "mitmproxy", "scapy")),
        ("finetune.commands", ("torch", "mitmproxy", "proxy")),
        ("classifier.training.commands", ("torch", "mitmproxy", "proxy")),
    ],
)
def test_importing_one_side_leaves_the_other_out(module: str, absent: tuple[str, ...]) -> None:
    script = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    done = _run("-c", script)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_source_file_opens_with_a_docstring() -> None:
    for source in SOURCES:
        assert (ROOT / source).read_text().lstrip().startswith('"""'), source


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=" ".join)
def test_ruff_is_content(arguments: tuple[str, ...]) -> None:
    done = _run("-m", "ruff", *arguments, "--no-cache", ".")
    assert done.returncode == 0, done.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
