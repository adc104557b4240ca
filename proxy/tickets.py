"""Signed words that a block page hands to its reader and the proxy believes when they come back.

itsdangerous signs them (HMAC, with the time); each purpose has its own salt, so that a ticket for one is none for
another. The key is the state's own (`keys/pages.key`, 0600), shared by all workers and kept over restarts.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, Final, Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer

from classifier.disk import sync, write_new
from classifier.errors import UserError

Purpose = Literal["report", "continue"]

LONGEST: Final = 8192
"""Characters of a ticket that are looked at."""


class Tickets:
    """Issues and reads tickets under the secret `key`."""

    def __init__(self, key: bytes) -> None:
        self._signers = {
            purpose: URLSafeTimedSerializer(key, salt=f"sluice {purpose}", signer_kwargs={"key_derivation": "hmac"})
            for purpose in ("report", "continue")
        }

    def issue(self, purpose: Purpose, content: dict[str, str]) -> str:
        """A ticket that says `content`."""
        return str(self._signers[purpose].dumps(content))

    def read(self, purpose: Purpose, ticket: str, max_age: float) -> dict[str, str] | None:
        """What a ticket says; empty when it is older than `max_age` seconds, None when we did not issue it."""
        signer = self._signers[purpose]
        if len(ticket) > LONGEST:
            return None
        try:
            content: Any = signer.loads(ticket)
        except BadSignature:
            return None
        try:
            signer.loads(ticket, max_age=int(max_age))
        except BadSignature:
            return {}
        return content if isinstance(content, dict) else None


def key(folder: Path) -> bytes:
    """The key in `folder` (state/keys), made when there is none. Raises UserError."""
    path = folder / "pages.key"
    try:
        if not path.exists():
            _make(path)
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make it readable or move it away") from None
    if len(content) < 32:
        raise UserError(f"{path}: too short to be a key; move it away and a new one is made")
    return content


def _make(path: Path) -> None:
    """In full under another name first, then linked: of two processes at once, one key wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    write_new(draft, secrets.token_bytes(32), mode=0o600)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    sync(path.parent)
