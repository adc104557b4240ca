"""What is counted of workers."""

from prometheus_client import CollectorRegistry

from proxy.staff import CAUSES, Staff


def test_every_cause_starts_at_nothing_and_is_counted() -> None:
    registry = CollectorRegistry()
    staff = Staff(registry)
    staff.here(2)
    assert registry.get_sample_value("sluice_workers") == 2
    for cause in CAUSES:
        assert registry.get_sample_value("sluice_worker_restarts_total", {"cause": cause}) == 0
        staff.restarted(cause)
        assert registry.get_sample_value("sluice_worker_restarts_total", {"cause": cause}) == 1
