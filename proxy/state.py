"""The state directory as the proxy needs it: folders, its certificate authority, and room for shared metrics."""

import os
import shutil
from pathlib import Path
from typing import Final

from classifier.errors import UserError

FOLDERS: Final = ("captures", "ca", "run", "models/releases", "models/channels")
CA: Final = "mitmproxy-ca-cert.pem"
"""mitmproxy's name for the certificate that clients must trust."""


def prepare(state: Path) -> None:
    """Make the directories, for nobody else to read. Raises UserError."""
    try:
        for folder in (state, *(state / name for name in FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = state / "run" / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        problem = error.strerror or str(error)
        raise UserError(f"cannot write to the state directory {state}: {problem}; mend it or choose --state") from None


def metrics_folder(state: Path) -> Path:
    """An empty folder for this proxy's metrics; those of proxies that are gone are removed."""
    for old in (state / "run").glob("metrics-*"):
        if not _alive(old.name.removeprefix("metrics-")):
            shutil.rmtree(old, ignore_errors=True)
    folder = state / "run" / f"metrics-{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def authority(state: Path) -> Path:
    """The certificate of our own authority, made at first start. Its key stays beside it (0600)."""
    from mitmproxy.certs import CertStore

    folder = state / "ca"
    if not (folder / "mitmproxy-ca.pem").exists():
        CertStore.create_store(folder, "mitmproxy", 2048, organization="Sluice", cn="Sluice")
    return folder / CA


def trust(state: Path, extra: Path | None) -> Path:
    """A file of the authorities that origins may be certified by: the public ones and `extra`. Raises UserError."""
    import certifi
    from OpenSSL import SSL

    bundle = state / "run" / f"trust-{os.getpid()}.pem"
    content = Path(certifi.where()).read_bytes()
    if extra is not None:
        try:
            content += b"\n" + extra.read_bytes()
            SSL.Context(SSL.TLS_CLIENT_METHOD).load_verify_locations(str(extra))
        except OSError as error:
            raise UserError(f"proxy.upstream_ca: cannot read {extra}: {error.strerror}") from None
        except SSL.Error:
            raise UserError(f"proxy.upstream_ca: {extra} holds no certificate in PEM form") from None
    bundle.write_bytes(content)
    return bundle


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()
