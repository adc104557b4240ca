"""The state directory: can it be written, is it private, is there room, is the certificate authority in order?"""

import datetime
import os
import shutil
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from classifier.registry import Registry
from proxy.authority import CERTIFICATE as CA
from proxy.doctor.finding import Finding, fail, fine, warn

_SECRETS: Final = ("keys/*", "ca/mitmproxy-ca.pem", "ca/mitmproxy-ca.p12", "ca/leaves.db", "sluice.db")
_SOON: Final = datetime.timedelta(days=30)
_FREE: Final = 512 * 1024**2
"""Bytes beside the captures: releases, the journal, and a fine-tuning run's work."""


def writable(state: Path) -> Finding:
    """Whether the state directory can be written; one that is not there yet can be made."""
    if not state.exists():
        parent = next(folder for folder in state.absolute().parents if folder.exists())
        if os.access(parent, os.W_OK):
            return fine("state", f"{state} is made at first start")
        return fail("state", f"{state} is not there and {parent} cannot be written", "make it, or choose --state")
    if not state.is_dir() or not os.access(state, os.W_OK | os.X_OK):
        return fail("state", f"{state} cannot be written", "give it to the user the proxy runs as, or choose --state")
    return fine("state", f"{state} can be written")


def private(state: Path) -> Iterator[Finding]:
    """Keys and the journal must be readable by their owner alone."""
    files = [path for pattern in _SECRETS for path in sorted(state.glob(pattern)) if path.is_file()]
    loose = [path for path in files if path.suffix != ".pub" and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in loose:
        yield fail("permissions", f"{path} can be read by others", f"chmod 600 {path}")
    if files and not loose:
        yield fine("permissions", "keys and journal are private")


def room(state: Path, captures: int) -> Finding:
    """Whether the disk holds what `[capture] max_bytes` allows, beside what is there already."""
    place = state if state.exists() else next(folder for folder in state.absolute().parents if folder.exists())
    used = sum(path.stat().st_size for path in (state / "captures").rglob("*") if path.is_file())
    free, wanted = shutil.disk_usage(place).free, max(0, captures - used) + _FREE
    told = f"{free / 1e9:.1f} GB free, captures may still grow by {max(0, captures - used) / 1e9:.1f} GB"
    if free < _FREE:
        return fail("disk", told, "make room, or point --state to another disk")
    if free < wanted:
        return warn("disk", told, "lower [capture] max_bytes or make room")
    return fine("disk", told)


def authority(state: Path, now: datetime.datetime) -> Iterator[Finding]:
    """The certificate that clients must trust: there, valid for a while, and trusted by this machine."""
    path = state / "ca" / CA
    if not path.exists():
        yield fine("certificate", f"{path} is made at first start")
        return
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        yield fail("certificate", f"{path} cannot be read ({error})", "restore it with its key, or remove ca/")
        return
    end = certificate.not_valid_after_utc
    if not certificate.not_valid_before_utc <= now <= end:
        yield fail("certificate", f"{path} is not valid now (until {end:%Y-%m-%d})", "mend the clock, or remove ca/")
    elif end - now < _SOON:
        yield warn("certificate", f"{path} ends on {end:%Y-%m-%d}", "remove ca/ and hand out the new certificate")
    else:
        yield fine("certificate", f"{path} is valid until {end:%Y-%m-%d}")
    if certificate.public_bytes(Encoding.DER) in _trusted():
        yield fine("trust", "this machine trusts it")
    else:
        hint = f"where programs on this machine use the proxy, add {path} to its trusted certificates"
        yield warn("trust", "this machine does not trust it (clients may)", hint)


def releases(registry: Registry, channel: str) -> Finding:
    """Whether every release in the registry is what was published."""
    broken = [found.release for found in registry.list() if found.problem]
    if broken:
        return warn("releases", f"{', '.join(broken)} cannot be read", "remove it from models/releases")
    return fine("releases", f"{len(registry.list())} releases; {channel} follows {registry.resolve(channel)}")


def _trusted() -> list[bytes]:
    """Certificates of the system's store (DER)."""
    return ssl.create_default_context().get_ca_certs(binary_form=True)
