"""What is held against what, and the figures of one source."""

from collections.abc import Sequence

import numpy as np
import pytest

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import Floats
from classifier.records import FlowRecord, Label
from classifier.training.evaluation.measure import TARGETS, Example, judge
from classifier.training.evaluation.sources import SourceReport, places, reports


class Port:
    """A system that says what the record's port says, in thousandths; NaN for 0."""

    def __init__(self, release: str = "r1") -> None:
        self.name, self.release = "port", release
        self.points: OperatingPoints = {"http/request": {"threat": {"0.01": OperatingPoint(0.5, 0.01)}}}

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        ports = [record.port / 1000 or float("nan") for record in records]
        return np.asarray([[port] * len(TARGETS) for port in ports], np.float64).reshape(-1, 3)


def _examples(source: str, label: Label, ports: Sequence[int], family: str = "http") -> list[Example]:
    return [Example(source, family, FlowRecord(host="a.example", path="/", port=port, label=label)) for port in ports]


def _by_source(examples: list[Example], release: str = "r1") -> dict[tuple[str, str], SourceReport]:
    system = Port(release)
    return {(report.source, report.target): report for report in reports(judge(examples, [system]), system)}


def test_a_source_with_both_classes_is_judged_by_itself() -> None:
    examples = _examples("a", Label.BENIGN, range(10, 410, 20)) + _examples("a", Label.SQLI, range(600, 1000, 20))
    report = _by_source(examples + _examples("b", Label.BENIGN, [999] * 50))[("a", "threat")]
    assert (report.against, report.positives, report.negatives) == ("own", 20, 20)
    assert report.auroc == (1.0, 1.0, 1.0)
    assert report.tpr == {"0.01": 0.0, "0.001": 0.0, "0.0007": 0.0}  # b's harmless flows are of the family too
    assert report.flagged == {"0.01": 0.0}
    assert report.found == {"0.01": 1.0}


def test_a_source_with_one_class_is_held_against_its_family() -> None:
    examples = (
        _examples("good", Label.BENIGN, range(100, 300))
        + _examples("bad", Label.XSS, range(250, 450))
        + _examples("elsewhere", Label.BENIGN, [999] * 20, "url")
    )
    found = _by_source(examples)
    assert found[("good", "threat")].against == found[("bad", "threat")].against == "family"
    assert found[("good", "threat")].auroc == found[("bad", "threat")].auroc
    area = found[("bad", "threat")].auroc
    assert area is not None
    assert 0.9 < area[0] < 1.0
    assert found[("elsewhere", "threat")].auroc is None


def test_probes_and_trackers_are_targets_of_their_own() -> None:
    examples = (
        _examples("a", Label.BENIGN, range(100, 200))
        + _examples("a", Label.SCANNER, range(300, 400))
        + _examples("a", Label.TRACKER, range(150, 250))
    )
    found = _by_source(examples)
    assert found[("a", "scanner")].positives == found[("a", "tracker")].positives == 100
    assert found[("a", "threat")].positives == 0
    assert found[("a", "scanner")].flagged == {}


def test_a_family_is_reported_as_a_whole() -> None:
    examples = _examples("a", Label.BENIGN, range(1, 101)) + _examples("b", Label.C2, range(50, 150))
    whole = _by_source(examples)[("*", "threat")]
    assert (whole.positives, whole.negatives, whole.against) == (100, 100, "own")


def test_balanced_accuracy_and_how_far_a_threshold_holds() -> None:
    examples = _examples("a", Label.BENIGN, [100] * 95 + [600] * 5) + _examples("b", Label.XSS, [900] * 9 + [100])
    found = _by_source(examples)
    assert found[("b", "threat")].balanced == {"0.01": pytest.approx((0.9 + 0.95) / 2)}
    assert found[("b", "threat")].labels == {"xss": 10}
    factor, low, high = found[("a", "threat")].transfer["0.01"]
    assert factor == 5.0
    assert 1 < low < 2 < 11 < high < 12  # Clopper-Pearson for 5 of 100: 1.64 % and 11.28 %
    assert found[("b", "threat")].transfer == {}
    assert _by_source(examples, release="")[("a", "threat")].transfer == {}  # set for no rate


def test_attacks_are_held_against_modern_traffic_too() -> None:
    examples = (
        _examples("requests:a", Label.BENIGN, [950] * 50)
        + _examples("modern:json", Label.BENIGN, range(100, 200))
        + _examples("requests:b", Label.SQLI, [900] * 30 + [150] * 10)
        + _examples("urls:c", Label.PHISHING, [900] * 10, "url")
    )
    found = _by_source(examples)
    assert found[("requests:b", "threat")].tpr["0.01"] == 0.0
    assert found[("requests:b", "threat")].modern["0.01"] == 0.75
    assert found[("urls:c", "threat")].modern == {}


def test_what_was_not_judged_is_left_out() -> None:
    examples = (
        _examples("a", Label.BENIGN, [100] * 20 + [0] * 5)
        + _examples("a", Label.SQLI, [900] * 20)
        + _examples("dns:x", Label.DGA, [0] * 20, "dns")
    )
    found = _by_source(examples)
    assert (found[("a", "threat")].negatives, found[("a", "threat")].auroc) == (20, (1.0, 1.0, 1.0))
    assert ("dns:x", "threat") not in found


def test_calibration_and_precision_are_at_one_percent_threats() -> None:
    examples = _examples("a", Label.BENIGN, [10] * 50 + [1000] * 50) + _examples("a", Label.SQLI, [1000] * 100)
    report = _by_source(examples)[("a", "threat")]
    assert report.ap == pytest.approx(2 / 3, abs=1e-4)
    assert report.ap_1 == pytest.approx(0.01 / (0.01 + 0.495), abs=1e-4)
    # half of the harmless mass says 1 where hardly any is hostile
    assert report.ece_1 == pytest.approx(0.495 * 0.01 + 0.505 * (1 - 0.01 / 0.505), abs=1e-3)


def test_nothing_gives_nothing() -> None:
    judgement = judge([], [Port()])
    assert reports(judgement, Port()) == []
    assert places(judgement) == []
