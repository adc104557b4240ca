"""What a new TLS connection costs: `stock` mitmdump against `scored`, in turns (`sluice bench tls`).

Each connection asks for a tunnel, shakes hands, sends one request, and ends; the proxy does the same with an origin of
TLS 1.3 on loopback. Clients keep no session. Processor time per connection is the figure to compare where the machine
is shared: it leaves out what others take.
"""

import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from classifier.errors import UserError
from proxy.bench import machine, servers
from proxy.bench.servers import Server

VARIANTS: Final = ("stock", "scored")
CLIENTS: Final = 4
HOST: Final = "127.0.0.1"

Costs = dict[str, dict[str, float]]


def measure(rounds: int, seconds: float, tell: Callable[[str], None]) -> Costs:
    """Medians by variant: connections per second and processor time of one (µs). Raises UserError."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        port = stack.enter_context(origin(folder))
        on_server, on_load = machine.cores()
        tell("starting")
        with machine.pinned(on_server):
            running = [stack.enter_context(_start(name, folder, port)) for name in VARIANTS]
        stack.enter_context(machine.pinned(on_load))
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
        for number in range(rounds):
            for server in running:
                tell(f"round {number + 1}, {server.name}")
                taken[server.name].append(turn(server, port, seconds))
    return {name: _medians(turns) for name, turns in taken.items()}


def turn(server: Server, port: int, seconds: float) -> tuple[float, float]:
    """Connections per second, and processor time of one (µs). Raises UserError when one fails."""
    _connect(server, port)
    done, over, problems = [0] * CLIENTS, threading.Event(), []

    def ask(client: int) -> None:
        try:
            while not over.is_set():
                _connect(server, port)
                done[client] += 1
        except (OSError, ValueError) as error:
            problems.append(error)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    began, used = time.perf_counter(), machine.cpu_seconds(server.pid)
    for thread in threads:
        thread.start()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join()
    count, took = sum(done), time.perf_counter() - began
    if problems or not count:
        raise UserError(f"{server.name} fails on a connection: {problems[:1] or 'none came about'}", exit_code=1)
    return count / took, (machine.cpu_seconds(server.pid) - used) / count * 1e6


def lines(costs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The figures in sentences, with ratios to stock."""
    stock = costs["stock"]
    told = []
    for name, own in costs.items():
        faster, dearer = own["per_second"] / stock["per_second"], own["cpu_us"] / stock["cpu_us"]
        rate = f"{name}: {own['per_second']:.0f} new TLS connections/s ({faster:.2f} x stock)"
        told.append(f"{rate}, {own['cpu_us']:,.0f} µs of the processor each ({dearer:.2f} x stock)")
    return told


@contextlib.contextmanager
def origin(folder: Path) -> Iterator[int]:
    """A TLS server on loopback, in threads; its port. Its certificate, which signs itself, is `folder/origin.pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder / "origin.pem"))
    with socket.create_server((HOST, 0), backlog=128) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=_answer, args=(context, listening.accept()[0]), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _answer(context: ssl.SSLContext, plain: socket.socket) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
        while secured.recv(65536):
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _connect(server: Server, port: int) -> None:
    """One connection from its beginning to its end. Raises OSError and ValueError."""
    ca = server.place.folder / ("state/ca" if server.name == "scored" else "") / "mitmproxy-ca-cert.pem"
    context = ssl.create_default_context(cafile=str(ca))
    with socket.create_connection((HOST, server.place.port), timeout=30) as tunnel:
        tunnel.sendall(f"CONNECT {HOST}:{port} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        _expect(tunnel)
        with context.wrap_socket(tunnel, server_hostname=HOST) as secured:
            secured.sendall(f"GET /list?page=1 HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode())
            _expect(secured)


def _expect(connection: socket.socket) -> None:
    answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ValueError(answer[:60].decode("latin-1") or "the connection was closed")


@contextlib.contextmanager
def _start(name: str, folder: Path, port: int) -> Iterator[Server]:
    """A variant that trusts the origin, until the block ends. Raises UserError when it does not serve."""
    own = folder / name
    own.mkdir()
    place = servers.Place(own, servers.free_port(), servers.free_port(), None)
    command = servers.VARIANTS[name](place)
    trusted = folder / "origin.pem"
    if name == "stock":
        command += ["--set", f"ssl_verify_upstream_trusted_ca={trusted}"]
    else:
        (own / "sluice.toml").write_text(f"[proxy]\nupstream_ca = {json.dumps(str(trusted))}\n", "utf-8")
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
    with servers.stopping(process):
        server = Server(name, place, process.pid)
        _wait(server, port, process)
        yield server


def _wait(server: Server, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + servers.START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return _connect(server, port)
        time.sleep(0.1)
    said = (server.place.folder / "log").read_text("utf-8", "replace").strip().splitlines()
    raise UserError(f"{server.name} does not serve: {said[-1] if said else 'it says nothing'}")


def _medians(turns: list[tuple[float, float]]) -> dict[str, float]:
    per_second, cpu = (statistics.median(values) for values in zip(*turns, strict=True))
    return {"per_second": round(per_second, 1), "cpu_us": round(cpu, 1)}


def _certificate(path: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=2))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return path
