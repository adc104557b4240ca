"""What was made faster in mitmproxy still answers as stock mitmdump does: the same traffic through both, compared.

Both run in processes of their own; `RAW` says what a client sends and what the origin answers, byte for byte.
"""

import contextlib
import inspect
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mitmproxy import hooks, http, version
from mitmproxy.net import check
from mitmproxy.net.http import url
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import mode_servers
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.test import tflow
from mitmproxy.utils import asyncio_utils
from websockets.sync.client import connect

from harness import free_port
from origin import Origin
from proxy import patches
from proxy.handler import Handler

CORE: Final = """
import asyncio, sys
from mitmproxy.options import Options
from proxy import core, patches
async def main(port, folder, trusted):
    patches.tune()
    master = core.Core(Options())
    master.options.update(
        listen_host="127.0.0.1", listen_port=int(port), confdir=folder, ssl_verify_upstream_trusted_ca=trusted
    )
    await master.run()
asyncio.run(main(*sys.argv[1:]))
"""
PATIENCE: Final = 2.0
GET: Final = b"GET http://ORIGIN/a?b=%41 HTTP/1.1\r\nHost: ORIGIN\r\nX-Odd:  two  spaces \r\n\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nEND"


@dataclass
class Raw:
    """A client sends `sent`; the origin answers with `answer` each time that a head has come; the client then reads.

    It reads until `until` has come as often as `times`, or until the proxy closes. `half`: the client says that it
    sends no more. Pieces are sent one after the other with a moment between them.
    """

    sent: list[bytes]
    answer: list[bytes] = field(default_factory=lambda: [OK])
    until: bytes = b"END"
    times: int = 1
    half: bool = False
    closes: bool = False
    reads: bytes = b"\r\n\r\n"


