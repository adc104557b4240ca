"""The state directory as the proxy needs it: folders, its certificate authority, and room for shared metrics."""

import os
import shutil
from pathlib import Path
from typing import Final

from classifier.disk import write_new
from classifier.errors import UserError

FOLDERS: Final = ("models/releases", "models/channels")
PRIVATE: Final = ("captures", "ca", "run")
"""What others on the machine must not read, whoever made the state directory."""


def prepare(state: Path) -> None:
    """Make the directories, for nobody else to read. Raises UserError."""
    try:
        for folder in (state, *(state / name for name in (*FOLDERS, *PRIVATE))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in PRIVATE:
            (state / name).chmod(0o700)
        probe = state / "run" / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        problem = error.strerror or str(error)
        raise UserError(f"cannot write to the state directory {state}: {problem}; mend it or choose --state") from None


def scratch(state: Path) -> Path:
    """An empty folder for what lives as long as this proxy; those of proxies that are gone are removed."""
    for old in (state / "run").glob("proxy-*"):
        if not _alive(old.name.removeprefix("proxy-")):
            shutil.rmtree(old, ignore_errors=True)
    folder = state / "run" / f"proxy-{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def authority(state: Path) -> Path:
    """The certificate of our own authority, made at first start. Its key stays beside it (0600). Raises UserError."""
    from proxy.authority import ensure

    folder = state / "ca"
    try:
        return ensure(folder)
    except OSError as error:
        raise UserError(f"{folder}: the certificate authority cannot be made: {error.strerror}") from None


def tunnel(folder: Path, conf: str) -> Path:
    """The file that a WireGuard client reads, with its private key; written anew at every start."""
    path = folder / "keys" / "wireguard-client.conf"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    write_new(path, (conf + "\n").encode(), mode=0o600)
    return path


def expiry(certificate: Path) -> float:
    """When a certificate (PEM) runs out, Unix seconds."""
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()


def trust(folder: Path, extra: Path | None) -> Path:
    """A file in `folder` of those who may certify origins: the public authorities and `extra`. Raises UserError."""
    import certifi

    bundle = folder / "trust.pem"
    content = Path(certifi.where()).read_bytes()
    if extra is not None:
        from OpenSSL import SSL

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
