"""How clients are sent away: with an answer that says so."""

import pytest
from mitmproxy.test import tflow

from proxy.parting import Parting


@pytest.mark.parametrize(
    ("version", "status", "said"),
    [("HTTP/1.1", 200, "close"), ("HTTP/1.0", 404, "close"), ("HTTP/2.0", 200, None), ("HTTP/1.1", 101, None)],
)
def test_an_answer_over_http_1_says_that_the_connection_ends(version: str, status: int, said: str | None) -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.request.http_version, flow.response.status_code = version, status
    Parting().responseheaders(flow)
    assert flow.response.headers.get("connection") == said
