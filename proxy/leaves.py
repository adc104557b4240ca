"""Certificates that the proxy shows in place of servers' own, kept for all workers and over restarts.

mitmproxy makes one in about a millisecond and remembers a hundred in each process. Here a few thousand are remembered,
and what one worker has made the others find in `leaves.db` beside the authority. That holds certificates, which every
client is shown anyway, and no key; but they name servers that somebody went to, so that it is for nobody else (0600)
and forgets after `KEPT`.
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import datetime
import hashlib
import logging
import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from mitmproxy import certs, ctx
from mitmproxy.addons.tlsconfig import TlsConfig

log = logging.getLogger(__name__)

NAME: Final = "leaves.db"
REMEMBERED: Final = 2000
"""Certificates in memory."""
MOST: Final = 10_000
KEPT: Final = 7 * 86400.0
"""Certificates on disk, and how long each stays (s)."""
SPARE: Final = datetime.timedelta(days=1)
"""A certificate that expires sooner is not shown any more."""
_SWEEP: Final = 256
"""Certificates made between looks at what is to be forgotten."""


class Tls(TlsConfig):
    """mitmproxy's own addon with another store of certificates."""

    name = "tlsconfig"

    def configure(self, updated: Set[str]) -> None:
        """As stock."""
        super().configure(updated)
        if self.certstore is not None and not isinstance(self.certstore, Leaves):
            self.certstore = Leaves(self.certstore, Path(ctx.options.confdir).expanduser())


class Leaves(certs.CertStore):
    """The certificates of `stock`'s authority; `folder` is where they are kept."""

    def __init__(self, stock: certs.CertStore, folder: Path) -> None:
        crl = stock.default_crl
        super().__init__(stock.default_privatekey, stock.default_ca, stock.default_chain_file, crl, stock.dhparams)
        self.certs = stock.certs
        self._recent: OrderedDict[bytes, certs.CertStoreEntry] = OrderedDict()
        self._salt = self.default_ca.fingerprint()
        self._database = _open(folder / NAME)
        self._made = 0

    def get_cert(
        self,
        commonname: str | None,
        sans: Iterable[x509.GeneralName],
        organization: str | None = None,
        crl_url: str | None = None,
    ) -> certs.CertStoreEntry:
        """A certificate for these names: the one that was shown before, while it is valid."""
        names = list(sans)
        if self.certs:  # certificates of the operator's own go first
            return super().get_cert(commonname, names, organization, crl_url)
        key = self._key(commonname, names, organization, crl_url)
        entry = self._recent.pop(key, None)
        if entry is None or not _valid(entry.cert):
            cert = self._find(key)
            if cert is None:
                ca = self.default_ca.to_cryptography()
                cert = certs.dummy_cert(self.default_privatekey, ca, commonname, names, organization, crl_url)
                self._keep(key, cert)
            entry = certs.CertStoreEntry(
                cert, self.default_privatekey, self.default_chain_file, self.default_chain_certs
            )
        self._recent[key] = entry
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return entry

    def _key(self, *asked: object) -> bytes:
        """What a certificate is for, and who signs it."""
        return hashlib.sha256(self._salt + repr(asked).encode("utf-8", "backslashreplace")).digest()

    def _find(self, key: bytes) -> certs.Cert | None:
        if self._database is None:
            return None
        try:
            since = time.time() - KEPT
            row = self._database.execute("select der from leaves where key = ? and made > ?", (key, since)).fetchone()
            cert = certs.Cert(x509.load_der_x509_certificate(row[0])) if row else None
        except (sqlite3.Error, ValueError, TypeError) as error:
            self._fail(error)
            return None
        return cert if cert is not None and _valid(cert) else None

    def _keep(self, key: bytes, cert: certs.Cert) -> None:
        if self._database is None:
            return
        try:
            with self._database as database:
                der = cert.to_cryptography().public_bytes(Encoding.DER)
                database.execute("insert or replace into leaves values (?,?,?)", (key, time.time(), der))
                if self._made % _SWEEP == 0:
                    _sweep(database)
        except sqlite3.Error as error:
            self._fail(error)
        self._made += 1

    def _fail(self, error: Exception) -> None:
        """Go on without what is on disk."""
        log.warning("certificates are no longer kept in %s: %s", NAME, error)
        self._database = None


def _open(path: Path) -> sqlite3.Connection | None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, timeout=1.0)
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = off")  # what a crash loses is made anew
        database.execute(
            "create table if not exists leaves (key blob primary key, made real not null, der blob not null)"
        )
    except (OSError, sqlite3.Error) as error:
        log.warning("certificates are not kept over restarts: %s: %s", path, error)
        return None
    return database


def _sweep(database: sqlite3.Connection) -> None:
    database.execute("delete from leaves where made <= ?", (time.time() - KEPT,))
    database.execute("delete from leaves where key not in (select key from leaves order by made desc limit ?)", (MOST,))


def _valid(cert: certs.Cert) -> bool:
    return cert.notafter - datetime.datetime.now(datetime.UTC) > SPARE