RAW: Final = {
    "get": Raw([GET]),
    "two requests on one connection": Raw([GET + GET], times=2),
    "slowly": Raw([GET[:5], GET[5:30], GET[30:]]),
    "post": Raw(
        [b"POST http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nContent-Length: 5\r\n\r\n", b"he", b"llo"], reads=b"llo"
    ),
    "chunked upload": Raw(
        [b"PUT http://ORIGIN/ HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"0\r\n\r\n"],
        reads=b"0\r\n\r\n",
    ),
    "upload with trailers": Raw(
        [
            b"PUT http://ORIGIN/ HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
        ],
        reads=b"0\r\n",
    ),
    "chunked answer": Raw(
        [GET], [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", b"c\r\n", b"3\r\nEND\r\n0\r\n\r\n"],
        until=b"END\r\n0\r\n\r\n",
    ),
    "answer with trailers": Raw(
        [GET], [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nEND\r\n0\r\nX-T: 1\r\n\r\n"]
    ),
    "continue": Raw(
        [b"POST http://ORIGIN/ HTTP/1.1\r\nHost: o\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"hi"],
        reads=b"hi",
    ),
    "the origin says continue": Raw([GET], [b"HTTP/1.1 100 Continue\r\n\r\n", OK], until=b"Continue\r\n\r\n"),
    "an early answer": Raw(
        [b"POST http://ORIGIN/ HTTP/1.1\r\nHost: o\r\nContent-Length: 9\r\n\r\n12345", b"6789"], [OK], reads=b"\r\n\r\n"
    ),
    "until the origin closes": Raw([GET], [b"HTTP/1.0 200 OK\r\n\r\nall there is, END"], closes=True),
    "no content": Raw([GET], [b"HTTP/1.1 204 No Content\r\nX: END\r\n\r\n"]),
    "not modified": Raw([GET], [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nX: END\r\n\r\n"]),
    "head": Raw([GET.replace(b"GET", b"HEAD", 1)], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: END\r\n\r\n"]),
    "half-closed": Raw([GET], half=True),
    "the origin closes early": Raw(
        [GET], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], closes=True, until=b"</html>"
    ),
    "the origin says nothing": Raw([GET], [], closes=True, until=b"</html>"),
    "the origin talks nonsense": Raw([GET], [b"nonsense\r\n\r\n"], until=b"</html>"),
    "two lengths": Raw(
        [GET], [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nEND"], until=b"</html>"
    ),
    "connection: close": Raw([GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")], until=b"never"),
    "http/1.0": Raw([b"GET http://ORIGIN/ HTTP/1.0\r\n\r\n"], until=b"never"),
    "http/0.9": Raw([b"GET http://ORIGIN/ HTTP/9\r\n\r\n"], until=b"</html>"),
    "no request": Raw([b"nonsense\r\n\r\n"], until=b"</html>"),
    "a bad host": Raw([b"GET http://a..b/ HTTP/1.1\r\n\r\n"], until=b"</html>"),
    "a bad port": Raw([b"GET http://a:99999/ HTTP/1.1\r\n\r\n"], until=b"</html>"),
    "a header without a name": Raw([b"GET http://ORIGIN/ HTTP/1.1\r\n: x\r\n\r\n"], until=b"</html>"),
    "both lengths": Raw(
        [b"POST http://ORIGIN/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        until=b"</html>",
    ),
    "origin form": Raw([b"GET / HTTP/1.1\r\nHost: ORIGIN\r\n\r\n"]),
    "nobody listens": Raw([b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: o\r\n\r\n"], until=b"</html>"),
    "a tunnel": Raw([b"CONNECT ORIGIN HTTP/1.1\r\nHost: ORIGIN\r\n\r\n", b"GET / HTTP/1.1\r\nHost: ORIGIN\r\n\r\n"]),
    "a tunnel to nobody": Raw([b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n"], until=b"connections."),
    "a long answer": Raw([GET], [b"HTTP/1.1 200 OK\r\nContent-Length: 300003\r\n\r\n", b"x" * 300_000, b"END"]),
    "an upgrade": Raw(
        [GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"), b"ping"],
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n", b"END"],
    ),
}  # fmt: skip


class Script:
    """An origin that answers as it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._listening.getsockname()[1]}".encode()
        self.case = Raw([])
        self.seen: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        case, seen, place = self.case, self.seen, len(self.seen)
        seen.append(b"")
        answered = 0
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                seen[place] += data
                while seen[place].count(case.reads) > answered:
                    answered += 1
                    for piece in case.answer:
                        connection.sendall(piece)
                        time.sleep(0.02)
                    if case.closes:
                        return


def exchange(port: int, script: Script, case: Raw) -> tuple[bytes, list[bytes]]:
    """What the client and the origin were sent."""
    script.case, script.seen = case, []
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client,
        contextlib.suppress(ConnectionError, TimeoutError),
    ):
        for piece in case.sent:
            client.sendall(piece.replace(b"ORIGIN", script.authority))
            time.sleep(0.05)
        if case.half:
            client.shutdown(socket.SHUT_WR)
        while received.count(case.until) < case.times and (data := client.recv(65536)):
            received += data
    return received, script.seen


@dataclass
class Pair:
    """Stock and ours: their ports and the authorities that their clients must trust."""

    ports: dict[str, int]
    authorities: dict[str, Path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Pair]:
    """Stock mitmdump and our core, running."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("stock", "core")}
    ports = {name: free_port() for name in folders}
    mitmdump = Path(sys.executable).with_name("mitmdump")
    stock = [str(mitmdump), "-q", "--listen-host", "127.0.0.1", "--listen-port", str(ports["stock"])]
    stock += ["--set", f"confdir={folders['stock']}", "--set", f"ssl_verify_upstream_trusted_ca={origin.ca}"]
    core = [sys.executable, "-c", CORE, str(ports["core"]), str(folders["core"]), str(origin.ca)]
    with contextlib.ExitStack() as stack:
        for command in (stock, core):
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.DEVNULL))
            stack.callback(process.terminate)
        for port in ports.values():
            wait_open(port)
        yield Pair(ports, {name: folder / "mitmproxy-ca-cert.pem" for name, folder in folders.items()})


def wait_open(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError("a proxy does not start")


@pytest.fixture(scope="module")
def script() -> Script:
    """An origin for `RAW`."""
    return Script()


@pytest.mark.parametrize("name", RAW)
def test_both_answer_and_ask_alike(pair: Pair, script: Script, name: str) -> None:
    stock, core = (exchange(pair.ports[which], script, RAW[name]) for which in ("stock", "core"))
    assert stock[0] or "trailers" in name  # which stock does not know: it gives up without a word
    assert core == stock


@pytest.mark.parametrize("site", ["plain", "tls", "h2"])
def test_both_serve_clients_alike(pair: Pair, origin: Origin, site: str) -> None:
    def ask(name: str) -> list[Any]:
        proxy = f"http://127.0.0.1:{pair.ports[name]}"
        trust: Any = str(pair.authorities[name])
        with httpx.Client(proxy=proxy, verify=trust, timeout=PATIENCE, trust_env=False, http2=site == "h2") as client:
            replies = [
                client.get(f"{getattr(origin, site)}/a?b=c"),
                client.put(f"{getattr(origin, site)}/b", content=b"x" * 9),
            ]
            replies += [client.get(f"{getattr(origin, site)}/again")]
        return [(reply.http_version, reply.status_code, plain(reply), reply.content) for reply in replies]

    assert ask("core") == ask("stock")


def plain(reply: httpx.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in reply.headers.multi_items() if name != "date"]


def test_both_pass_websocket_messages(pair: Pair, origin: Origin) -> None:
    def talk(name: str) -> list[Any]:
        address = origin.plain.replace("http://", "ws://") + "/ws"
        with connect(address, proxy=f"http://127.0.0.1:{pair.ports[name]}") as socket:
            socket.send("one")
            socket.send("x" * 100_000)
            return [socket.recv(PATIENCE), socket.recv(PATIENCE)]

    assert talk("core") == talk("stock")


def test_a_broken_tls_handshake_ends_alike(pair: Pair, script: Script) -> None:
    case = Raw([b"CONNECT ORIGIN HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05nonsense"], until=b"\x15\x03")
    assert exchange(pair.ports["core"], script, case) == exchange(pair.ports["stock"], script, case)


# ── functions that were replaced ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unpatched() -> Iterator[None]:
    """What `tune` replaces is put back."""
    places: list[tuple[Any, str]] = [
        (http.MessageData, "__post_init__"), (HttpStream, "check_body_size"), (hooks.Hook, "args"),
        (mode_servers, "ProxyConnectionHandler"), (asyncio_utils, "set_task_debug_info"),
        (http.Headers, "get_all"), (http.Headers, "get"), (http.Headers, "__contains__"),
        (check, "is_valid_host"), (url, "is_valid_host"), (url, "parse_authority"), (url, "parse"),
        (read, "raise_if_http_version_unknown"),
    ]  # fmt: skip
    kept = [(owner, name, getattr(owner, name)) for owner, name in places]
    yield
    for owner, name, value in kept:
        setattr(owner, name, value)


def outcome(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a function gives, or what kind of error."""
    try:
        return function(*arguments, **named)
    except Exception as error:
        return type(error)


hosts = st.from_regex(rb"[a-zA-Z0-9._\-]{0,12}", fullmatch=True) | st.binary(max_size=300)
addresses = st.builds(
    lambda scheme, host, port, path: scheme + b"://" + host + port + path,
    st.sampled_from([b"http", b"https", b"HTTP", b"ftp", b""]),
    hosts,
    st.from_regex(rb"(:[0-9]{0,6})?", fullmatch=True),
    st.from_regex(rb"(/[ -~]{0,30})?", fullmatch=True) | st.binary(max_size=30),
)


@given(addresses)
@example(b"http://a.example/a?b;c#d")
@example(b"http://a.example//b")
@example(b"http://a.example/a;")
@example(b"http://a.example/a?")
@example(b"http://a.example:0/")
@example(b"http://a.example:65536/")
@example(b"http://%s.example/" % (b"a" * 64))
@example(b"http://xn--a/")
def test_addresses_are_read_as_before(address: bytes) -> None:
    assert outcome(patches._parse, address) == outcome(patches._stock_parse, address)


@given(hosts, st.booleans())
def test_hosts_are_checked_as_before(host: bytes, strict: bool) -> None:
    for _ in range(2):
        assert outcome(patches._is_valid_host, host) == outcome(check.is_valid_host, host)
        for authority in (host, host.decode("latin-1")):
            found = outcome(patches._parse_authority, authority, check=strict)
            assert found == outcome(url.parse_authority, authority, check=strict)


names = st.sampled_from([b"Host", b"host", b"HOST", b"x-a", b"x-b"]) | st.binary(max_size=5)


@given(st.lists(st.tuples(names, st.binary(max_size=5))), names)
def test_headers_are_found_as_before(fields: list[tuple[bytes, bytes]], name: bytes) -> None:
    headers = http.Headers(fields)
    assert patches._get_all(headers, name) == headers.get_all(name)
    assert patches._get(headers, name) == headers.get(name) and patches._get(headers, name, 1) == headers.get(name, 1)
    assert patches._contains(headers, name) == (name in headers)


def test_a_hook_has_the_arguments_it_had() -> None:
    hook = HttpRequestHook(tflow.tflow())
    assert patches._args(hook) == hook.args()


@pytest.mark.parametrize("given", [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1\n", b"HTTP/11", b""])
def test_versions_are_told_apart_as_before(given: bytes) -> None:
    stock = outcome(patches._stock_version, given)
    assert outcome(patches._raise_if_http_version_unknown, given) == stock


def test_what_is_replaced_still_exists_in_mitmproxy() -> None:
    """An upgrade that renames these would silently bring the slow or unbounded behaviour back."""
    assert version.VERSION.startswith(patches.KNOWN)
    assert hasattr(http.MessageData, "__post_init__") or not __debug__
    assert list(inspect.signature(HttpStream.check_body_size).parameters)[1:] == ["request"]
    for name in ("start_request_stream", "start_response_stream", "send_response", "state_done"):
        assert callable(getattr(HttpStream, name))
    assert inspect.iscoroutinefunction(ConnectionHandler.server_event)


@pytest.mark.usefixtures("unpatched")
def test_messages_are_made_without_the_debugging_check() -> None:
    patches.tune()
    assert http.ResponseData(b"", "not checked", None, None, 0.0, None, 200, b"").headers == "not checked"  # type: ignore[arg-type]
    assert mode_servers.ProxyConnectionHandler is Handler


@pytest.mark.usefixtures("unpatched")
def test_an_unknown_mitmproxy_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stock = http.Headers.get_all, mode_servers.ProxyConnectionHandler, HttpStream.check_body_size
    monkeypatch.setattr(version, "VERSION", "13.0.0")
    patches.tune()
    assert (http.Headers.get_all, mode_servers.ProxyConnectionHandler, HttpStream.check_body_size) == stock
    assert "13.0.0 is not known" in caplog.text
