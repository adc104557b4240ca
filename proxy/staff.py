"""What the supervisor counts of its workers: how many serve, and how often one was replaced and why."""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

Cause = Literal["died", "start", "hung", "age", "memory"]
CAUSES: Final[tuple[Cause, ...]] = ("died", "start", "hung", "age", "memory")


class Staff:
    """The supervisor's own metrics, beside those that the workers share (`proxy.metrics`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._workers = Gauge(
            "sluice_workers", "Workers that serve.", registry=registry, multiprocess_mode="livemostrecent"
        )
        self._restarts = Counter(
            "sluice_worker_restarts_total", "Workers that were replaced.", ("cause",), registry=registry
        )
        for cause in CAUSES:
            self._restarts.labels(cause)

    def here(self, count: int) -> None:
        """Say how many serve."""
        self._workers.set(count)

    def restarted(self, cause: Cause) -> None:
        """Count a replacement: it `died`, could not `start`, `hung`, or was due for its `age` or `memory`."""
        self._restarts.labels(cause).inc()
