"""Certificates in place of servers' own: shown again by every worker and after a restart, while they are valid."""

import datetime
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from mitmproxy import certs

from harness import Proxy, run_proxy
from origin import Origin
from proxy import leaves
from proxy.authority import ensure
from proxy.leaves import KEPT, MOST, NAME, REMEMBERED, Leaves

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"


def made(folder: Path) -> Leaves:
    ensure(folder)
    return Leaves(certs.CertStore.from_store(folder, "mitmproxy", 2048), folder)


def serial(store: Leaves, name: str = "a.example", organization: str | None = None) -> int:
    return store.get_cert(name, [x509.DNSName(name)], organization).cert.serial


def test_the_same_names_get_the_same_certificate_everywhere(tmp_path: Path) -> None:
    one, other = made(tmp_path), made(tmp_path)
    assert serial(one) == serial(one) == serial(other) == serial(made(tmp_path))
    assert len({serial(one), serial(one, "b.example"), serial(one, organization="A")}) == 3
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_another_authority_makes_its_own(tmp_path: Path) -> None:
    before = serial(made(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "a").glob(f"{NAME}*"):
        path.rename(tmp_path / "b" / path.name)
    assert serial(made(tmp_path / "b")) != before


def test_no_key_is_written(tmp_path: Path) -> None:
    store = made(tmp_path)
    serial(store)
    key = store.default_privatekey
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    secret = key.private_numbers().private_value.to_bytes(32)
    assert all(secret not in path.read_bytes() for path in tmp_path.glob(f"{NAME}*"))


def test_one_that_is_about_to_expire_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certs, "CERT_EXPIRY", datetime.timedelta(days=2, hours=12))
    store = made(tmp_path)
    assert len({serial(store), serial(store), serial(made(tmp_path))}) == 3


def test_what_is_kept_is_bounded_in_number_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (REMEMBERED, MOST, KEPT) == (2000, 10_000, 7 * 86400)
    monkeypatch.setattr(leaves, "REMEMBERED", 2)
    monkeypatch.setattr(leaves, "MOST", 3)
    monkeypatch.setattr(leaves, "_SWEEP", 1)
    store = made(tmp_path)
    serials = [serial(store, f"{number}.example") for number in range(5)]
    assert len(store._recent) == 2
    fresh = made(tmp_path)
    assert serial(fresh, "4.example") == serials[4] and serial(fresh, "0.example") != serials[0]
    monkeypatch.setattr(leaves, "KEPT", 0.0)
    assert serial(made(tmp_path), "4.example") != serials[4]


def break_open(folder: Path) -> None:
    (folder / NAME).mkdir()


def break_content(folder: Path) -> None:
    (folder / NAME).write_text("no database, whatever its name says")


@pytest.mark.parametrize("harm", [break_open, break_content])
def test_without_a_file_certificates_are_still_made(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    harm(tmp_path)
    store = made(tmp_path)
    assert serial(store) == serial(store)
    assert "certificates are not kept over restarts" in caplog.text


def shown(proxy: Proxy, origin: Origin) -> x509.Certificate:
    """The certificate that a client is shown for the origin."""
    server, through = urlsplit(origin.tls), urlsplit(proxy.url)
    with socket.create_connection((through.hostname or "", through.port or 0), timeout=20) as tunnel:
        tunnel.sendall(f"CONNECT {server.netloc} HTTP/1.1\r\nHost: {server.netloc}\r\n\r\n".encode())
        assert b" 200 " in tunnel.recv(4096)
        with proxy.context().wrap_socket(tunnel, server_hostname=server.hostname) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")


def test_clients_see_the_same_certificate_after_a_restart_and_from_every_worker(folder: Path, origin: Origin) -> None:
    serials = set()
    for config in ("[proxy]\nworkers = 2\n", "[proxy]\n"):
        with run_proxy(folder, config=config, origin_ca=origin.ca) as proxy:
            serials |= {shown(proxy, origin).serial_number for _ in range(6)}
    assert len(serials) == 1
