"""What things are called on a page: administrators of a school or company network read it, not the authors."""

import re
import time
from datetime import UTC, datetime
from typing import Final

from classifier.records import LABELS as KNOWN
from classifier.records import Label
from proxy.wording import ENGLISH

LABELS: Final[dict[Label, str]] = {
    Label.BENIGN: "harmless",
    Label.TRACKER: "tracker",
    Label.SCANNER: "scanner",
    **ENGLISH.name,
}
"""As the block page calls them."""
REASONS: Final[dict[str, tuple[str, str]]] = {
    "do_not_decrypt": ("Left encrypted on your wish", "Sites on your do-not-decrypt list."),
    "tls_failed": (
        "Certificate not accepted",
        "A client that does not trust the certificate yet.",
    ),
    "pinned": ("Apps that pin their certificate", "Passed unread because they refuse any other certificate."),
    "websocket": ("Live connections", "Messages inside WebSockets."),
    "tcp": ("Not web traffic", "Something else than HTTP inside a tunnel."),
    "oversized": ("Large uploads", "The beginning was checked, the rest passed."),
    "streamed": ("Large or live downloads", "The beginning was checked, the rest passed."),
    "body_cap": ("Long requests", "What lies beyond the part that is checked."),
    "failure": ("Could not be checked", "The filter failed on them; see the log."),
}
GATES: Final[dict[str, str]] = {
    "reported": "False alarms you reported pass now",
    "missed": "Attacks you reported are noticed now",
    "site_quality": "Your traffic is told apart at least as well",
    "site_detection": "Attacks on your sites are still noticed",
    "reported_detection": "Attacks inside the reported requests are still noticed",
    "site_flagged": "Little harmless traffic of yours is flagged",
    "site_blocked": "Almost no harmless traffic of yours is blocked",
    "base_auroc": "General skill is kept",
    "base_flagged": "Attacks elsewhere are still flagged",
    "base_blocked": "Attacks elsewhere are still blocked",
    "base_alarms": "No more false alarms elsewhere",
    "sentinels": "Known attacks are all caught",
    "influence": "No single computer taught too much",
    "latency": "As fast as before",
}

_REACHED: Final = re.compile(r"(\w+) ([\d.e-]+) reaches the (flag|block) threshold ([\d.e-]+)(?: \((.+)\))?")
"""As `classifier.thresholds` words it."""


def label(name: str | None) -> str:
    """A label."""
    return LABELS[Label(name)] if name in KNOWN else (name or "not judged").replace("_", " ")


def action(name: str, enforced: bool) -> str:
    """What happened."""
    if name == "block":
        return "blocked" if enforced else "would be blocked"
    return {"allow": "passed", "flag": "flagged"}.get(name, name)


def gate(name: str) -> str:
    """What a gate asks."""
    return GATES.get(name) or name.replace("_", " ").capitalize()


def reason(name: str) -> tuple[str, str]:
    """Why something was not inspected: a few words and a sentence."""
    return REASONS.get(name) or (name.replace("_", " ").capitalize(), "")


def why(reason: str) -> str:
    """The reason of a decision, where the model took it, in words."""
    found = _REACHED.fullmatch(reason)
    if not found:
        return reason[:1].upper() + reason[1:]
    what, score, act, limit, lists = found.groups()
    sure = "that this is harmful" if what == "threat" else f"that this is {label(what)}"
    counted = f" {lists[:1].upper()}{lists[1:]}." if lists else ""
    return f"The filter is {percent(float(score))} sure {sure}; it {act}s from {percent(float(limit))}.{counted}"


def ago(moment: float, now: float | None = None) -> str:
    """How long since Unix seconds `moment`."""
    gone = max(0, int((time.time() if now is None else now) - moment))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if gone >= size:
            count = gone // size
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def when(moment: float) -> str:
    """Unix seconds as a date and time, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(moment: float) -> str:
    """Unix seconds as a time of day, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M")


def acted(name: str) -> str:
    """What a policy does, as a state: of a comparison, in which nothing was enforced."""
    return action(name, enforced=True)


def percent(share: float) -> str:
    """A share 0 to 1; small ones keep a digit that counts."""
    if share and share < 0.001:
        return "under 0.1\N{NO-BREAK SPACE}%"
    return f"{share * 100:.1f}".removesuffix(".0") + "\N{NO-BREAK SPACE}%"


def count(number: float) -> str:
    """A number with thousands apart."""
    return f"{int(number):,}"
