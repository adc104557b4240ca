"""No secret is left behind: not on disk, not in logs, metrics or pages, whatever ends the proxy.

A real proxy is sent a secret in every place where a client or a site may put one (`planted`), in plain text and
through TLS, harmless and as an attack. Then everything it left is read in every way (`reading`). That the reading
would find them is proved first: in what was sent, and in a copy of the state with one unmasked secret in each kind
of container.
"""

import contextlib
import json
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest
from websockets.sync.client import connect

from classifier.importers.coding import decode
from classifier.journal import Journal
from classifier.records import FlowRecord, to_json
from classifier.store import read
from harness import Proxy, free_port, run_proxy, sluice
from hiding import BYTES, CONTAINERS, VALUES
from origin import Origin, run_origin
from planted import Mint, Plant, Shape, parts, plants
from proxy.explain import describe
from reading import files, find

pytestmark = pytest.mark.timeout(600)

LOST: Final = 1.5
"""Seconds after which a finished flow survives `kill -9`: one is promised."""
EARLY: Final = 40
ACCEPT: Final = ("text/html", "application/json", "*/*")


@dataclass
class Trail:
    """What a proxy left: copies of its folder (state, log, temporary files) by moment, and what it said."""

    planted: list[Plant] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)
    said: dict[str, list[bytes]] = field(default_factory=dict)
    pages: Counter[str] = field(default_factory=Counter)
    killed: set[str] = field(default_factory=set)
    """Paths that could be read after `kill -9`."""

    def needles(self) -> list[str]:
        return sorted({needle for plant in self.planted for needle in plant.needles})

    def say(self, name: str, text: str | bytes) -> None:
        self.said.setdefault(name, []).append(text.encode() if isinstance(text, str) else text)

    def keep(self, moment: str, folder: Path, copies: Path) -> None:
        self.folders[moment] = shutil.copytree(folder, copies / moment)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    found = Trail(list(plants()))
    folder, copies = tmp_path_factory.mktemp("proxy"), tmp_path_factory.mktemp("copies")
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch, run_origin(tmp_path_factory.mktemp("origin")) as origin:
        patch.setenv("TMPDIR", str(folder / "tmp"))
        with run_proxy(folder, origin_ca=origin.ca, nan_on_poison=True) as proxy:
            send(proxy, origin, found)
            talk(proxy, origin, found)
            break_rules(proxy, origin, found)
            ask_admin(proxy, found)
            found.keep("live", folder, copies)
            send_until_killed(proxy, origin)
            found.killed = {row.record.path for row in read(proxy.state / "captures")}
            found.keep("killed", folder, copies)
        with run_proxy(folder, origin_ca=origin.ca) as proxy:
            wait_recovered(proxy.state)
            with proxy.client() as client:
                client.get(f"{origin.plain}/after?password={found.planted[0].needles[0]}")
            assert proxy.stop() == 0
        found.folders["stopped"] = folder
        ask_commands(folder / "state", tmp_path_factory.mktemp("input"), found)
        yield found


def send(proxy: Proxy, origin: Origin, trail: Trail) -> None:
    """Every plant, in turn harmless and as an attack, in plain text and through TLS."""
    with proxy.client() as client:
        for number, plant in enumerate(trail.planted):
            turn = number + number // 4  # what is written alike must not always be sent alike
            site = origin.tls if turn & 2 else origin.plain
            answer = ask(client, site, plant.shape.attacking() if turn & 1 else plant.shape, ACCEPT[number % 3], origin)
            if "x-sluice-event" in answer.headers:
                trail.pages[answer.headers["content-type"].partition(";")[0]] += 1
                trail.say("block pages", whole(answer))


def ask(client: httpx.Client, site: str, shape: Shape, accept: str, origin: Origin) -> httpx.Response:
    if shape.reply is not None:
        origin.replies[shape.path] = shape.reply
    headers = [*shape.headers, ("Accept", accept)]
    method = "POST" if shape.content else "GET"
    return client.request(method, f"{site}{shape.path}", headers=headers, content=shape.content or None)


def plant(trail: Trail, name: str) -> str:
    """A secret for a place that is not in `planted`."""
    secret = Mint(len(trail.planted)).password()
    trail.planted.append(Plant(name, Shape(f"/?password={secret}"), parts(secret)))
    return secret


def talk(proxy: Proxy, origin: Origin, trail: Trail) -> None:
    """WebSocket."""
    secret, other = plant(trail, "WebSocket handshake"), plant(trail, "WebSocket message")
    address = f"{origin.plain.replace('http', 'ws')}/ws?token={secret}"
    with connect(address, proxy=proxy.url, additional_headers={"Cookie": f"sid={secret}"}) as websocket:
        websocket.send(json.dumps({"password": other}))
        assert other in str(websocket.recv())


