"""scripts/untrained writes a model that loads and runs, and whose card says that it is worth nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from classifier.artifact import Model
from needs import ROOT


@pytest.mark.parametrize(("size", "least", "most"), [("small", 1e6, 1e7), ("large", 3e7, 5e7)])
def test_it_is_a_model_of_its_size(size: str, least: float, most: float, tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "untrained"), str(file), size], check=True, timeout=120)
    assert least < file.stat().st_size < most
    model = Model.load(file, "cpu")
    assert (model.release, model.card.method) == (f"untrained-{size}", "none")
