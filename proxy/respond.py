"""A decision put into effect: the only writer to a flow.

A blocked request is answered with 403 and `X-Sluice-Event`: a page for browsers (`proxy.page`, in the language that
they ask for), JSON for programs that prefer it, else a line of text.
"""

import json
from typing import Final, Literal

from mitmproxy.http import HTTPFlow, Response

from classifier.records import HARMLESS
from proxy import page
from proxy.observe import site
from proxy.page import NO_OFFERS, Offers
from proxy.patches import ANSWERED
from proxy.policy import UNJUDGED, Decision
from proxy.wording import Wording, spoken

Format = Literal["html", "json", "text"]

_TYPES: Final[dict[Format, str]] = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
}
_SEEN: Final[dict[Format, str]] = {"html": "a block page", "json": "a block as JSON", "text": "a block as plain text"}


def apply(flow: HTTPFlow, decision: Decision, offers: Offers = NO_OFFERS) -> str:
    """Replace the flow's response by a block where the decision says so; what the user sees then, else nothing."""
    if not decision.blocks:
        return ""
    accept, language = (flow.request.headers.get(name, "") for name in ("accept", "accept-language"))
    answer(flow, block(accept, site(flow), decision, language=language, offers=offers))
    if flow.request.data.method == b"CONNECT":
        return "a refused connection"
    return f"{_SEEN[preferred(accept)]} ({spoken(language).language})"


def answer(flow: HTTPFlow, response: Response) -> None:
    """Answer a flow in the origin's place."""
    flow.request.stream = False
    flow.metadata[ANSWERED] = True
    flow.response = response


def block(accept: str, site: str, decision: Decision, *, language: str = "", offers: Offers = NO_OFFERS) -> Response:
    """The answer to a blocked request, in the format that `accept` and the language that `language` asks for."""
    chosen, words = preferred(accept), spoken(language)
    return _response(403, chosen, words, _content(chosen, words, site, decision, offers), decision.event)


def note(accept: str, language: str, status: int, name: str) -> Response:
    """The answer to a button of the block page: the sentence called `name` (see `Wording`)."""
    chosen, words = preferred(accept), spoken(language)
    heading, sentence = getattr(words, name)
    if chosen == "json":
        content = json.dumps({"result": name, "detail": sentence}) + "\n"
    else:
        content = page.note(words, heading, sentence) if chosen == "html" else f"{heading}. {sentence}\n"
    return _response(status, chosen, words, content)


def redirect(location: str) -> Response:
    """Send the client to `location` with GET."""
    return Response.make(303, b"", {"Location": location, "Cache-Control": "no-store"})


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


def _response(status: int, chosen: Format, words: Wording, content: str, event: str = "") -> Response:
    fields = {
        "Content-Type": _TYPES[chosen],
        "Cache-Control": "no-store",
        "Vary": "Accept, Accept-Language",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": page.POLICY,
        "Referrer-Policy": "no-referrer",
    }
    if chosen != "json":
        fields["Content-Language"] = words.language
    if event:
        fields["X-Sluice-Event"] = event
    return Response.make(status, content, fields)


def _content(chosen: Format, words: Wording, site: str, decision: Decision, offers: Offers) -> str:
    if chosen == "json":
        fields = {"event": decision.event, "label": decision.label, "reason": decision.reason}
        return json.dumps({"blocked": True, **fields}) + "\n"
    why, kind = _why(words, decision)
    if chosen == "html":
        return page.blocked(words, site=site, why=why, kind=kind, event=decision.event, offers=offers)
    return words.plain.format(why=why, event=decision.event)


def _why(words: Wording, decision: Decision) -> tuple[str, str]:
    """The reason as a clause and as a word."""
    if decision.reason.startswith(UNJUDGED):
        return words.unchecked, words.nothing
    if decision.rule or decision.label is None or decision.label in HARMLESS:
        return words.rule, words.ruled
    return words.meaning[decision.label], words.name[decision.label]


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
