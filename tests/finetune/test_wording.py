"""Sentences for administrators: whole flows, singular and plural, thousands apart."""

import pytest

from finetune import wording


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.alarms(1, 3, 41, 1200), "3 of 1,200 ordinary requests would be flagged; before it were 41."),
        (wording.alarms(2, 0, 1, 1), "0 of 1 ordinary request would be blocked; before it were 1."),
        (wording.mended(4, 4, 1.0), "Of 4 flows labelled harmless that raised an alarm, 4 pass now."),
        (wording.mended(19, 20, 0.9), "Of 20 flows labelled harmless that raised an alarm, 19 pass now (90% must)."),
        (wording.slower(1.25), "Judging a flow takes 1.25 times as long as before."),
    ],
)
def test_a_sentence_counts_flows(said: str, expected: str) -> None:
    assert said == expected