def break_rules(proxy: Proxy, origin: Origin, trail: Trail) -> None:
    """What no library sends, and servers that are not there.

    The answers are not looked at: they show the client what was wrong with its own request.
    """
    host, closed = origin.plain.removeprefix("http://"), f"127.0.0.1:{free_port()}"
    for name, text in {
        "user in the target": f"GET http://bob:SECRET@{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "user in CONNECT": f"CONNECT bob:SECRET@{host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "credentials of CONNECT": f"CONNECT {closed} HTTP/1.1\r\nProxy-Authorization: Bearer SECRET\r\n\r\n",
        "torn header": f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\npassword=SECRET\r\n\r\n",
        "bad length": f"POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: SECRET\r\n\r\n",
        "bad chunk": f"POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
        "bad version": f"GET http://{host}/?password=SECRET HTTP/9.SECRET\r\n\r\n",
        "no HTTP": "password=SECRET\r\n\r\n",
        "body cut off": f"POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\npassword=SECRET",
        "server not there": f"GET http://{closed}/?password=SECRET HTTP/1.1\r\nHost: {closed}\r\n\r\n",
    }.items():
        raw(proxy, text.replace("SECRET", plant(trail, name)).encode())


def raw(proxy: Proxy, sent: bytes) -> None:
    """Send these bytes and wait until nothing more comes back."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass


def ask_admin(proxy: Proxy, trail: Trail) -> None:
    secret = plant(trail, "admin port")
    with httpx.Client(trust_env=False, headers={"Cookie": f"sid={secret}"}) as client:
        for page in ("/", "/metrics", "/ca.pem", "/-/healthy", "/-/ready", "/nothing"):
            trail.say(f"admin {page}", whole(client.get(f"{proxy.admin}{page}?token={secret}")))
        trail.say("admin reload", whole(client.post(f"{proxy.admin}/-/reload?token={secret}")))
    with proxy.client() as client:
        trail.say("admin through the proxy", whole(client.get(f"{proxy.admin}/?token={secret}")))


def send_until_killed(proxy: Proxy, origin: Origin) -> None:
    """Flows that must survive, then others that end in the middle of their writing."""
    with proxy.client() as client:
        for number in range(EARLY):
            client.get(f"{origin.plain}/early/{number}?password=lo5tAndFound")
        end = time.monotonic() + LOST
        while time.monotonic() < end:
            client.get(f"{origin.tls}/late?password=lo5tAndFound")
        proxy.process.kill()
        proxy.process.wait()


def wait_recovered(state: Path) -> None:
    """Until the streams that the killed proxy left are sealed."""
    deadline = time.monotonic() + 20
    while any(path.stat().st_size for path in state.rglob("*.arrows")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask_commands(state: Path, folder: Path, trail: Trail) -> None:
    journal = Journal(state / "sluice.db")
    events = journal.events(10_000)
    journal.close()
    trail.say("every event as explained", json.dumps([describe(event) for event in events]))
    told = sluice("explain", events[0].id, "--state", str(state))
    assert told.returncode == 0, told.stderr
    trail.say("explain", told.stdout + told.stderr)
    lines = [to_json(record(plant.shape)) for plant in trail.planted]
    lines += [line[: len(line) // 2 * 2 - 1] for line in lines[:50]]
    lines += [b'{"port": "%s"}' % needle.encode() for needle in trail.needles()[:20]]
    (folder / "flows.jsonl").write_bytes(b"\n".join(lines))
    told = sluice("score", str(folder / "flows.jsonl"), "--state", str(state), "--json")
    assert told.returncode == 1, told.stderr
    trail.say("score", told.stdout + told.stderr)


def record(shape: Shape) -> FlowRecord:
    """The flow as an importer would give it."""
    reply = shape.reply
    return FlowRecord(
        method="POST" if shape.content else "GET",
        host="site.example",
        path=shape.path,
        request_headers=shape.headers,
        request_body=decode(shape.content, dict(shape.headers).get("Content-Encoding", "")),
        status=200 if reply else 0,
        response_headers=tuple(reply.headers) if reply else (),
        response_body=decode(reply.body, dict(reply.headers).get("Content-Encoding", "")) if reply else b"",
    )


def whole(answer: httpx.Response) -> bytes:
    return b"\n".join([name + b": " + value for name, value in answer.headers.raw] + [answer.content])


def test_the_search_reads_every_secret_that_was_sent(trail: Trail) -> None:
    for planted in trail.planted:
        assert planted.needles, planted
        found = find(planted.needles, [("sent", planted.shape.told)])
        assert found == {"sent": list(planted.needles)}, planted


def test_what_was_sent_was_seen_blocked_and_kept(trail: Trail) -> None:
    rows = list(read(trail.folders["stopped"] / "state" / "captures"))
    assert len(rows) >= len(trail.planted) - 20
    assert {row.action for row in rows} == {"allow", "block"}
    assert {row.record.scheme for row in rows} == {"http", "https", ""}
    assert {row.record.phase for row in rows} == {"connect", "request", "response"}
    assert len(trail.pages) == 3
    assert min(trail.pages.values()) > 50, trail.pages
    assert sum("password=" in row.record.path for row in rows) > 20


@pytest.mark.parametrize("moment", ["live", "killed", "stopped"])
def test_no_secret_is_on_disk(trail: Trail, moment: str) -> None:
    assert find(trail.needles(), files(trail.folders[moment])) == {}


def test_no_secret_is_said(trail: Trail) -> None:
    assert find(trail.needles(), [(name, b"\n".join(texts)) for name, texts in trail.said.items()]) == {}


def test_a_killed_proxy_loses_a_second_at_most(trail: Trail) -> None:
    kept = {path.partition("?")[0] for path in trail.killed}
    assert {f"/early/{number}" for number in range(EARLY)} <= kept
    again = read(trail.folders["stopped"] / "state" / "captures")
    assert trail.killed <= {row.record.path for row in again}


@pytest.fixture(scope="module")
def leaks(trail: Trail, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the search finds in a copy of the state where each container holds one secret, by container."""
    state = shutil.copytree(trail.folders["stopped"] / "state", tmp_path_factory.mktemp("leaking") / "state")
    places = {name: f"{hide(state, leaked(name))} (values)" for name, hide in VALUES.items()}
    places |= {name: f"{hide(state, leaked(name))} (bytes)" for name, hide in BYTES.items()}
    found = find([leaked(name) for name in CONTAINERS], files(state))
    return {name: found.get(place, []) for name, place in places.items()}


def leaked(container: str) -> str:
    return Mint(CONTAINERS.index(container)).words()


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_search_finds_an_unmasked_secret(leaks: dict[str, list[str]], container: str) -> None:
    assert leaks[container] == [leaked(container)]
