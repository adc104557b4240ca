"""The certificate authority of a state directory: made at first start, with a key on the curve P-256.

A signature with such a key costs a twentieth of one with RSA-2048, and every new TLS connection needs one (mitmproxy's
leaf certificates have their authority's key). An authority with an RSA key that is there already is left as it is:
clients trust it. The names of the files are mitmproxy's, which reads them. Profile: RFC 5280 §4.2.1.
"""

import datetime
import secrets
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from classifier.disk import sync, write_new

SECRET: Final = "mitmproxy-ca.pem"
"""Key and certificate, for nobody else (0600)."""
CERTIFICATE: Final = "mitmproxy-ca-cert.pem"
"""What clients must trust."""
YEARS: Final = 10
_EARLIER: Final = datetime.timedelta(days=2)
"""The authority is valid from before it was made: clients' clocks may be slow."""


def ensure(folder: Path) -> Path:
    """The certificate of the authority in `folder`, which is made when there is none. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / SECRET).exists():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(key).public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        _place(folder / CERTIFICATE, certificate, 0o644)
        _place(folder / SECRET, secret + certificate, 0o600)  # last: with it the authority is there
        sync(folder)
    return folder / CERTIFICATE


def _sign(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    attributes = ((NameOID.COMMON_NAME, "Sluice"), (NameOID.ORGANIZATION_NAME, "Sluice"))
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])
    since = datetime.datetime.now(datetime.UTC) - _EARLIER
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(since).not_valid_after(since + datetime.timedelta(days=365 * YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(_USAGE, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


_USAGE: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _place(path: Path, content: bytes, mode: int) -> None:
    """In full under another name first."""
    draft = path.with_name(f".{secrets.token_hex(8)}")
    write_new(draft, content, mode=mode)
    draft.replace(path)
