"""A made-up evaluation with one of everything, for tests of what is made from it."""

import numpy as np

from classifier.records import Label
from classifier.training.evaluation.compare import Comparison, Difference, Discord, Flip
from classifier.training.evaluation.evasions import Ablation, Evasion
from classifier.training.evaluation.figures import Evaluation, SystemFigures, Target
from classifier.training.evaluation.measure import Judgement
from classifier.training.evaluation.phases import PhaseReport
from classifier.training.evaluation.sources import SourceReport

AREA = (0.9, 0.8, 1.0)
JUDGEMENT = Judgement(
    ["a"] * 40,
    ["http"] * 40,
    [Label.BENIGN] * 20 + [Label.XSS] * 20,
    ["http/request"] * 40,
    {"m": np.repeat(np.linspace(0, 1, 40)[:, None], 3, axis=1)},
    {},
)
"""Forty requests of one source, judged by their place."""


def sample() -> Evaluation:
    """One of everything, with two systems."""
    report = SourceReport(
        "requests:a", "http", "threat", 200, 400, "own", AREA, {"0.01": 0.5, "0.001": 0.4, "0.0007": 0.3},
        {"0.01": 0.03, "0.0001": 0.0}, {"0.01": 0.6, "0.0001": 0.2}, 0.1, {"sqli": 200}, 0.95, 0.5, 0.05,
        {"0.01": 0.8, "0.0001": 0.6}, {"0.01": (3.0, 1.5, 5.0), "0.0001": (0.0, 0.0, 92.0)},
        {"0.01": 0.97, "0.001": 0.96},
    )  # fmt: skip
    other = SourceReport("requests:a", "http", "threat", 200, 400, "own", (0.7, 0.6, 0.8), {"0.01": 0.1})
    whole = SourceReport("*", "http", "threat", 200, 400, "own", AREA, {"0.0007": 0.3}, balanced={"0.01": 0.8})
    tracker = SourceReport("urls:b", "url", "tracker", 20, 0, "family", AREA, {})
    phase = PhaseReport("*", "malware", 50, 90, "own", (0.7, 0.6, 0.8), (0.8, 0.7, 0.9), (0.1, 0.05, 0.15))
    difference = Difference("requests:a", "http", "threat", 200, 400, "own", AREA, {"0.01": Discord(9, 1, 0.02)}, {})
    first = SystemFigures("m", "r1", [whole, report, tracker], 150.0)
    first.confusion = {"sqli": {"sqli": 9, "xss": 1}}
    first.phases = [phase]
    first.bytes = {"model.onnx": 4_600_000}
    systems = [first, SystemFigures("TF-IDF + LR", "", [other])]
    return Evaluation(
        rows=600,
        skipped=1,
        systems=systems,
        settings={"corpus": True, "baseline_rows": 1000, "evasions": True, "against": ""},
        comparisons=[Comparison("m", "TF-IDF + LR", [difference], [Flip("http", True, "block", "allow", 7)])],
        evasions=[
            Evasion("case", name, "attack", "own 0.01", 100, 0.9, 0.8, 0.9, 0.85, 0.94) for name in ("upper", "all")
        ],
        ablations=[Ablation("no host", "requests:a", "http", 100, AREA, -0.05)],
        targets=[Target("a target", "≥ 1", "worst of 2: 0.5 (a)", False, ["a 0.5"])],
    )
