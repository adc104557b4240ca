"""Temperatures and thresholds."""

import numpy as np
import pytest
import torch

from classifier.features import NUMBERS
from classifier.records import LABELS, FlowRecord, Label, Verdict
from classifier.training.arrays import batch_of, build
from classifier.training.calibrate import RATES, fit_calibration, is_harmless, operating_points
from classifier.training.corpus import Row
from classifier.training.network import Config, Network

SMALL = Config(buckets=256, grams_dim=4, bytes_dim=4, stem=8, deep=8, hidden=16)


def verdict(threat: float, label: Label = Label.SQLI) -> Verdict:
    scores = dict.fromkeys(LABELS, 0.0) | {Label.BENIGN: 1 - threat, label: threat}
    return Verdict(label, threat, scores, "r")


def rows(hostile: int, harmless: int) -> list[Row]:
    labels = [Label.XSS] * hostile + [Label.BENIGN] * harmless
    return [Row(FlowRecord(host=f"h{n}", path="/"), (label,), 1.0, "test:", "val") for n, label in enumerate(labels)]


def constant(bias: float) -> Network:
    """A network that says the same of everything."""
    torch.manual_seed(0)
    network = Network(SMALL)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(-20.0)
        network.head.bias[0], network.head.bias[LABELS.index(Label.XSS)] = 0.0, bias
    return network


@pytest.mark.parametrize("bias", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("share", [0.01, 0.2])
def test_what_cannot_be_told_apart_scores_the_share_of_threats(bias: float, share: float) -> None:
    network = constant(bias)
    arrays = build(rows(30, 30), workers=0)
    fit_calibration(network, arrays, np.arange(60), share=share)
    batch = batch_of(arrays, np.arange(60))
    threat = torch.softmax(network.eval()(batch.tokens, batch.numbers)[0], 1)[:, LABELS.index(Label.XSS)]
    assert threat.mean().item() == pytest.approx(share, rel=0.3)


def test_only_what_was_seen_is_calibrated() -> None:
    network = constant(4.0)
    found = fit_calibration(network, build(rows(30, 30), workers=0), np.arange(60))
    assert found["dns/response"] == pytest.approx(1.0, abs=0.05)
    assert network.log_odds[NUMBERS.index("kind_http")] < -1 and network.log_odds[NUMBERS.index("kind_dns")] == 0


def test_thresholds_are_kept_apart_by_kind_and_phase() -> None:
    low = [(FlowRecord(path="/"), verdict(n / 1000)) for n in range(500)]
    high = [(FlowRecord(kind="tls", phase="connect"), verdict(0.5 + n / 1000)) for n in range(500)]
    points = operating_points(low + high)
    assert set(points) == {"http/request", "tls/connect"}
    assert set(points["http/request"]["threat"]) == set(RATES)
    assert points["http/request"]["threat"]["0.01"].threshold < 0.5 < points["tls/connect"]["threat"]["0.01"].threshold


def test_a_labels_own_rows_do_not_raise_its_threshold() -> None:
    trackers = [(FlowRecord(path="/", label=Label.TRACKER), verdict(0.9, Label.TRACKER)) for _ in range(300)]
    others = [(FlowRecord(path="/", label=Label.BENIGN), verdict(0.001, Label.TRACKER)) for _ in range(300)]
    assert operating_points(trackers + others)["http/request"]["tracker"]["0.01"].threshold < 0.5


@pytest.mark.parametrize(
    ("label", "harmless"), [(Label.BENIGN, True), (Label.SCANNER, True), (Label.SQLI, False), (None, False)]
)
def test_what_sets_thresholds(label: Label | None, harmless: bool) -> None:
    assert is_harmless(label) is harmless
