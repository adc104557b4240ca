"""How a proxy takes leave of its clients: each gets its answer, and is told to come back by another connection.

A connection closed between two requests may meet the next request on its way, and that one is lost. So it is the answer
that says `Connection: close` (RFC 9112 §9.6), and mitmproxy closes after it. HTTP/2 has no such header (RFC 9113
§8.2.2): its connections end when their clients let go of them, or at the deadline.
"""

from mitmproxy.http import HTTPFlow


class Parting:
    """A mitmproxy addon, added when the end has come."""

    name = "sluice-parting"

    def responseheaders(self, flow: HTTPFlow) -> None:
        """An answer of the origin's; its head may leave before its body is there."""
        answer = flow.response
        if answer is not None and answer.status_code != 101 and flow.request.http_version.startswith("HTTP/1"):
            answer.headers["Connection"] = "close"

    response = responseheaders
    """An answer of our own has no other hook."""
