"""TLS sessions with servers, taken up again by later connections to them (RFC 8446 §2.2, RFC 5077).

A resumed handshake needs no certificate from the server and no verification of one: that was done when the session
began, for the same name and the same address, by the same authorities. It saves both sides a good part of a new
connection. Sessions are in this process's memory only. A server that does not take one up is asked the usual way; the
ticket tells it nothing that our address has not told it already.
"""

import time
from collections import OrderedDict
from typing import Final, NamedTuple

from mitmproxy.connection import Server
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData
from OpenSSL import SSL

MOST: Final = 2000
"""Servers whose sessions are kept."""
LIFE: Final = 3600.0
"""Seconds after which a server has to show its certificate again."""

Key = tuple[object, ...]


class _Begun(NamedTuple):
    """A session and when its server was last verified."""

    session: SSL.Session
    verified: float


class Sessions:
    """A mitmproxy addon that stands behind the one that makes TLS connections."""

    name = "sluice-sessions"

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, _Begun] = OrderedDict()
        self._open: dict[str, tuple[Key, SSL.Connection, float]] = {}

    def tls_start_server(self, data: TlsData) -> None:
        """Offer the server the session that it knows."""
        server = data.conn
        if data.ssl_conn is None or data.is_dtls or not isinstance(server, Server):
            return
        key = (server.address, server.sni, tuple(server.alpn_offers), tuple(server.cipher_list))
        verified = now = time.monotonic()
        begun = self._kept.get(key)
        if begun is not None and now - begun.verified < LIFE:
            data.ssl_conn.set_session(begun.session)
            verified = begun.verified
        self._open[server.id] = key, data.ssl_conn, verified

    def tls_established_server(self, data: TlsData) -> None:
        """Up to TLS 1.2 the session is complete now; later the server sends it with its first answer."""
        self._keep(data.conn.id)

    def tls_failed_server(self, data: TlsData) -> None:
        """Whatever the reason: next time without."""
        if (known := self._open.pop(data.conn.id, None)) is not None:
            self._kept.pop(known[0], None)

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        """What it has sent meanwhile is good for the next connection."""
        self._keep(data.server.id)
        if (known := self._open.pop(data.server.id, None)) is not None:
            # Up to TLS 1.2 OpenSSL spoils the session of a connection that ends without close_notify, as many do.
            known[1].set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def _keep(self, connection: str) -> None:
        known = self._open.get(connection)
        if known is None or (session := known[1].get_session()) is None:
            return
        key, _, verified = known
        self._kept.pop(key, None)
        self._kept[key] = _Begun(session, verified)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
