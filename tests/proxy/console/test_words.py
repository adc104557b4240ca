import pytest

from classifier.records import LABELS
from proxy.console import words
from proxy.metrics import REASONS


def test_every_label_and_every_reason_has_words() -> None:
    assert {str(label) for label in LABELS} == {str(label) for label in words.LABELS}
    assert set(REASONS) <= set(words.REASONS)


@pytest.mark.parametrize(
    ("name", "said"),
    [("sqli", "attack on a database"), ("", "not judged"), (None, "not judged"), ("new_one", "new one")],
)
def test_labels(name: str | None, said: str) -> None:
    assert words.label(name) == said


@pytest.mark.parametrize(
    ("name", "enforced", "said"),
    [
        ("block", True, "blocked"),
        ("block", False, "would be blocked"),
        ("flag", False, "flagged"),
        ("allow", True, "passed"),
    ],
)
def test_actions(name: str, enforced: bool, said: str) -> None:
    assert words.action(name, enforced) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "threat 0.7018 reaches the flag threshold 0.1515",
            "The filter is 70.2 % sure that this is harmful; it flags from 15.2 %.",
        ),
        (
            "scanner 0.04 reaches the flag threshold 0.02",
            "The filter is 4 % sure that this is scanner; it flags from 2 %.",
        ),
        ("rule: known bad", "Rule: known bad"),
        ("", ""),
    ],
)
def test_reasons_of_decisions(reason: str, said: str) -> None:
    assert words.why(reason).replace("\xa0", " ") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (-5, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86400 * 3, "3 days ago")],
)
def test_times(seconds: float, said: str) -> None:
    assert words.ago(1000.0, 1000.0 + seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0 %"), (0.0004, "under 0.1 %"), (0.05, "5 %"), (0.1234, "12.3 %"), (1, "100 %")]
)
def test_shares(share: float, said: str) -> None:
    assert words.percent(share).replace("\xa0", " ") == said


def test_the_rest() -> None:
    assert words.when(0) == "1970-01-01 00:00:00"
    assert words.count(1234567.0) == "1,234,567"
    assert words.gate("sentinels") == "Known attacks are all caught"
    assert words.gate("brand_new") == "Brand new"
    assert words.reason("brand_new") == ("Brand new", "")


def test_lists_that_counted_are_named() -> None:
    lists = "lists count: feed (phishing, odds x 20); threat 0.5 without them"
    told = words.why(f"threat 0.95 reaches the block threshold 0.9 ({lists})")
    assert told.endswith(
        "it blocks from 90\N{NO-BREAK SPACE}%. Lists count: feed (phishing, odds x 20); threat 0.5 without them."
    )
