"""What the proxy answers for itself, asked through a real one; nothing of it goes further or is judged."""

import socket

import httpx
import pytest

from harness import Proxy
from origin import Origin


@pytest.mark.parametrize(("scheme", "trusted"), [("http", False), ("https", True)])
def test_a_filtered_client_learns_that_it_is(enforcing: Proxy, scheme: str, trusted: bool) -> None:
    with enforcing.client() as client:
        answer = client.get(f"{scheme}://sluice.internal/check")
    assert answer.json() == {"filtered": True, "certificate": trusted}
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("base", ["http://sluice.internal", "https://sluice.internal", "direct"])
def test_the_setup_page_and_its_files(enforcing: Proxy, base: str) -> None:
    with httpx.Client(trust_env=False) if base == "direct" else enforcing.client() as client:
        place = enforcing.url if base == "direct" else base
        page = client.get(f"{place}/")
        assert "Set up a client" in page.text and "default-src 'none'" in page.headers["content-security-policy"]
        assert client.get(f"{place}/ca.pem").content == enforcing.ca.read_bytes()
        assert enforcing.url.removeprefix("http://") in client.get(f"{place}/proxy.pac").text
        assert client.get(f"{place}/static/style.css").headers["content-type"].startswith("text/css")
        assert client.get(f"{place}/static/nothing.css").status_code == 404
        assert client.get(f"{place}/metrics").status_code == 404
        assert client.get(f"{place}/login").status_code == 404
        assert client.post(f"{place}/", content=b"x" * 3_000_000).status_code == 405


def test_a_request_for_the_proxy_itself_goes_no_further(enforcing: Proxy) -> None:
    """Sent on it would come back for ever."""
    host, _, port = enforcing.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET /x HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("name", ["localhost", "127.1"])
def test_the_proxy_knows_itself_by_its_other_names(enforcing: Proxy, name: str) -> None:
    """One that it cannot tell from another machine's it learns by asking itself."""
    port = enforcing.url.rpartition(":")[2]
    answer = httpx.get(f"{enforcing.url}/check", headers={"Host": f"{name}:{port}"}, trust_env=False)
    assert answer.json() == {"filtered": True, "certificate": False}


def test_other_sites_are_none_of_its_business(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client() as client:
        for site in (origin.plain, origin.tls):
            assert client.get(f"{site}/check").text == "GET /check 0"
            assert client.get(f"{site}/proxy.pac", headers={"Host": "sluice.example"}).text == "GET /proxy.pac 0"


def test_what_the_proxy_answers_is_not_judged(enforcing: Proxy) -> None:
    before = enforcing.metric("sluice_flows_total", phase="request")
    with enforcing.client() as client:
        assert client.get("http://sluice.internal/check?q=%27%27%27").status_code == 200
    assert enforcing.metric("sluice_flows_total", phase="request") == before
