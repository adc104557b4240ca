"""Sessions: a signed cookie that names a session, and for each session a token that its forms must carry."""

import hashlib
import hmac
import secrets
import time
from typing import Final

from itsdangerous import BadSignature, TimestampSigner

from proxy.console.vault import Vault

COOKIE: Final = "sluice_session"
LIFE: Final = 12 * 3600
"""Seconds that a session lasts."""
_ENDED: Final = 1000
"""Sessions that were logged out of and are remembered until they expire by themselves."""


class Sessions:
    """Sessions under the vault's key: a new password ends them all."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._ended: dict[str, float] = {}

    def open(self) -> str:
        """A new session's cookie."""
        return self._signer().sign(secrets.token_urlsafe(18)).decode()

    def check(self, cookie: str) -> str:
        """The session that a cookie names; empty when it is none of ours, too old, or was ended."""
        if not cookie or not self.vault.read().key:
            return ""
        try:
            name = self._signer().unsign(cookie, max_age=LIFE).decode()
        except BadSignature:
            return ""
        return "" if name in self._ended else name

    def form_token(self, session: str) -> str:
        """What a form of this session must carry."""
        key = self.vault.read().key.encode()
        return hmac.new(key, b"form " + session.encode(), hashlib.sha256).hexdigest()

    def end(self, session: str) -> None:
        """Log out."""
        now = time.monotonic()
        self._ended = {name: end for name, end in self._ended.items() if end > now}
        while len(self._ended) >= _ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[session] = now + LIFE

    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self.vault.read().key, salt="sluice console")
