"""A real origin on loopback for tests of the proxy: plain, TLS, HTTP/2, WebSocket, slow and long bodies.

Every request's headers and body size are kept in `Origin.seen`, so that a test can tell what reached it.
"""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


@dataclass
class Reply:
    """An answer that a test chose."""

    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Origin:
    """Where it listens, who certifies it, and what it was asked."""

    plain: str = ""
    tls: str = ""
    h2: str = ""
    ca: Path = Path()
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """`/sse` and `/slow` send their second half once this is set."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """Answers by path (without the query) in place of the usual one."""

    def paths(self) -> list[str]:
        """Paths asked for so far."""
        return [path for _, path, _ in self.seen]


@contextlib.contextmanager
def run_origin(folder: Path) -> Iterator[Origin]:
    """Serve until the block ends; certificates are made in `folder`."""
    origin = Origin(ca=folder / "origin-ca.pem")
    cert = _certificates(folder)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        app = _app(origin)
        servers = []
        for tls in (False, True):
            listening = socket.create_server(("127.0.0.1", 0))
            port = listening.getsockname()[1]
            if tls:
                origin.tls = f"https://127.0.0.1:{port}"
            else:
                origin.plain = f"http://127.0.0.1:{port}"
            server = _Server(uvicorn.Config(app, log_config=None, ssl_certfile=cert if tls else None, lifespan="off"))
            servers.append((server, asyncio.ensure_future(server.serve(sockets=[listening]))))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
        context.set_alpn_protocols(["h2"])
        second = await asyncio.start_server(_h2, "127.0.0.1", 0, ssl=context)
        origin.h2 = f"https://127.0.0.1:{second.sockets[0].getsockname()[1]}"
        while not all(server.started for server, _ in servers):
            await asyncio.sleep(0.01)
        started.set()
        await stop.wait()
        second.close()
        for server, task in servers:
            server.should_exit = server.force_exit = True
            await task

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield origin
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _app(origin: Origin) -> Starlette:
    async def echo(request: Request) -> Response:
        body = await request.body()
        origin.seen.append((request.method, request.url.path, len(body)))
        if (reply := origin.replies.get(request.url.path)) is not None:
            response = Response(reply.body)
            response.raw_headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
            return response
        return PlainTextResponse(f"{request.method} {request.url.path} {len(body)}")

    async def page(request: Request) -> Response:
        """A response whose body is what the query asks for: `?say=TEXT&times=N`, chunked unless `length`."""
        origin.seen.append((request.method, request.url.path, 0))
        say = request.query_params.get("say", "hello").replace("QUOTE", "'")
        times = int(request.query_params.get("times", "1"))
        if "length" in request.query_params:
            return PlainTextResponse(say * times)

        async def parts() -> AsyncIterator[bytes]:
            whole = say.encode() * times
            for start in range(0, len(whole), 100_000):
                yield whole[start : start + 100_000]

        return StreamingResponse(parts(), media_type="text/plain")

    async def sse(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"data: first\n\n"
            await asyncio.to_thread(origin.release.wait, 20)
            yield b"data: second\n\n"

        return StreamingResponse(parts(), media_type="text/event-stream")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.send_text("echo " + await socket.receive_text())

    routes = [
        Route("/page", page),
        Route("/sse", sse),
        WebSocketRoute("/ws", talk),
        Route("/{rest:path}", echo, methods=["GET", "POST", "PUT", "HEAD", "DELETE"]),
    ]
    return Starlette(routes=routes)


async def _h2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The least HTTP/2 server: answers every request with its path."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    paths: dict[int, str] = {}
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {str(name): str(value) for name, value in event.headers}
                    paths[event.stream_id] = headers[":path"]
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                    connection.send_data(event.stream_id, f"h2 {paths[event.stream_id]}".encode(), end_stream=True)
            writer.write(connection.data_to_send())
    writer.close()


def _certificates(folder: Path) -> Path:
    """An authority (`origin-ca.pem`) and a certificate with its key for loopback; returns the latter."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test origin authority")])
    now = datetime.datetime.now(datetime.UTC)

    def build(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        return builder.not_valid_after(now + datetime.timedelta(days=2))

    root = build(name, authority).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = root.add_extension(identifier, critical=False)
    (folder / "origin-ca.pem").write_bytes(
        root.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), own)
    leaf = leaf.add_extension(names, critical=False)
    key = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "origin.pem"
    path.write_bytes(key + leaf.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path
