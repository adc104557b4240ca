"""The policy for commands that judge files without a proxy (`sluice score --config`).

It is found through the entry-point group `sluice.policy`, since the classifier may not import the proxy.
"""

from collections.abc import Callable
from pathlib import Path

from classifier.card import OperatingPoints
from classifier.records import FlowRecord, Verdict
from proxy.config import load


def policy(file: Path, points: OperatingPoints) -> Callable[[FlowRecord, Verdict], str]:
    """The actions that the configuration in `file` takes over a model's operating points. Raises UserError."""
    decide = load(file).build_policy(points).decide
    return lambda record, verdict: decide(record, verdict).action
