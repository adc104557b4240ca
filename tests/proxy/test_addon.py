"""The filter in the real proxy, between real clients and a real origin."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from mitmproxy.test.tflow import tflow
from prometheus_client import CollectorRegistry
from websockets.sync.client import connect

from classifier.journal import Journal
from classifier.store import CaptureRow, CaptureWriter, read
from harness import Proxy
from inside import make_filter, make_judge
from origin import Origin
from proxy.addon import KEY

ATTACK = "?q='+or+1=1"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(params=["plain", "tls"])
def site(request: pytest.FixtureRequest, origin: Origin) -> str:
    address: str = getattr(origin, request.param)
    return address


def test_a_harmless_request_passes(enforcing: Proxy, site: str) -> None:
    with enforcing.client() as client:
        reply = client.post(f"{site}/search", content=b"x" * 1000)
    assert (reply.status_code, reply.text) == (200, "POST /search 1000")


def test_an_attack_never_reaches_the_origin(enforcing: Proxy, origin: Origin, site: str) -> None:
    with enforcing.client() as client:
        reply = client.get(f"{site}/never{ATTACK}", headers=BROWSER)
    assert reply.status_code == 403
    assert "/never" not in origin.paths()
    event = Journal(enforcing.state / "sluice.db").find(reply.headers["x-sluice-event"])
    assert event is not None
    assert (event.action, event.enforced, event.record.path.split("?")[0]) == ("block", True, "/never")
    assert event.id in reply.text


def test_an_attack_in_a_body_is_blocked(enforcing: Proxy, origin: Origin, site: str) -> None:
    with enforcing.client() as client:
        reply = client.post(f"{site}/login", content=b"user=' or 1=1")
    assert reply.status_code == 403
    assert "/login" not in origin.paths()


def test_a_bad_response_is_replaced(enforcing: Proxy, site: str) -> None:
    with enforcing.client() as client:
        reply = client.get(f"{site}/page?say=QUOTE", headers={"Accept": "application/json"})
    assert reply.status_code == 403
    assert reply.json()["blocked"] is True
    assert reply.json().keys() == {"blocked", "event", "label", "reason"}


def test_a_connection_goes_on_after_a_block(enforcing: Proxy, site: str) -> None:
    with enforcing.client() as client:
        codes = [client.get(f"{site}/a{query}").status_code for query in ("", ATTACK, "", ATTACK, "")]
    assert codes == [200, 403, 200, 403, 200]


def test_a_connect_is_refused_with_a_403(enforcing: Proxy) -> None:
    host, port = urlsplit(enforcing.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"CONNECT blocked.invalid:443 HTTP/1.1\r\nHost: blocked.invalid:443\r\n\r\n")
        head = connection.recv(65536).decode()
    assert head.startswith("HTTP/1.1 403")
    assert "x-sluice-event: " in head.lower()


def test_a_server_name_is_refused_with_a_page_inside_the_tunnel(enforcing: Proxy, origin: Origin) -> None:
    with tunnel(enforcing, origin, "hidden.invalid") as connection:
        connection.sendall(b"GET /hidden HTTP/1.1\r\nHost: hidden.invalid\r\nAccept: text/html\r\n\r\n")
        reply = connection.recv(65536).decode()
        while "</html>" not in reply and (more := connection.recv(65536)):
            reply += more.decode()
    assert reply.startswith("HTTP/1.1 403")
    assert "a rule of your network" in reply
    assert "/hidden" not in origin.paths()


def test_http_2_passes_on_both_sides(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client(http2=True) as client:
        good, bad = client.get(f"{origin.h2}/fine"), client.get(f"{origin.h2}/x{ATTACK}")
        again = client.get(f"{origin.h2}/again")
    assert (good.http_version, good.text) == ("HTTP/2", "h2 /fine")
    assert (bad.status_code, again.text) == (403, "h2 /again")


def test_a_long_http_2_upload_streams_whole(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client(http2=True) as client:
        assert client.put(f"{origin.h2}/up", content=pieces(b"x" * 100_000, 30)).text == "h2 /up"
        assert client.put(f"{origin.h2}/up{ATTACK}", content=pieces(b"x" * 100_000, 30)).status_code == 403


def test_the_admin_port_cannot_be_reached_through_the_proxy(enforcing: Proxy) -> None:
    address = urlsplit(enforcing.admin)
    with enforcing.client() as client:
        for host in ("127.0.0.1", "localhost"):
            reply = client.post(f"http://{host}:{address.port}/-/reload")
            assert (reply.status_code, reply.text) == (403, "Not through the proxy.\n")
    assert httpx.post(f"{enforcing.admin}/-/reload", trust_env=False).status_code == 200


def test_websocket_messages_pass_and_are_counted(enforcing: Proxy, origin: Origin) -> None:
    before = enforcing.metric("sluice_uninspected_flows_total", reason="websocket")
    for scheme, site in (("ws", origin.plain), ("wss", origin.tls)):
        address = f"{scheme}://{urlsplit(site).netloc}/ws"
        context = enforcing.context() if scheme == "wss" else None
        with connect(address, proxy=enforcing.url, ssl=context) as talk:
            for word in ("one", "two", "' or 1=1"):
                talk.send(word)
                assert talk.recv(10) == f"echo {word}"
    assert enforcing.metric("sluice_uninspected_flows_total", reason="websocket") == before + 2


def test_a_server_that_is_not_to_be_decrypted_shows_its_own_certificate(enforcing: Proxy, origin: Origin) -> None:
    before = enforcing.metric("sluice_uninspected_flows_total", reason="do_not_decrypt")
    with enforcing.client() as client:
        reply = client.get(f"https://localhost:{urlsplit(origin.tls).port}/private{ATTACK}")
    assert reply.status_code == 200
    assert enforcing.metric("sluice_uninspected_flows_total", reason="do_not_decrypt") == before + 1
    enforcing.wait_metric("sluice_flows_closed_total", 1, coverage="none")


def test_an_exception_lets_a_known_false_alarm_pass(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client() as client:
        assert client.get(f"{origin.plain}/allowed{ATTACK}").status_code == 200


def test_monitor_decides_the_same_and_stops_nothing(enforcing: Proxy, watching: Proxy, origin: Origin) -> None:
    events = []
    for proxy in (enforcing, watching):
        with proxy.client() as client:
            replies = [client.get(f"{origin.plain}/same{query}") for query in ("", ATTACK, "?say=hello")]
        events.append([e for e in Journal(proxy.state / "sluice.db").events() if e.record.path.startswith("/same")])
        assert [reply.status_code for reply in replies] == ([200, 403, 200] if proxy is enforcing else [200] * 3)
    (one,), (other, *_) = events[0], [e for e in events[1] if e.record.phase == "request"]
    assert (one.action, one.reason, one.verdict) == (other.action, other.reason, other.verdict)
    assert (one.enforced, other.enforced) == (True, False)
    assert watching.metric("sluice_flows_total", action="block", enforced="false", phase="request") >= 1
    assert watching.metric("sluice_flows_total", enforced="true") == 0


def test_server_sent_events_arrive_as_they_are_sent(enforcing: Proxy, origin: Origin, site: str) -> None:
    origin.release.clear()
    with enforcing.client() as client, client.stream("GET", f"{site}/sse") as reply:
        parts = reply.iter_raw()
        assert next(parts) == b"data: first\n\n"
        origin.release.set()
        assert next(parts) == b"data: second\n\n"
    assert enforcing.wait_metric("sluice_uninspected_bytes_total", 26, reason="streamed") >= 26


@pytest.mark.parametrize("query", ["say=0123456789abcdef&times=200000&length=1", "say=0123456789abcdef&times=200000"])
def test_a_long_response_streams_whole(enforcing: Proxy, origin: Origin, query: str) -> None:
    before = enforcing.metric("sluice_failures_total", cause="streamed")
    with enforcing.client() as client:
        reply = client.get(f"{origin.plain}/page?{query}")
    assert reply.text == "0123456789abcdef" * 200000
    assert enforcing.metric("sluice_failures_total", cause="streamed") == before + 1


@pytest.mark.parametrize("announced", [True, False])
def test_a_long_upload_streams_whole(enforcing: Proxy, site: str, announced: bool) -> None:
    before = enforcing.metric("sluice_failures_total", cause="oversized")
    with enforcing.client() as client:
        reply = client.put(f"{site}/upload", content=b"x" * 3_000_000 if announced else pieces(b"x" * 100_000, 30))
    assert (reply.status_code, reply.text) == (200, "PUT /upload 3000000")
    assert enforcing.metric("sluice_failures_total", cause="oversized") == before + 1
    assert enforcing.wait_metric("sluice_uninspected_bytes_total", 3_000_000, reason="oversized") >= 3_000_000


@pytest.mark.parametrize("announced", [True, False])
def test_a_long_upload_with_an_attack_in_its_head_is_blocked(
    enforcing: Proxy, origin: Origin, site: str, announced: bool
) -> None:
    with enforcing.client() as client:
        content = b"x" * 3_000_000 if announced else pieces(b"x" * 100_000, 30)
        reply = client.put(f"{site}/stopped{ATTACK}", content=content)
        assert client.get(f"{site}/after").status_code == 200
    assert reply.status_code == 403
    assert "/stopped" not in origin.paths()


@pytest.mark.parametrize("announced", [True, False])
def test_a_policy_can_refuse_what_is_too_long_to_judge(strict: Proxy, origin: Origin, announced: bool) -> None:
    with strict.client() as client:
        content = b"x" * 3_000_000 if announced else pieces(b"x" * 100_000, 30)
        upload = client.put(f"{origin.plain}/too-long", content=content)
        length = "&length=1" if announced else ""
        download = client.get(f"{origin.plain}/page?say=0123456789abcdef&times=200000{length}")
        after = client.get(f"{origin.plain}/after")
    assert (upload.status_code, download.status_code, after.status_code) == (403, 403, 200)
    assert "not judged (oversized)" in journal_reasons(strict)
    assert "not judged (streamed)" in journal_reasons(strict)


def test_a_refused_endless_response_is_answered_at_once(strict: Proxy, origin: Origin) -> None:
    origin.release.clear()
    with strict.client() as client:
        assert client.get(f"{origin.plain}/sse").status_code == 403
        assert client.get(f"{origin.plain}/after").status_code == 200
    origin.release.set()


def test_a_model_that_fails_on_a_flow_is_the_policys_to_decide(
    enforcing: Proxy, strict: Proxy, watching: Proxy, origin: Origin
) -> None:
    for proxy, code in ((enforcing, 200), (strict, 403), (watching, 200)):
        before = proxy.metric("sluice_failures_total", cause="nan")
        with proxy.client() as client:
            assert client.get(f"{origin.plain}/poison?q=~~~~~~~~~~~~").status_code == code
        assert proxy.metric("sluice_failures_total", cause="nan") > before
    event = Journal(watching.state / "sluice.db").events(limit=50)
    assert any(e.reason == "not judged (nan)" and not e.enforced and e.verdict is None for e in event)


def test_the_block_page_reflects_nothing_unescaped(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client() as client:
        reply = client.get(f"{origin.plain}/<script>alert('1')</script>", headers=BROWSER)
    assert reply.status_code == 403
    assert "<script>" not in reply.text


def test_every_flow_is_counted_and_captured_once(enforcing: Proxy, origin: Origin) -> None:
    before = enforcing.metric("sluice_flows_closed_total")
    marks = [f"/once-{number}" for number in range(20)]
    with enforcing.client() as client:
        for number, mark in enumerate(marks):
            client.get(f"{origin.plain}{mark}{ATTACK if number % 4 == 0 else ''}")
    assert enforcing.metric("sluice_flows_closed_total") == before + 20
    deadline = time.monotonic() + 20
    rows: list[CaptureRow] = []
    while len(rows) < 20 and time.monotonic() < deadline:
        rows = [row for row in read(enforcing.state / "captures") if row.record.path.split("?")[0] in marks]
        time.sleep(0.2)
    assert sorted(row.record.path.split("?")[0] for row in rows) == sorted(marks)
    assert sum(row.action == "block" for row in rows) == 5
    assert all(("request" in row.verdicts) and row.release for row in rows)
    assert all("response" in row.verdicts for row in rows if row.action == "allow")


def test_a_broken_request_or_origin_does_not_harm_others(enforcing: Proxy, origin: Origin) -> None:
    host, port = urlsplit(enforcing.url).netloc.split(":")
    for raw in (
        b"\x00\xff\xfe\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST http://x/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
    with enforcing.client() as client:
        assert client.get("http://127.0.0.1:1/nobody").status_code == 502
        assert client.get(f"{origin.plain}/fine").status_code == 200
    assert "Traceback" not in enforcing.log()


def test_a_client_that_does_not_trust_the_proxy_is_counted(enforcing: Proxy, origin: Origin) -> None:
    before = enforcing.metric("sluice_uninspected_flows_total", reason="tls_failed")
    stranger = httpx.Client(proxy=enforcing.url, verify=ssl.create_default_context(), trust_env=False)
    with stranger, pytest.raises(httpx.ConnectError):
        stranger.get(f"{origin.tls}/")
    enforcing.wait_metric("sluice_uninspected_flows_total", before + 1, reason="tls_failed")


def test_many_clients_at_once_each_get_their_own_answer(enforcing: Proxy, origin: Origin) -> None:
    wrong: list[str] = []

    def ask(worker: int) -> None:
        with enforcing.client() as client:
            for number in range(20):
                mark = f"/w{worker}-{number}"
                bad = number % 5 == 0
                reply = client.get(f"{origin.plain}{mark}{ATTACK if bad else ''}")
                if reply.status_code != (403 if bad else 200) or (not bad and mark not in reply.text):
                    wrong.append(mark)

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(("on_failure", "code"), [({}, None), ({"exception": "block"}, 403)])
def test_a_hook_that_fails_is_the_policys_to_decide(
    tmp_path: Path, on_failure: dict[str, str], code: int | None
) -> None:
    registry = CollectorRegistry()
    judge = make_judge(tmp_path, registry=registry, on_failure=on_failure)
    captures = CaptureWriter(tmp_path / "captures", worker="0", max_age=1e6, max_bytes=10**9)
    addon = make_filter(judge, captures)
    flow = tflow(resp=False)
    flow.metadata[KEY] = "not a trace"
    addon.request(flow)
    captures.close()
    assert (flow.response and flow.response.status_code) == code
    assert registry.get_sample_value("sluice_failures_total", {"cause": "exception"}) == 1
    assert registry.get_sample_value(
        "sluice_flows_total",
        {"phase": "request", "label": "unknown", "action": "block" if code else "allow", "enforced": "true"},
    )


@contextlib.contextmanager
def tunnel(proxy: Proxy, origin: Origin, sni: str) -> Iterator[ssl.SSLSocket]:
    """TLS through CONNECT, with a server name of the client's choice."""
    host, port = urlsplit(proxy.url).netloc.split(":")
    goal = urlsplit(origin.tls).netloc
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"CONNECT {goal} HTTP/1.1\r\nHost: {goal}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        with proxy.context().wrap_socket(connection, server_hostname=sni) as wrapped:
            yield wrapped


def pieces(part: bytes, times: int) -> Iterator[bytes]:
    """A body of unannounced length."""
    for _ in range(times):
        yield part


def journal_reasons(proxy: Proxy) -> set[str]:
    return {event.reason for event in Journal(proxy.state / "sluice.db").events(limit=200)}


def test_json_of_a_block_names_label_and_reason(enforcing: Proxy, origin: Origin) -> None:
    with enforcing.client() as client:
        reply = client.get(f"{origin.plain}/j{ATTACK}", headers={"Accept": "application/json, text/html;q=0.5"})
    body = json.loads(reply.text)
    assert body["label"] == "sqli"
    assert "threshold" in body["reason"]
    assert body["event"] == reply.headers["x-sluice-event"]
