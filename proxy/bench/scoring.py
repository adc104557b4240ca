"""Whether the scored variant did score: its own metrics, read before it stops.

A filter that fails lets flows pass (`on_failure`), which would look like speed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from classifier.errors import UserError
from proxy.bench.servers import Server, fetch

_PHASES: Final = ("request", "response")


@dataclass(frozen=True)
class Scoring:
    """What was scored: flows by phase, with what, how many of the decisions were not `allow`, and what was lost.

    `remembered` verdicts were not scored anew.
    """

    release: str
    provider: str
    requests: int
    responses: int
    flagged: int
    failures: int
    dropped: int
    remembered: int = 0


def read(server: Server) -> Scoring:
    """The counters of a running `scored`."""
    return parse(fetch(server.place.admin, "/metrics")[1])


def parse(text: str) -> Scoring:
    """The counters in a Prometheus text."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    decisions = [sample for sample in samples if sample.name == "sluice_flows_total"]
    phases = {phase: _sum(one for one in decisions if one.labels["phase"] == phase) for phase in _PHASES}
    return Scoring(
        release=_active(samples, "sluice_model_info", "release"),
        provider=_active(samples, "sluice_execution_provider_info", "provider"),
        requests=phases["request"],
        responses=phases["response"],
        flagged=_sum(one for one in decisions if one.labels["action"] != "allow"),
        failures=_sum(one for one in samples if one.name == "sluice_failures_total"),
        dropped=_sum(one for one in samples if one.name == "sluice_capture_dropped_total"),
        remembered=_sum(
            one for one in samples if one.name == "sluice_verdict_cache_total" and one.labels["result"] == "hit"
        ),
    )


def check(scoring: Scoring, answered: int) -> None:
    """Raise UserError unless all `answered` requests and their responses were scored."""
    missing = answered - min(scoring.requests, scoring.responses)
    if missing > 0 or scoring.failures:
        lost = max(missing, scoring.failures)
        raise UserError(f"scored: {lost} of {answered} flows were not scored: no figures", exit_code=1)


def _sum(samples: Iterable[Sample]) -> int:
    return int(sum(sample.value for sample in samples))


def _active(samples: list[Sample], name: str, label: str) -> str:
    return next((one.labels[label] for one in samples if one.name == name and one.value == 1), "")
