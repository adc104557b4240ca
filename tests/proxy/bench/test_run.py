"""A variant that does not do its work yields no figures. (One that does: test_commands.)"""

import sys

import pytest

from classifier.errors import UserError
from proxy.bench import run, servers
from proxy.bench.run import Plan
from proxy.bench.servers import Place

REFUSING = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(204 if self.path.endswith("/collect") else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def refusing(place: Place) -> list[str]:
    """A proxy that is quick to answer, because it passes nothing on."""
    return [sys.executable, "-c", REFUSING, str(place.port)]


def test_quick_refusals_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "VARIANTS", {"stock": refusing})
    said: list[str] = []
    with pytest.raises(
        UserError, match=r"stock does not answer as the origin does: status 403 instead of \d+"
    ) as raised:
        run.measure(Plan(rounds=1, seconds=0.2, connections=2, releases=None), said.append)
    assert raised.value.exit_code == 1
    assert said == ["starting", "round 1, stock"]
