"""What a run that was interrupted leaves in the state: the flows it had chosen, and how far its training had come.

    state/finetune/work/   key · chosen.msgpack · stage-N.pt (a stage under way) · done-N.pt (a stage that is through)

The next run with the same incumbent, labels and options goes on from there, with the flows chosen then; any other run
removes it. A run that ends, whatever its gates say, leaves nothing.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import torch
from torch import nn

from classifier.training.fit import FitReport
from finetune.site import Chosen

_KEY: Final = "key"
_CHOSEN: Final = "chosen.msgpack"


class Work:
    """The work folder of one run; `inputs` is whatever decides what the run does."""

    def __init__(self, folder: Path, inputs: object) -> None:
        self._folder = folder
        self._key = sha256(msgspec.json.encode(inputs, order="sorted")).hexdigest()
        self.resumed = self._read(_KEY) == self._key.encode() and (folder / _CHOSEN).is_file()
        if not self.resumed:
            self.clear()

    def chosen(self, collect: Callable[[], Chosen]) -> Chosen:
        """The flows that the interrupted run had chosen, else those of `collect`, which are kept."""
        if self.resumed:
            try:
                return msgspec.msgpack.decode(self._read(_CHOSEN), type=Chosen)
            except msgspec.MsgspecError:
                self.clear()
                self.resumed = False
        found = collect()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(_CHOSEN, msgspec.msgpack.encode(found))
        self._write(_KEY, self._key.encode())
        return found

    def checkpoint(self, number: int) -> Path:
        """Where the training loop keeps stage `number` while it is under way."""
        return self._folder / f"stage-{number}.pt"

    def restored(self, number: int, network: nn.Module) -> FitReport | None:
        """Put `network` where stage `number` ended and return its report; None if it has not ended."""
        path = self._folder / f"done-{number}.pt"
        if not path.is_file():
            return None
        state = torch.load(path, weights_only=True)  # noqa: TID251  our own file, tensors only
        network.load_state_dict(state["network"])
        return FitReport(**state["report"])

    def done(self, number: int, network: nn.Module, report: FitReport) -> None:
        """Stage `number` has ended."""
        partial = self._folder / "done.tmp"
        torch.save({"network": network.state_dict(), "report": asdict(report)}, partial)
        partial.replace(self._folder / f"done-{number}.pt")

    def clear(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return b""

    def _write(self, name: str, content: bytes) -> None:
        partial = self._folder / f"{name}.tmp"
        partial.write_bytes(content)
        partial.chmod(0o600)
        partial.replace(self._folder / name)
