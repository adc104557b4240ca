"""What the proxy itself answers: `sluice.internal`, and its own address when somebody opens it like a web site.

    http(s)://sluice.internal/…     a client that is filtered; https shows that it trusts the certificate
    http://PROXY:8080/…             one that is not yet: the setup page, the certificate, the PAC file

A mitmproxy addon that stands before the filter: what it answers is public and is not judged. A request for the proxy's
own address would otherwise go round in circles.
"""

from typing import Final

from mitmproxy.http import Headers, HTTPFlow, Response
from mitmproxy.tls import ClientHelloData

from proxy.console import onboard, view
from proxy.console.guard import POLICY
from proxy.console.onboard import NAME, File
from proxy.console.status import Status
from proxy.observe import UNASKED
from proxy.rehearsal import Rehearsal

_HTML: Final = "text/html; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"


class Portal:
    """Answers for the proxy that `status` tells of."""

    name = "sluice-portal"

    def __init__(self, status: Status, rehearsal: Rehearsal | None = None) -> None:
        self.status, self.rehearsal = status, rehearsal

    def http_connect(self, flow: HTTPFlow) -> None:
        """A tunnel to the reserved name: there is no server to reach first."""
        if flow.request.host == NAME:
            version = flow.request.data.http_version
            flow.response = Response(version, 200, b"Connection established", Headers(), b"", None, 0.0, 0.0)

    def tls_clienthello(self, data: ClientHelloData) -> None:
        """Nobody else is asked for a certificate."""
        if data.client_hello.sni == NAME:
            data.establish_server_tls_first = False

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Answer before the body has come, unless the proxy tries itself."""
        host = flow.request.host_header or ""
        if flow.request.pretty_host == NAME and self.rehearsal is not None and self.rehearsal.admits(flow):
            return
        if flow.request.pretty_host == NAME or _origin_form(flow) or self._from_us(flow):
            flow.response = self._answer(flow, host)

    def _from_us(self, flow: HTTPFlow) -> bool:
        """Whether the proxy asked itself: by a name of its own that `_origin_form` could not tell from another's."""
        client = flow.client_conn.peername
        return client is not None and (client[0], client[1]) in self.status.outgoing

    def _answer(self, flow: HTTPFlow, host: str) -> Response:
        if flow.request.method not in ("GET", "HEAD"):
            return _response(File(_TEXT, b"Only GET.\n"), 405)
        path = flow.request.path.partition("?")[0]
        found = self._find(path, host, flow.request.scheme)
        return _response(found) if found else _response(File(_TEXT, b"Nothing here.\n"), 404)

    def _find(self, path: str, host: str, scheme: str) -> File | None:
        if path in ("/", "/setup"):
            return File(_HTML, onboard.setup(self.status, host, console=False).encode())
        if path == "/check":
            return onboard.check(scheme)
        if path.startswith("/static/"):
            found = view.static(path.removeprefix("/static/"))
            return File(found[1], found[0]) if found else None
        return onboard.file(path, self.status, host)


def _origin_form(flow: HTTPFlow) -> bool:
    """Whether the proxy was asked as if it were a web server: for the very address that the client is connected to.

    (mitmproxy has turned `GET http://a.example/` into `GET /` by now, so the form of the request tells nothing.)
    """
    if flow.client_conn.proxy_mode.type_name in UNASKED:  # there the client's target takes the place of our address
        return False
    host, port = flow.client_conn.sockname[:2] if flow.client_conn.sockname else ("", 0)
    own = (host, "localhost") if host.startswith("127.") or host == "::1" else (host,)
    asked = flow.request
    return asked.scheme == "http" and asked.port == port and asked.host in own and not flow.client_conn.tls_established


def _response(found: File, code: int = 200) -> Response:
    headers = {
        "Content-Type": found.kind,
        "Cache-Control": "no-store",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
        **found.headers,
    }
    return Response.make(code, found.content, headers)
