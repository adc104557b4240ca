"""The machine: ports, clock, limits, and the way out."""

import datetime
import http.client
import resource
import socket
from pathlib import Path
from typing import Final

from proxy.doctor.finding import Finding, fail, fine, warn
from proxy.values import Address

FILES: Final = 4096
"""Open files that a busy proxy needs: two sockets a connection."""
_UNROUTED: Final = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): connecting a datagram socket to it sends nothing."""


def port(check: str, address: Address, option: str) -> Finding:
    """Whether the proxy can listen on `address`, or does already."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        problem = (error.strerror or str(error)).partition(" (while")[0]
        return fail(check, f"cannot listen on {address}: {problem}", f"stop what is there, or choose {option}")
    return fine(check, f"{address} is free")


def running(admin: Address) -> tuple[int, str] | None:
    """Status and text of `/-/ready` at the admin port; None where nobody answers like a proxy of ours."""
    connection = http.client.HTTPConnection(admin.host, admin.port, timeout=2)
    try:
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        told = answer.read(2000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return (answer.status, told) if answer.status in (200, 503) else None


def clock(now: datetime.datetime, least: datetime.datetime, files: Path) -> Finding:
    """Whether the clock is plausible: not before the served release was made, not behind what was captured."""
    newest = max((path.stat().st_mtime for path in files.rglob("*") if path.is_file()), default=0.0)
    if now < least:
        told = f"it is {now:%Y-%m-%d %H:%M} UTC, before the release in service was made ({least:%Y-%m-%d})"
        return fail("clock", told, "set the clock (NTP): certificates and expiry dates depend on it")
    if newest > now.timestamp() + 300:
        return warn("clock", "captures were written in the future", "set the clock (NTP)")
    return fine("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def files() -> Finding:
    """Whether enough files may be open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        hint = f"ulimit -n {min(hard, 65536)}" if hard >= FILES else "raise LimitNOFILE of the service"
        return warn("open files", f"at most {soft} files at once", hint)
    return fine("open files", f"at most {soft} at once")


def route() -> Finding:
    """Whether there is a way out at all; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_UNROUTED)
        except OSError as error:
            return warn("way out", f"no route to the internet ({error.strerror})", "check the network's default route")
        return fine("way out", f"by way of {probe.getsockname()[0]}")


def reach(target: Address) -> Finding:
    """Whether an origin can be reached from here."""
    try:
        socket.create_connection((target.host, target.port), timeout=5).close()
    except OSError as error:
        problem = error.strerror or str(error)
        return fail("reach", f"{target} cannot be reached ({problem})", "check DNS, routes and the firewall")
    return fine("reach", f"{target} answers")
