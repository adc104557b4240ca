"""What the sentinels say of a release on trial: known attacks that it lets pass and the release in service does not.

Judged as the proxy would judge them, by model and policy together, but beside the traffic. Nothing is sent anywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

from classifier.artifact import Model
from classifier.features import Features, vectorize
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.scorer import Scorer
from proxy.policy import Policy


class Side(NamedTuple):
    """A release under the policy of the moment."""

    model: Model
    policy: Policy


class Sentry:
    """Holds the records ready."""

    def __init__(self, records: Sequence[FlowRecord]) -> None:
        self._rows: list[tuple[FlowRecord, Features]] = []
        for record in records:
            masked = mask(record)
            self._rows.append((masked, vectorize(masked)))

    def missed(self, tried: Side, serving: Side) -> list[FlowRecord]:
        """What `serving` flags or blocks and `tried` allows, or cannot judge at all."""
        ours, theirs = Scorer(tried.model), Scorer(serving.model)
        return [
            record
            for record, features in self._rows
            if _caught(theirs, serving.policy, record, features) and not _caught(ours, tried.policy, record, features)
        ]


def objection(missed: Sequence[FlowRecord]) -> str:
    """Why a release must go, in a sentence; empty where nothing was missed."""
    if not missed:
        return ""
    first = missed[0]
    return f"misses {len(missed)} known attacks that the release in service catches, {first.label} ({first.id}) for one"


def _caught(scorer: Scorer, policy: Policy, record: FlowRecord, features: Features) -> bool:
    try:
        return policy.decide(record, scorer.score(features)).action != "allow"
    except Exception:  # a release that cannot judge an attack does not catch it, whatever the reason
        return False
