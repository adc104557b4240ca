"""Addresses as they are written in traffic: `scheme://host:port/path`, `host:port`, `[::1]:443`."""

import re
from typing import Final, NamedTuple

_URL: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//([^/?#]*)([^#]*)", re.DOTALL)
PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Address(NamedTuple):
    """Where a request goes. `path` includes the query; user names and passwords are left out."""

    scheme: str
    host: str
    port: int
    path: str


def split(url: str) -> Address:
    """Take a URL apart; total: what has no `//` is all path (RFC 3986 §4.2)."""
    match = _URL.match(url)
    if match is None:
        return Address("", "", 0, url)
    scheme = (match[1] or "").lower()
    host, port = authority(match[2].rpartition("@")[2])
    path = match[3] if match[3].startswith("/") else f"/{match[3]}"
    return Address(scheme, host, port or PORTS.get(scheme, 0), path)


def authority(text: str) -> tuple[str, int]:
    """`host:port` taken apart, brackets of an IPv6 address removed; port 0 where there is none."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or (":" in host and not host.endswith("]")):
        host, port = (text.strip().removesuffix(":"), "0")
    return host.removeprefix("[").removesuffix("]").lower(), min(int(port), 65_535)
