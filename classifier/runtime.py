"""ONNX Runtime sessions: the only place that knows providers and session options.

A session is made from bytes, never from a path, so that what was verified is what runs.
`get_available_providers()` lists what was built in, not what works: only `session.get_providers()` after
creation tells, and a missing CUDA library falls back to the CPU without an error.

On a GPU one thread works at a time. While a CUDA graph is captured, a call of any other thread fails it
(`cudaStreamCaptureModeGlobal`): runs hold `TURN`, and whoever makes sessions or captures holds `LOADING`.
"""

import contextlib
import importlib.metadata
import io
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import onnxruntime as ort

from classifier.card import ModelRefused
from classifier.kernels import portable

Device = Literal["auto", "cuda", "cpu"]

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"

_CUDA_OPTIONS: Final = {
    # Lengths vary: an exhaustive search would be repeated for each new shape.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}
_GRAPHS: Final = {"enable_cuda_graph": "1"}
TURN: Final = threading.Lock()
"""Held for a run on a GPU, and for a capture."""
LOADING: Final = threading.RLock()
"""Held while a session is made on a GPU, and while its shapes are captured."""
_BUILDS: Final = tuple(
    f"onnxruntime{suffix}"
    for suffix in ("", "-gpu", "-directml", "-openvino", "-qnn", "-rocm", "-migraphx", "-silicon", "-training")
)
_WARNING, _FATAL = 2, 4
_quiet = threading.Lock()


def open_session(model: bytes, device: Device, *, graphs: bool = False, profile: str = "") -> ort.InferenceSession:
    """Make a session on `device`; `auto` takes CUDA where it works, else the CPU.

    With `graphs` a session on CUDA captures what runs with a `gpu_graph_id`. A `profile` is the beginning of the path
    that onnxruntime writes the times and sizes of all kernels to, and is for the CPU.

    Raises ModelRefused: "unreadable" when the bytes are no model, "provider" when `cuda` was asked for
    and does not work or when two onnxruntime distributions overwrite each other.
    """
    _check_distribution()
    wanted = device != "cpu" and _cuda_visible()
    if device == "cuda" and not wanted:
        raise ModelRefused("provider", f"device = cuda, but {_no_cuda()}; use device = auto or cpu")
    if not wanted:
        return _create(model, [CPU], profile=profile)
    cuda = (CUDA, _CUDA_OPTIONS | (_GRAPHS if graphs else {}))
    with LOADING:
        strict = device == "cuda"
        return _create(portable(model), [cuda] if strict else [cuda, CPU], strict=strict)


def _create(model: bytes, providers: list[Any], *, strict: bool = False, profile: str = "") -> ort.InferenceSession:
    options = _options()
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    if strict:  # no node may run on the CPU: a slow half-CUDA session is refused instead of served
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with _quiet:  # the severity is the process's; a missing CUDA library would print two lines a session
        ort.set_default_logger_severity(_FATAL)
        try:
            return ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            if strict:
                hint = f"CUDA does not run it; install sluice-proxy[cuda] or use device = auto ({_short(error)})"
                raise ModelRefused("provider", f"device = cuda, but {hint}") from None
            raise ModelRefused("unreadable", f"not a model onnxruntime can run ({_short(error)})") from None
        finally:
            ort.set_default_logger_severity(_WARNING)


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    # One record at a time on one core: more threads cost more than they bring, and spinning steals from the proxy.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Off, both: no slower at our sizes and lengths, and memory levels off lower over swaps and varied shapes
    # (95 against 107 MB of process after 2,000 swaps): an arena keeps its peak, a pattern is kept for each shape.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL  # errors arrive as exceptions
    return options


@cache
def _check_distribution() -> None:
    """Two builds install the same module over each other; the one that wins is whichever came last."""
    found = []
    for build in _BUILDS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(importlib.metadata.distribution(build).metadata["Name"])
    if len(found) > 1:
        raise ModelRefused("provider", f"{' and '.join(found)} are both installed; uninstall all but one")


@cache
def _cuda_visible() -> bool:
    """Whether trying CUDA is worth it; if so, load its libraries from the installed NVIDIA packages, once."""
    if CUDA not in ort.get_available_providers() or not has_nvidia():
        return False
    with contextlib.redirect_stdout(io.StringIO()):  # preload_dlls reports trouble with print()
        ort.preload_dlls()
    return True


def has_nvidia() -> bool:
    """Whether an NVIDIA device is visible, whatever works with it."""
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version"))


def _no_cuda() -> str:
    return "no NVIDIA device is visible" if CUDA in ort.get_available_providers() else "this onnxruntime has no CUDA"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
