"""What a gate says to an administrator: one sentence each, in numbers of flows rather than shares."""


def mended(right: int, count: int, limit: float) -> str:
    """Reported false alarms."""
    flows = f"{_flows(count, 'flow')} labelled harmless that raised an alarm"
    return f"Of {flows}, {right:,} pass now{_must(limit)}."


def found(right: int, count: int, limit: float) -> str:
    """Reported missed attacks."""
    flows = f"{_flows(count, 'flow')} labelled hostile that were let through"
    return f"Of {flows}, {right:,} are flagged now{_must(limit)}."


def watched(right: int, count: int, _limit: float) -> str:
    """Sentinels."""
    return f"Of {_flows(count, 'known attack')} that were caught before, {right:,} are still caught; all must be."


def areas(before: float, after: float) -> str:
    """Areas under the ROC curve."""
    return (
        f"Of an attack and a harmless flow drawn at random, the attack has the higher score in {after:.2%} of cases; "
        f"before it were {before:.2%}."
    )


def rethresholded(after: int, before: int, count: int, detection: float) -> str:
    """False alarms at one detection."""
    return (
        f"To catch {detection:.0%} of the attacks put into this site's requests, {after:,} of "
        f"{_flows(count, 'ordinary request')} would be flagged; with the old model and a threshold moved to this site, "
        f"{before:,}."
    )


def alarms(rank: int, after: int, before: int, count: int) -> str:
    """False positives of the site."""
    what = "blocked" if rank == 2 else "flagged"
    return f"{after:,} of {_flows(count, 'ordinary request')} would be {what}; before it were {before:,}."


def elsewhere(before: int, after: int, count: int) -> str:
    """False positives on other sites."""
    return f"{after:,} of {_flows(count, 'harmless flow')} of other sites would be flagged; before it were {before:,}."


def caught(before: int, after: int, count: int, what: str, how: str = "flagged") -> str:
    """Detection."""
    return f"{after:,} of {count:,} {what} are {how}; before it were {before:,}."


def there(here: int, count: int, elsewhere: int, others: int) -> str:
    """Attacks in reported requests and in others."""
    return (
        f"{here:,} of {count:,} attacks in requests like the reported ones are flagged; in other requests "
        f"{elsewhere:,} of {others:,}."
    )


def slower(ratio: float) -> str:
    """Latency."""
    return f"Judging a flow takes {ratio:.2f} times as long as before."


def _flows(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _must(limit: float) -> str:
    return "" if limit >= 1.0 else f" ({limit:.0%} must)"
