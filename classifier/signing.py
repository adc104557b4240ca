"""Who made a release: Ed25519 signatures (RFC 8032) over canonical JSON, and the state's own key.

keys/            0700
  release.key    0600, made at first use; signs what this state publishes
  release.pub    its public half: what checking needs; copy it to another state's trusted/
  trusted/*.pub  public keys (PEM) whose releases this state accepts as well
"""

import base64
import binascii
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from classifier.card import ModelRefused
from classifier.disk import replace, sync, write_new
from classifier.errors import UserError

SIGNATURE = "signature"


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are signed: sorted keys, no spaces, ASCII; the signature itself left out."""
    signed = {key: value for key, value in document.items() if key != SIGNATURE}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class Keys:
    """The keys of one state directory (`folder` = state/keys)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sign(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with a signature by the state's own key, which is made when there is none."""
        signature = self._own().sign(canonical(document))
        return document | {SIGNATURE: base64.b64encode(signature).decode()}

    def check(self, document: dict[str, Any]) -> None:
        """Raises ModelRefused("signature") unless a key that this state trusts signed exactly this document."""
        try:
            signature = base64.b64decode(document[SIGNATURE], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise ModelRefused("signature", "its manifest is not signed") from None
        message = canonical(document)
        if not any(_signed(key, signature, message) for key in self._trusted()):
            raise ModelRefused("signature", f"no key in {self._folder} signed its manifest")

    def _own(self) -> Ed25519PrivateKey:
        path = self._folder / "release.key"
        if not path.exists():
            self._make(path)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path}: not a readable private key ({error}); restore it or move it away") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError(f"{path}: not an Ed25519 key; restore it or move it away")
        self._show(key)
        return key

    def _make(self, path: Path) -> None:
        """Written in full under another name first, then linked: of two processes at once, one key wins."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        write_new(draft, _private_pem(Ed25519PrivateKey.generate()), mode=0o600)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        sync(self._folder)

    def _show(self, key: Ed25519PrivateKey) -> None:
        """See to it that the public half is there: a crash may have come between the two."""
        path, pem = self._folder / "release.pub", _public_pem(key)
        if not path.exists() or path.read_bytes() != pem:
            replace(path, pem)

    def _trusted(self) -> Iterator[Ed25519PublicKey]:
        own = self._folder / "release.pub"
        for path in [*([own] if own.exists() else []), *sorted((self._folder / "trusted").glob("*.pub"))]:
            try:
                key = serialization.load_pem_public_key(path.read_bytes())
            except (OSError, ValueError, UnsupportedAlgorithm) as error:
                raise ModelRefused("signature", f"{path} is no public key ({error}); replace or remove it") from None
            if isinstance(key, Ed25519PublicKey):
                yield key


def _signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
