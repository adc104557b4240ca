import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from classifier.records import LABELS, Label
from proxy.metrics import BEATS, BUTTONS, COVERAGES, MODE_CAUSES, OUTCOMES, REASONS, RESULTS, UNKNOWN, Metrics
from proxy.policy import CAUSES, Decision


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def test_the_names_that_others_rely_on(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.serving("r1", "CPUExecutionProvider")
    names = {
        sample.name
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }
    assert names >= {
        "sluice_flows_total",
        "sluice_flows_closed_total",
        "sluice_score_seconds_bucket",
        "sluice_model_info",
        "sluice_execution_provider_info",
        "sluice_model_swaps_total",
        "sluice_capture_dropped_total",
        "sluice_failures_total",
        "sluice_uninspected_flows_total",
        "sluice_uninspected_bytes_total",
    }


def test_closed_labels_start_at_zero(metrics: Metrics, registry: CollectorRegistry) -> None:
    closed = {
        "sluice_failures_total": ("cause", CAUSES),
        "sluice_uninspected_flows_total": ("reason", REASONS),
        "sluice_uninspected_bytes_total": ("reason", REASONS),
        "sluice_model_swaps_total": ("result", RESULTS),
        "sluice_policy_reloads_total": ("result", RESULTS),
        "sluice_heartbeat_total": ("result", BEATS),
        "sluice_flows_closed_total": ("coverage", COVERAGES),
    }
    for name, (label, values) in closed.items():
        assert [registry.get_sample_value(name, {label: value}) for value in values] == [0.0] * len(values)
    for label in (*LABELS, UNKNOWN):
        for enforced in ("true", "false"):
            labels = {"phase": "request", "label": label, "action": "block", "enforced": enforced}
            assert registry.get_sample_value("sluice_flows_total", labels) == 0.0


def test_decisions_are_counted_by_what_they_say(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.decided("request", Decision("block", True, "", Label.XSS))
    metrics.decided("request", Decision("block", True, "", Label.XSS))
    metrics.decided("response", Decision("allow", False, "", None))
    labels = {"phase": "request", "label": "xss", "action": "block", "enforced": "true"}
    assert registry.get_sample_value("sluice_flows_total", labels) == 2
    labels = {"phase": "response", "label": UNKNOWN, "action": "allow", "enforced": "false"}
    assert registry.get_sample_value("sluice_flows_total", labels) == 1


def test_what_was_not_looked_at_counts_flows_and_bytes(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.missed("body_cap", 100)
    metrics.missed("body_cap", 5, flows=0)
    assert registry.get_sample_value("sluice_uninspected_flows_total", {"reason": "body_cap"}) == 1
    assert registry.get_sample_value("sluice_uninspected_bytes_total", {"reason": "body_cap"}) == 105


def test_a_retired_release_reads_zero(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.serving("r1", "CPUExecutionProvider")
    metrics.serving("r2", "CPUExecutionProvider")
    assert registry.get_sample_value("sluice_model_info", {"release": "r1"}) == 0
    assert registry.get_sample_value("sluice_model_info", {"release": "r2"}) == 1
    assert registry.get_sample_value("sluice_execution_provider_info", {"provider": "CPUExecutionProvider"}) == 1


def test_the_last_good_round_of_the_heartbeat_is_remembered(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.beaten("ok", 5.0)
    metrics.beaten("missed", 9.0)
    assert registry.get_sample_value("sluice_heartbeat_timestamp_seconds") == 5
    assert registry.get_sample_value("sluice_heartbeat_total", {"result": "missed"}) == 1


def test_the_mode_in_force_is_the_only_one(metrics: Metrics, registry: CollectorRegistry) -> None:
    for mode, cause in (("monitor", "the default"), ("enforce", "--mode")):
        metrics.under(mode, cause)  # type: ignore[arg-type]
        assert registry.get_sample_value("sluice_mode_info", {"mode": mode, "cause": cause}) == 1
        samples = [sample.value for family in registry.collect() for sample in family.samples
                   if sample.name == "sluice_mode_info"]  # fmt: skip
        assert (sum(samples), len(samples)) == (1, 2 * len(MODE_CAUSES))


def test_buttons_start_at_zero_and_are_counted(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.pressed("report", "done")
    found = {
        (button, outcome): registry.get_sample_value("sluice_block_page_total", {"button": button, "result": outcome})
        for button in BUTTONS
        for outcome in OUTCOMES
    }
    assert found == dict.fromkeys(found, 0.0) | {("report", "done"): 1.0}
