"""The certificate authority of a state directory."""

import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mitmproxy.certs import CertStore

from proxy.authority import CERTIFICATE, SECRET, ensure


def test_a_new_authority_has_an_elliptic_key_and_mitmproxy_takes_it(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(ensure(tmp_path / "ca").read_bytes())
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    certificate.verify_directly_issued_by(certificate)
    store = CertStore.from_store(tmp_path / "ca", "mitmproxy", 2048)
    assert store.default_ca.to_cryptography() == certificate
    leaf = store.get_cert("a.example", [x509.DNSName("a.example")]).cert.to_cryptography()
    leaf.verify_directly_issued_by(certificate)


def test_its_key_is_for_nobody_else_and_it_is_made_once(tmp_path: Path) -> None:
    content = ensure(tmp_path).read_bytes()
    assert stat.S_IMODE((tmp_path / SECRET).stat().st_mode) == 0o600
    assert ensure(tmp_path).read_bytes() == content
    assert {path.name for path in tmp_path.iterdir()} == {SECRET, CERTIFICATE}


def test_an_authority_that_clients_trust_already_is_left_alone(tmp_path: Path) -> None:
    CertStore.create_store(tmp_path, "mitmproxy", 2048)
    content = (tmp_path / CERTIFICATE).read_bytes()
    certificate = x509.load_pem_x509_certificate(ensure(tmp_path).read_bytes())
    assert (tmp_path / CERTIFICATE).read_bytes() == content
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
