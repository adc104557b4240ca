"""When a fine-tuning is worth it, as a table."""

import pytest

from classifier.drift import Figure
from finetune.reasons import LABELS, PATIENCE, Facts, decide

MOVED = Figure(phase="request", of="score", psi=0.31, verdict="moved")
STABLE = Figure(phase="response", of="embedding", psi=0.02, verdict="stable")
UNKNOWN = Figure(phase="connect", of="score")


@pytest.mark.parametrize(
    ("facts", "worth", "why"),
    [
        (Facts(0, 0, 0.0, None), False, "no flow is labelled"),
        (
            Facts(0, 0, 0.0, None, (MOVED,)),
            False,
            "no flow is labelled, though scores of requests are moved (PSI 0.31): label some of it",
        ),
        (Facts(LABELS, LABELS, 0.1, None), True, "10 new labels"),
        (Facts(LABELS - 1, LABELS - 1, 0.1, None), False, "9 new labels of 10; drift is not known yet"),
        (Facts(50, LABELS, 0.1, 1.0, (MOVED,)), True, "10 new labels"),
        (Facts(1, 1, PATIENCE, None), True, "1 new label, waiting for 7 days"),
        (Facts(1, 1, PATIENCE - 0.1, None), False, "1 new label of 10; drift is not known yet"),
        (Facts(50, 0, 0.0, PATIENCE, (MOVED, STABLE)), True, "scores of requests are moved (PSI 0.31)"),
        (Facts(50, 0, 0.0, None, (MOVED,)), True, "scores of requests are moved (PSI 0.31)"),
        (
            Facts(50, 0, 0.0, 2.0, (MOVED,)),
            False,
            "0 new labels of 10; scores of requests are moved (PSI 0.31), but the last run was 2 days ago: "
            "label some of it",
        ),
        (
            Facts(50, 0, 0.0, 100.0, (STABLE, UNKNOWN)),
            False,
            "0 new labels of 10; embeddings of responses are stable (PSI 0.02)",
        ),
    ],
)
def test_a_run_takes_a_reason(facts: Facts, worth: bool, why: str) -> None:
    assert decide(facts) == (worth, why)


def test_the_figure_that_moved_most_speaks() -> None:
    assert Facts(1, 0, 0.0, None, (STABLE, UNKNOWN, MOVED)).furthest == MOVED
    assert Facts(1, 0, 0.0, None, (UNKNOWN,)).furthest is None
