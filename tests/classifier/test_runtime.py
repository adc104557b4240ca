"""Sessions say which provider they got, and a broken environment is refused in words."""

import importlib.metadata
from pathlib import Path

import onnxruntime
import pytest

from classifier import registry, runtime
from classifier.card import ModelRefused
from classifier.runtime import CPU, open_session
from models import tiny_model


def test_the_cpu_is_taken_when_asked_for(tmp_path: Path) -> None:
    assert open_session(tiny_model(tmp_path / "m.onnx").read_bytes(), "cpu").get_providers() == [CPU]


@pytest.mark.skipif(runtime.has_nvidia(), reason="this machine has an NVIDIA device")
def test_without_a_gpu_auto_is_quiet_and_cuda_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(tmp_path / "m.onnx").read_bytes()
    assert open_session(model, "auto").get_providers() == [CPU]
    with pytest.raises(ModelRefused, match="device = auto") as refused:
        open_session(model, "cuda")
    assert refused.value.reason == "provider"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(runtime.has_nvidia(), reason="this machine has an NVIDIA device")
def test_a_device_without_its_libraries_falls_back_on_auto_and_is_refused_on_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model = tiny_model(tmp_path / "m.onnx").read_bytes()
    monkeypatch.setattr(runtime, "_cuda_visible", lambda: True)
    if runtime.CUDA not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime is built without CUDA")
    assert open_session(model, "auto").get_providers() == [CPU]
    with pytest.raises(ModelRefused, match=r"sluice-proxy\[cuda\]"):
        open_session(model, "cuda")
    assert capfd.readouterr() == ("", "")


@pytest.mark.gpu
@pytest.mark.skipif(not runtime.has_nvidia(), reason="no NVIDIA device")
def test_with_a_gpu_cuda_is_taken(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "m.onnx").read_bytes()
    assert open_session(model, "cuda").get_providers()[0] == runtime.CUDA


@pytest.mark.gpu
@pytest.mark.skipif(not runtime.has_nvidia(), reason="no NVIDIA device")
@pytest.mark.parametrize("graphs", [False, True])
def test_with_a_gpu_every_operator_of_the_shipped_model_runs_there(graphs: bool) -> None:
    model = (registry.base() / registry.MODEL).read_bytes()
    assert open_session(model, "cuda", graphs=graphs).get_providers()[0] == runtime.CUDA


def test_two_builds_of_onnxruntime_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def __init__(self, name: str) -> None:
            if name not in ("onnxruntime", "onnxruntime-gpu"):
                raise importlib.metadata.PackageNotFoundError
            self.metadata = {"Name": name}

    monkeypatch.setattr(importlib.metadata, "distribution", Installed)
    with pytest.raises(ModelRefused, match="onnxruntime and onnxruntime-gpu are both installed"):
        runtime._check_distribution.__wrapped__()


@pytest.mark.parametrize("data", [b"", b"\x08", b"not a model" * 100])
def test_bytes_that_are_no_model_are_unreadable(data: bytes) -> None:
    with pytest.raises(ModelRefused) as refused:
        open_session(data, "cpu")
    assert refused.value.reason == "unreadable"
