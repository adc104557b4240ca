"""The console's secrets: an argon2 hash of the password, a digest of the API token, the key that signs sessions.

They live in one file of the state's keys/ (0600) and are read again when it changes, so that `sluice console password`
works beside a running proxy. The token is 256 random bits, for which a plain SHA-256 is enough; the password is a
person's, so it is hashed with argon2id at the parameters of RFC 9106 §4 scaled to the OWASP minimum (19 MiB, 2 passes).
"""

import hashlib
import hmac
import os
import secrets
import threading
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from classifier.disk import sync, write_new
from classifier.errors import UserError

FILE: Final = "console.json"
SHORTEST: Final = 10
"""Characters of a password at least (NIST SP 800-63B asks for 8; nobody types this one often)."""
LONGEST: Final = 1024
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Secrets(msgspec.Struct, frozen=True):
    """The file. `password` is an argon2 hash, `token` hex SHA-256; empty where none is set. `key` signs sessions."""

    password: str = ""
    token: str = ""
    key: str = ""


class Vault:
    """The console's secrets in `folder` (state/keys). Raises UserError when the file cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._secrets = Secrets()

    @property
    def settled(self) -> bool:
        """Whether a password was chosen."""
        return bool(self.read().password)

    def read(self) -> Secrets:
        """What the file holds now."""
        with self._lock:
            try:
                status = self.path.stat()
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp != self._seen:
                    self._secrets, self._seen = msgspec.json.decode(self.path.read_bytes(), type=Secrets), stamp
            except FileNotFoundError:
                self._secrets, self._seen = Secrets(), None
            except (OSError, msgspec.MsgspecError) as error:
                raise UserError(
                    f"{self.path} cannot be read ({error}); move it away and set a new password with "
                    "`sluice console password`"
                ) from None
            return self._secrets

    def set_password(self, password: str) -> None:
        """Keep the hash of a new password and end every session. Raises UserError when it is too short or long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise UserError(f"a password needs {SHORTEST} to {LONGEST} characters")
        self._write(msgspec.structs.replace(self.read(), password=_HASHER.hash(password), key=secrets.token_hex(32)))

    def new_token(self) -> str:
        """A new API token in place of the old one; only its digest is kept."""
        token = f"sluice_{secrets.token_urlsafe(32)}"
        self._write(msgspec.structs.replace(self.read(), token=_digest(token)))
        return token

    def knows_password(self, password: str) -> bool:
        """Whether this is the password. Takes some 30 ms and 19 MiB on purpose; not for an event loop."""
        try:
            return len(password) <= LONGEST and _HASHER.verify(self.read().password, password)
        except (VerificationError, InvalidHashError):
            return False

    def knows_token(self, token: str) -> bool:
        """Whether this is the API token."""
        known = self.read().token
        return bool(known) and hmac.compare_digest(known, _digest(token))

    def _write(self, found: Secrets) -> None:
        draft = self.path.with_name(f".{FILE}.{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_new(draft, msgspec.json.encode(found), mode=0o600)
            os.replace(draft, self.path)
            sync(self.path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
