"""Every Prometheus metric of the proxy, in one class. The registry is passed in.

With `PROMETHEUS_MULTIPROC_DIR` in the environment before this module is imported, values live in files that all workers
share, and what `/metrics` answers is their sum. Labels are closed sets and start at 0, so that a rate sees the first
event; no host, path or client is ever one (they are unbounded, and private).
"""

import itertools
from collections.abc import Iterable
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from classifier.records import LABELS
from classifier.thresholds import Action
from proxy.policy import CAUSES, Cause, Decision, Mode

Coverage = Literal["full", "partial", "none"]
Reason = Literal[
    "do_not_decrypt", "pinned", "tls_failed", "websocket", "tcp", "oversized", "streamed", "body_cap", "failure"
]
Result = Literal["ok", "refused", "failed"]
Button = Literal["report", "continue"]
Outcome = Literal["done", "limited", "refused"]

COVERAGES: Final[tuple[Coverage, ...]] = ("full", "partial", "none")
REASONS: Final[tuple[Reason, ...]] = (
    "do_not_decrypt", "pinned", "tls_failed", "websocket", "tcp", "oversized", "streamed", "body_cap", "failure",
)  # fmt: skip
RESULTS: Final[tuple[Result, ...]] = ("ok", "refused", "failed")
BUTTONS: Final[tuple[Button, ...]] = ("report", "continue")
MODE_CAUSES: Final = ("--mode", "policy.mode", "proxy.mode", "the default")
OUTCOMES: Final[tuple[Outcome, ...]] = ("done", "limited", "refused")
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
UNKNOWN: Final = "unknown"
"""Label of a flow that no verdict could be had for."""
BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
)  # fmt: skip
"""Seconds; inline scoring on a CPU takes 0.05 to 0.5 ms, a queue for a GPU a few."""


