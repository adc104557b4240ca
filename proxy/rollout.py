"""A release on trial: whose flows it judges, and when it has to go. Pure: no IO, no clock.

    shadow   judges beside the stable release and decides nothing; where the two differ is counted
    canary   decides for a share of the clients; the others are the control group

A canary goes by itself when it blocks more of its clients' flows than the stable release does of the others', fails
more often, or is slower. The same question is asked again and again while traffic comes in, so each test is strict
(`ALPHA`) and waits for enough flows: a false alarm sends a good release home, a missed one costs people's work.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from proxy.policy import Decision

ALPHA: Final = 1e-4
"""Chance that a test speaks though nothing is worse. A test a minute for a week makes about one false alarm."""
LEAST: Final = 200
"""Decisions of either group before the canary is judged at all."""
SLOWER: Final = 1.5
"""Ratio of mean scoring times from which a canary is too slow."""
_SPACE: Final = 1 << 32


@dataclass
class Tally:
    """What one group of clients has seen. A flow counts once for each phase; `seconds` is the sum of scoring times."""

    flows: int = 0
    blocks: int = 0
    failures: int = 0
    seconds: float = 0.0

    def add(self, decision: Decision, seconds: float, failed: bool) -> None:
        """Count one judged flow. A block counts whether or not it was enforced."""
        self.flows += 1
        self.blocks += decision.action == "block"
        self.failures += failed
        self.seconds += seconds


def chosen(client: str, release: str, percent: float) -> bool:
    """Whether a client's flows are judged by the canary `release`: always the same clients, others for each release."""
    digest = blake2b(f"{release}\n{client}".encode("utf-8", "replace"), digest_size=4).digest()
    return int.from_bytes(digest) < percent / 100.0 * _SPACE


def objection(canary: Tally, control: Tally) -> str:
    """Why the canary must go, in a sentence; empty while there is no reason."""
    if canary.flows < LEAST or control.flows < LEAST:
        return ""
    for name, ours, theirs in (
        ("blocks", canary.blocks, control.blocks),
        ("failures", canary.failures, control.failures),
    ):
        if more_often(ours, canary.flows, theirs, control.flows) < ALPHA:
            return (
                f"{name}: {ours} of {canary.flows} decisions of the canary, {theirs} of {control.flows} of the release "
                "in service"
            )
    ratio = (canary.seconds / canary.flows) / max(control.seconds / control.flows, 1e-9)
    if ratio > SLOWER:
        return f"scoring takes {ratio:.1f} times as long as with the release in service"
    return ""


def more_often(ours: int, flows: int, theirs: int, others: int) -> float:
    """One-sided p-value of Fisher's exact test that `ours` of `flows` is a larger share than `theirs` of `others`.

    The tail of the hypergeometric distribution, summed in logarithms.
    """
    total, hits = flows + others, ours + theirs
    whole = _choose(total, hits)
    tail = [
        math.exp(_choose(flows, count) + _choose(others, hits - count) - whole)
        for count in range(ours, min(flows, hits) + 1)
        if hits - count <= others
    ]
    return min(1.0, math.fsum(tail))


def _choose(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
