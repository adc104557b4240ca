"""Does the answer help? The same captured transactions, judged by their request alone and again with the response.

What gives a capture's label away without any understanding is hidden for both: the year (dates, expiry), the server
(its name, its address, its port) and what only one kind of capture records (sizes, times, HTTP version).
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from classifier.evaluate import Bools, Floats, auroc_difference, auroc_interval
from classifier.records import HARMLESS, FlowRecord, Headers, Label, asked
from classifier.thresholds import THREAT
from classifier.training.evaluation.measure import Example
from classifier.training.evaluation.sources import CLUSTERS, ENOUGH, WHOLE, Bounds, bounds
from classifier.training.evaluation.systems import Served

TELLING: Final = frozenset(
    "age alt-svc cf-ray date etag expires last-modified nel p3p report-to server server-timing "
    "strict-transport-security via x-amz-cf-id x-aspnet-version x-cache x-powered-by x-served-by x-timer".split()
)
"""Response headers that name the server, its cache or the year."""
WHAT: Final = (THREAT, "malware", "c2")


class PhaseReport(msgspec.Struct):
    """Areas over one source (`*`: all) without and with the response; `gain` is the paired difference.

    `what` is all threats or one label; `against` says whose harmless transactions it is told from.
    """

    source: str
    what: str
    positives: int
    negatives: int
    against: str
    request: Bounds
    response: Bounds
    gain: Bounds


class Phases:
    """Watches a judgement go by and judges its transactions twice more, both times with their origin hidden."""

    def __init__(self, systems: Sequence[Served]) -> None:
        self._systems = systems
        self._sources: list[str] = []
        self._labels: list[str] = []
        self._scores: dict[str, list[Floats]] = {system.name: [] for system in systems}

    def __call__(self, chunk: Sequence[Example], scores: Mapping[str, Floats]) -> None:
        """See `measure.Watcher`."""
        answered = [each for each in chunk if each.family == "flows" and each.record.status]
        whole = [hide(each.record) for each in answered]
        self._sources += [each.source for each in answered]
        self._labels += [str(each.record.label) for each in answered]
        for system in self._systems:
            both = [system.score([asked(record) for record in whole])[:, 0], system.score(whole)[:, 0]]
            self._scores[system.name].append(np.stack(both, axis=1))

    def reports(self, system: Served, seed: int = 0) -> list[PhaseReport]:
        """All sources together, then each, by threat and by label; what has no rows of a class is left out."""
        if not self._sources:
            return []
        scores = np.concatenate(self._scores[system.name])
        source, labels = np.asarray(self._sources), np.asarray(self._labels)
        benign = labels == str(Label.BENIGN)
        threats = ~np.isin(labels, [str(label) for label in HARMLESS])
        found = []
        for name in (WHOLE, *sorted(set(self._sources))):
            chosen = np.full(len(source), True) if name == WHOLE else source == name
            for what in WHAT:
                hostile = chosen & (threats if what == THREAT else labels == what)
                report = _report(name, what, hostile, benign, chosen, source, scores, seed)
                found += [report] if report else []
        return found


def hide(record: FlowRecord) -> FlowRecord:
    """The record without what tells its capture: see the module."""
    return msgspec.structs.replace(
        record,
        host="" if _is_address(record.host) else record.host,
        port=0,
        time=0.0,
        client="",
        http_version="",
        seconds=0.0,
        bytes_up=0,
        bytes_down=0,
        request_headers=_without_host(record.request_headers),
        response_headers=tuple(pair for pair in record.response_headers if pair[0].lower() not in TELLING),
    )


def _without_host(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() not in ("host", "if-modified-since", "if-none-match"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _report(
    name: str, what: str, hostile: Bools, benign: Bools, chosen: Bools, source: np.ndarray, scores: Floats, seed: int
) -> PhaseReport | None:
    own = benign & chosen
    negatives, against = (own, "own") if own.sum() >= ENOUGH else (benign, "family")
    if not hostile.any() or not negatives.any():
        return None
    rows = hostile | negatives
    y, before, after = hostile[rows], scores[rows, 0], scores[rows, 1]
    many = min(len(np.unique(source[side])) for side in (hostile, negatives)) >= CLUSTERS
    clusters = source[rows] if many else None
    return PhaseReport(
        source=name,
        what=what,
        positives=int(hostile.sum()),
        negatives=int(own.sum()),
        against=against,
        request=bounds(auroc_interval(y, before, clusters=clusters, seed=seed)),
        response=bounds(auroc_interval(y, after, clusters=clusters, seed=seed)),
        gain=bounds(auroc_difference(y, after, before, clusters=clusters, seed=seed)),
    )