class Metrics:
    """What the proxy counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._flows = Counter(
            "sluice_flows_total", "Decisions on flows.", ("phase", "label", "action", "enforced"), registry=registry
        )
        self._closed = Counter(
            "sluice_flows_closed_total",
            "Flows that ended, by how far they were inspected.",
            ("coverage",),
            registry=registry,
        )
        self.score_seconds = Histogram(
            "sluice_score_seconds", "Masking, features and model of one record.", buckets=BUCKETS, registry=registry
        )
        self._model = Gauge(
            "sluice_model_info", "1 for the release that judges, 0 for retired ones.", ("release",),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._provider = Gauge(
            "sluice_execution_provider_info", "1 for the onnxruntime provider in use.", ("provider",),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._swaps = Counter(
            "sluice_model_swaps_total", "Attempts to change the model.", ("result",), registry=registry
        )
        self._failures = Counter(
            "sluice_failures_total", "Flows that could not be judged, or not whole.", ("cause",), registry=registry
        )
        self._missed_flows = Counter(
            "sluice_uninspected_flows_total",
            "Flows passed without a look at some of it.",
            ("reason",),
            registry=registry,
        )
        self._missed_bytes = Counter(
            "sluice_uninspected_bytes_total", "Bytes of bodies passed without a look.", ("reason",), registry=registry
        )
        self.capture_written = Counter("sluice_capture_written_total", "Flows written to captures.", registry=registry)
        self.capture_dropped = Counter(
            "sluice_capture_dropped_total", "Flows the capture queue refused.", registry=registry
        )
        self.capture_errors = Counter("sluice_capture_errors_total", "Flows lost to a failed write.", registry=registry)
        self.capture_waiting = Gauge(
            "sluice_capture_queue_rows", "Flows waiting to be written.", registry=registry, multiprocess_mode="livesum"
        )
        self.journal_errors = Counter(
            "sluice_journal_errors_total", "Events lost to a failed write.", registry=registry
        )
        self._buttons = Counter(
            "sluice_block_page_total", "Buttons pressed on block pages.", ("button", "result"), registry=registry
        )
        self._reloads = Counter(
            "sluice_policy_reloads_total", "Attempts to change the policy.", ("result",), registry=registry
        )
        self.continued = Counter("sluice_continued_total", "Blocks that a user went past.", registry=registry)
        self.pinned = Gauge(
            "sluice_pinned_servers", "Servers that pass unread because clients pin their certificates.",
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self.unneeded = Gauge(
            "sluice_exceptions_unneeded", "Exceptions that the release which judges would do without.",
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._mode = Gauge(
            "sluice_mode_info", "1 for the mode where no scope says otherwise, and what sets it.", ("mode", "cause"),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._trial = Gauge(
            "sluice_trial_info", "1 for the releases on trial.", ("channel", "release"),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._shadow = Counter(
            "sluice_shadow_flows_total",
            "Decisions, and what the release in the shadow channel would have decided.",
            ("action", "shadow"),
            registry=registry,
        )
        self._canary = Counter(
            "sluice_canary_flows_total", "Decisions while a canary is tried.", ("group", "action"), registry=registry
        )
        self.withdrawn = Counter("sluice_canary_withdrawn_total", "Trials that were sent home.", registry=registry)
        self._drift = Gauge(
            "sluice_drift_psi", "Population stability index against the release's reference; NaN while unknown.",
            ("phase", "of"), registry=registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self._drift_rows = Gauge(
            "sluice_drift_rows", "Flows behind the population stability index.", ("phase", "of"),
            registry=registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self.connections = Gauge(
            "sluice_connections", "Client connections open now.", registry=registry, multiprocess_mode="livesum"
        )
        self._children: dict[tuple[str, str, str, bool], Counter] = {}
        self._release = self._running_on = ""
        self._tried: dict[str, str] = {}
        self._start()

    def decided(self, phase: str, decision: Decision) -> None:
        """Count a decision."""
        key = (phase, decision.label or UNKNOWN, decision.action, decision.enforced)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._flows.labels(*key[:3], "true" if key[3] else "false")
        child.inc()

    def closed(self, coverage: Coverage) -> None:
        """Count the end of a flow."""
        self._closed.labels(coverage).inc()

    def failed(self, cause: Cause) -> None:
        """Count a flow that could not be judged, or not whole."""
        self._failures.labels(cause).inc()

    def missed(self, reason: Reason, size: int = 0, *, flows: int = 1) -> None:
        """Count what passed without a look: `flows` flows and `size` bytes."""
        if flows:
            self._missed_flows.labels(reason).inc(flows)
        if size > 0:
            self._missed_bytes.labels(reason).inc(size)

    def pressed(self, button: Button, outcome: Outcome) -> None:
        """Count a button of a block page."""
        self._buttons.labels(button, outcome).inc()

    def reloaded(self, result: Result) -> None:
        """Count an attempt to change the policy."""
        self._reloads.labels(result).inc()

    def under(self, mode: Mode, cause: str) -> None:
        """Say which mode holds, and why."""
        for known in get_args(Mode):
            for name in MODE_CAUSES:
                self._mode.labels(known, name).set(known == mode and name == cause)

    def swapped(self, result: Result) -> None:
        """Count an attempt to change the model."""
        self._swaps.labels(result).inc()

    def serving(self, release: str, provider: str) -> None:
        """Say which release judges, and where."""
        if self._release and self._release != release:
            self._model.labels(self._release).set(0)
        if self._running_on and self._running_on != provider:
            self._provider.labels(self._running_on).set(0)
        self._release, self._running_on = release, provider
        self._model.labels(release).set(1)
        self._provider.labels(provider).set(1)

    def tried(self, group: Literal["canary", "control"], action: str) -> None:
        """Count a decision of a canary, or beside one."""
        self._canary.labels(group, action).inc()

    def shadowed(self, action: str, shadow: str) -> None:
        """Count a decision and what a shadow would have decided."""
        self._shadow.labels(action, shadow).inc()

    def drifted(self, phase: str, of: str, psi: float, rows: int) -> None:
        """Say how far scores or embeddings of a phase have moved (NaN: not known), and how many flows say so."""
        self._drift.labels(phase, of).set(psi)
        self._drift_rows.labels(phase, of).set(rows)

    def on_trial(self, channel: str, release: str) -> None:
        """Say which release is on trial in a channel; none where it is empty."""
        if before := self._tried.get(channel):
            self._trial.labels(channel, before).set(0)
        self._tried[channel] = release
        if release:
            self._trial.labels(channel, release).set(1)

    def _start(self) -> None:
        """Bring every combination of closed labels into being."""
        for phase, label in itertools.product(("connect", "request", "response", "end"), (*LABELS, UNKNOWN)):
            for action, enforced in itertools.product(ACTIONS, ("true", "false")):
                self._flows.labels(phase, label, action, enforced)
        named: tuple[tuple[Counter, Iterable[str]], ...] = (
            (self._closed, COVERAGES),
            (self._swaps, RESULTS),
            (self._reloads, RESULTS),
            (self._failures, CAUSES),
            (self._missed_flows, REASONS),
            (self._missed_bytes, REASONS),
        )
        for counter, labels in named:
            for label in labels:
                counter.labels(label)
        for pair in itertools.product(BUTTONS, OUTCOMES):
            self._buttons.labels(*pair)
        for group, action in itertools.product(("canary", "control"), ACTIONS):
            self._canary.labels(group, action)
        for action, shadow in itertools.product(ACTIONS, (*ACTIONS, "failed")):
            self._shadow.labels(action, shadow)
