"""A decision put into effect: the only writer to a flow.

A blocked request is answered with 403 and `X-Sluice-Event`: a page for browsers, JSON for programs that prefer it, else
a line of text. The page carries nothing of the request but the site's name, escaped.
"""

import html
import json
from typing import Final, Literal

from mitmproxy.http import HTTPFlow, Response

from classifier.records import HARMLESS, Label
from proxy.core import ANSWERED
from proxy.policy import Decision

Format = Literal["html", "json", "text"]

MEANING: Final[dict[Label, str]] = {
    Label.SQLI: "it looks like an attempt to manipulate a database",
    Label.XSS: "it carries a script that could act in your name",
    Label.PATH_TRAVERSAL: "it looks like an attempt to read files it should not",
    Label.COMMAND_INJECTION: "it looks like an attempt to run commands on a server",
    Label.SSRF_XXE: "it looks like an attempt to misuse a server as a go-between",
    Label.PHISHING: "it looks like a page made to steal passwords",
    Label.MALWARE: "it looks like harmful software",
    Label.C2: "it looks like a program talking to whoever controls it",
    Label.DGA: "its address looks machine-made, as harmful software uses them",
    Label.EXFILTRATION: "it looks like data being carried out unseen",
    Label.CRYPTOMINING: "it looks like mining of digital money on this computer",
}
_TYPES: Final[dict[Format, str]] = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Blocked</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 12vh auto; padding: 0 1.25rem }}
h1 {{ font-size: 1.7rem; line-height: 1.25 }}
code {{ font-size: 1em; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>This was blocked to protect you</h1>
<p>Your network&rsquo;s filter stopped this request to <strong>{site}</strong> because {why}.</p>
<p>If you think this is a mistake, send your administrator this number:</p>
<p><code>{event}</code></p>
</main>
</body>
</html>
"""


def apply(flow: HTTPFlow, decision: Decision) -> bool:
    """Replace the flow's response by a block where the decision says so; whether it did."""
    if not decision.blocks:
        return False
    flow.request.stream = False
    flow.metadata[ANSWERED] = True
    flow.response = block(flow.request.headers.get("accept", ""), flow.request.host, decision)
    return True


def block(accept: str, site: str, decision: Decision) -> Response:
    """The answer to a blocked request, in the format that `accept` asks for."""
    chosen = preferred(accept)
    fields = {
        "Content-Type": _TYPES[chosen],
        "X-Sluice-Event": decision.event,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response.make(403, _content(chosen, site, decision), fields)


def preferred(accept: str) -> Format:
    """HTML or JSON, whichever an Accept header names with more weight (RFC 9110 §12.5.1), else text."""
    weights: dict[Format, tuple[float, int]] = {}
    for position, part in enumerate(accept.lower().split(",")[:32]):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        chosen = _format(media)
        if chosen and (weight := _weight(parameters)) > 0:
            weights.setdefault(chosen, (weight, -position))
    return max(weights, key=weights.__getitem__) if weights else "text"


def stream(flow: HTTPFlow, phase: Literal["request", "response"]) -> "Meter":
    """Let the body pass as it comes, counted."""
    meter = Meter()
    message = flow.request if phase == "request" else flow.response
    assert message is not None
    message.stream = meter
    return meter


class Meter:
    """Counts the bytes of a body that passes."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, data: bytes) -> bytes:
        """Let `data` pass."""
        self.bytes += len(data)
        return data


def _content(chosen: Format, site: str, decision: Decision) -> str:
    if chosen == "json":
        fields = {"event": decision.event, "label": decision.label, "reason": decision.reason}
        return json.dumps({"blocked": True, **fields}) + "\n"
    why = _why(decision)
    if chosen == "html":
        return _PAGE.format(site=html.escape(site), why=html.escape(why), event=html.escape(decision.event))
    return f"Blocked by the network's filter because {why}.\nEvent: {decision.event}\n"


def _why(decision: Decision) -> str:
    if decision.rule or decision.label is None or decision.label in HARMLESS:
        judged = not decision.reason.startswith("not judged")
        return "a rule of your network does not allow it" if judged else "it could not be checked"
    return MEANING[decision.label]


def _format(media: str) -> Format | None:
    if media in ("text/html", "application/xhtml+xml"):
        return "html"
    return "json" if media == "application/json" or media.endswith("+json") else None


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
