"""A model that can be held up: its lanes stand still until they are let go, so that a queue before it fills."""

import threading
from typing import Any

from classifier.artifact import Model


class Slow(Model):
    """A model whose own session waits to be let go; its lanes stand still meanwhile."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.session(graphs=False), model.card, model.release)
        self.gate = threading.Event()
        self.gate.set()
        self.runs = 0

    def session(self, *, graphs: bool) -> Any:
        return _Gated(super().session(graphs=graphs), self)


class _Gated:
    """onnxruntime's session, held up: the outermost seam."""

    def __init__(self, session: Any, slow: Slow) -> None:
        self._session, self._slow = session, slow

    def run_with_iobinding(self, *arguments: Any) -> None:
        self._slow.gate.wait()
        self._slow.runs += 1
        self._session.run_with_iobinding(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
