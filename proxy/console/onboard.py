"""What clients may fetch without a login: the certificate in three forms, the PAC file, and whether they are filtered.

The same answers come from the admin port and, through the proxy, from the reserved name `sluice.internal` (ICANN keeps
`.internal` for private use) and from the proxy's own address, so that a computer on the network can set itself up.
PAC: https://en.wikipedia.org/wiki/Proxy_auto-config. WPAD asks for the same file as /wpad.dat.
"""

import hashlib
import json
import plistlib
import re
import ssl
import uuid
from typing import Final, NamedTuple

from proxy.console import view
from proxy.console.status import Status

NAME: Final = "sluice.internal"
"""Answered by the proxy itself, whoever asks for it through the proxy."""
SELF_TEST: Final = (f"http://{NAME}", f"https://{NAME}")
PUBLIC: Final = frozenset({"/ca.pem", "/ca.crt", "/ca.mobileconfig", "/proxy.pac", "/wpad.dat"})
_PAC: Final = """\
function FindProxyForURL(url, host) {{
  if (host == "{name}") return "PROXY {proxy}";
  if (isPlainHostName(host) || host == "localhost" || shExpMatch(host, "127.*") || host == "[::1]") return "DIRECT";
  return "PROXY {proxy}";
}}
"""
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})")


class File(NamedTuple):
    """Something to download."""

    kind: str
    content: bytes
    name: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {"Content-Disposition": f'attachment; filename="{self.name}"'} if self.name else {}


def file(path: str, status: Status, host: str) -> File | None:
    """What lies at `path` for a client that named us `host` (its Host header); None where there is nothing."""
    if path == "/ca.pem":
        return File("application/x-pem-file", status.ca.read_bytes(), "sluice-ca.pem")
    if path == "/ca.crt":
        return File("application/x-x509-ca-cert", _der(status), "sluice-ca.crt")
    if path == "/ca.mobileconfig":
        return File("application/x-apple-aspen-config", _profile(_der(status)), "sluice.mobileconfig")
    if path in ("/proxy.pac", "/wpad.dat"):
        return File("application/x-ns-proxy-autoconfig", pac(address(status, host)).encode())
    return None


def setup(status: Status, host: str, *, console: bool) -> str:
    """The page that tells a client what to do; `console`: it stands beside the console, not on the proxy."""
    return view.text(
        "setup.html",
        proxy=address(status, host),
        name=NAME,
        fingerprint=hashlib.sha256(_der(status)).digest().hex(":").upper(),
        console=console,
    )


def check(scheme: str) -> File:
    """What a filtered client gets at `http(s)://sluice.internal/check`."""
    return File("application/json", json.dumps({"filtered": True, "certificate": scheme == "https"}).encode() + b"\n")


def pac(proxy: str) -> str:
    """A PAC file that sends everything but this machine's own names through `proxy` (HOST:PORT)."""
    return _PAC.format(name=NAME, proxy=proxy)


def address(status: Status, host: str) -> str:
    """HOST:PORT of the proxy as a client reaches it: where it listens on every address, the host that was asked."""
    listen, _, port = (status.listen or "127.0.0.1:8080").rpartition(":")
    asked = _HOST.match(host)
    if listen in ("0.0.0.0", "[::]") and asked and asked[0] != NAME:
        listen = asked[0]
    return f"{listen}:{port}"


def _der(status: Status) -> bytes:
    return ssl.PEM_cert_to_DER_cert(status.ca.read_text("ascii"))


def _profile(certificate: bytes) -> bytes:
    """A configuration profile for iOS and macOS (Apple, Configuration Profile Reference) that holds the certificate."""
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, certificate.hex()))
    payload = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"sluice.ca.{name}",
        "PayloadUUID": name,
        "PayloadDisplayName": "Sluice certificate authority",
        "PayloadContent": certificate,
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"sluice.{name}",
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "PayloadDisplayName": "Sluice",
        "PayloadDescription": "Lets this device trust the network's filter.",
        "PayloadContent": [payload],
    }
    return plistlib.dumps(profile)
