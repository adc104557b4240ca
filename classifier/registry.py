"""Releases and channels on disk: publish once, promote and roll back atomically, verify before use.

    models/releases/<id>/{model.onnx, weights.safetensors, report.json, manifest.json, …}   written once
    models/channels/<name>            {"release", "since"}; what the proxy follows
    models/channels/<name>.history    one JSON line a promotion or rollback

A release's id is the UTC date and the first 12 hex digits of the model file's SHA-256. Its manifest holds the
SHA-256 of every file and is signed (`signing`). The shipped base release lies in the package: its manifest
is as trustworthy as the code beside it, so only the digests are checked.

A file is read once: the bytes that were verified are the bytes that are used (`read`, `load`).
"""

import datetime
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from classifier.card import ModelRefused
from classifier.channels import Channels
from classifier.disk import replace, sync, write_new, writing
from classifier.errors import UserError
from classifier.signing import Keys

if TYPE_CHECKING:  # who only lists releases does without onnxruntime
    from classifier.artifact import Device, Model

MODEL: Final = "model.onnx"
MANIFEST: Final = "manifest.json"
STABLE: Final = "stable"

_ID: Final = re.compile(r"\d{8}-[0-9a-f]{12}")


class Release(msgspec.Struct):
    """One line of `sluice model ls`. `created` is ISO 8601 in UTC; `problem` says why it cannot be read."""

    release: str
    created: str = ""
    parent: str = ""
    channels: tuple[str, ...] = ()
    shipped: bool = False
    problem: str = ""


def base() -> Path:
    """The folder of the release that ships with the package."""
    return Path(__file__).parent / "base"


def seal(folder: Path, **fields: str) -> str:
    """Write the manifest of a release folder, unsigned; returns the release id.

    `fields` (parent, method, …) are kept in the manifest. Raises UserError when there is no model file.
    """
    files = {path.name: _digest(path) for path in _contents(folder)}
    if MODEL not in files:
        raise UserError(f"{folder}: no {MODEL} in it; nothing to publish")
    created = datetime.datetime.now(datetime.UTC)
    release = f"{created:%Y%m%d}-{files[MODEL][:12]}"
    own = {"release": release, "created": created.isoformat(timespec="seconds"), "files": files}
    replace(folder / MANIFEST, _dump({**fields, **own}))
    return release


class Registry:
    """The releases and channels of one state directory, and the shipped base release."""

    def __init__(self, state: Path, *, shipped: Path | None = None) -> None:
        self._releases = state / "models" / "releases"
        self._keys = Keys(state / "keys")
        self._shipped = base() if shipped is None else shipped
        self._channels = Channels(state / "models" / "channels")

    def publish(self, folder: Path, **fields: str) -> str:
        """Copy the files of `folder` into a signed release; returns its id. The same model again is no error.

        Raises UserError when `folder` holds no model or the state cannot be written.
        """

        with writing(self._releases):
            self._releases.mkdir(parents=True, exist_ok=True)
            draft = self._releases / f".{secrets.token_hex(8)}"
            draft.mkdir()
            try:
                for path in _contents(folder):
                    _copy(path, draft / path.name)
                release = seal(draft, **fields)
                replace(draft / MANIFEST, _dump(self._keys.sign(_manifest(draft))))
                self._place(draft, release)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return release

    def pack(self, release: str) -> dict[str, bytes]:
        """The files of a verified release with its signed manifest, by name, as `adopt` takes them.

        The shipped release has no signature of its own: this state signs for it. Raises UserError or ModelRefused.
        """
        folder = self.verify(release)
        manifest = _manifest(folder)
        files = {path.name: _read(path) for path in _contents(folder)}
        if any(hashlib.sha256(content).hexdigest() != manifest["files"].get(name) for name, content in files.items()):
            raise ModelRefused("signature", f"{folder} changed while it was read")
        return {**files, MANIFEST: _dump(self._keys.sign(manifest) if folder == self._shipped else manifest)}

    def adopt(self, files: Mapping[str, bytes]) -> str:
        """Take in a release that another state packed; returns its id. The same release again is no error.

        Raises ModelRefused("signature") unless a trusted key signed it, and ModelRefused when its model cannot serve.
        """
        from classifier.artifact import Model

        with writing(self._releases):
            self._releases.mkdir(parents=True, exist_ok=True)
            draft = self._releases / f".{secrets.token_hex(8)}"
            draft.mkdir()
            try:
                for name, content in files.items():
                    write_new(draft / name, content)
                manifest = _manifest(draft)
                self._keys.check(manifest)
                release = str(manifest.get("release", ""))
                if not _ID.fullmatch(release):
                    raise ModelRefused("signature", f"its manifest names no release ({release[:40]!r})")
                Model.from_bytes(_check_files(draft, manifest.get("files"), MODEL), "cpu", release=release)
                self._place(draft, release)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return release

    def promote(self, release: str, channel: str = STABLE) -> None:
        """Let `channel` follow `release`. Raises UserError (unknown) or ModelRefused (unverifiable)."""
        self.verify(release)
        self._channels.promote(channel, release, shipped=release == self._shipped_id())

    def rollback(self, channel: str = STABLE) -> str:
        """Let `channel` follow what it followed before its last promotion; returns that release.

        Raises UserError when there is nothing before, ModelRefused when it no longer verifies.
        """
        before = self._channels.before(channel)
        release = self._shipped_id() if before is None or before.shipped else before.release
        if not release or release == self.resolve(channel):
            raise UserError(f"channel {channel}: there is no release before this one to roll back to")
        self.verify(release)
        self._channels.rollback(channel, release, shipped=release == self._shipped_id())
        return release

    def withdraw(self, channel: str) -> str:
        """Let `channel` follow nothing; returns what it followed.

        Raises UserError for the stable channel, which always follows something, and when there is nothing to withdraw.
        """
        if channel == STABLE:
            raise UserError("the stable channel cannot be withdrawn: promote or roll back instead")
        release = self.followed(channel)
        if release is None:
            raise UserError(f"channel {channel} follows no release")
        self._channels.withdraw(channel)
        return release

    def followed(self, channel: str) -> str | None:
        """The release that was promoted to `channel`, None when nothing was. Raises UserError."""
        return self.resolve(channel) if self._channels.current(channel) else None

    def resolve(self, channel: str = STABLE) -> str:
        """The release that `channel` follows; the shipped base where nothing was promoted. Raises UserError."""
        pointer = self._channels.current(channel)
        # A channel at the shipped base follows it through upgrades of the package, which remove the old one.
        return self._need_shipped() if pointer is None or pointer.shipped else pointer.release

    def path(self, release: str) -> Path:
        """The folder of a release, unverified. Raises UserError when there is none."""
        if _ID.fullmatch(release):
            if (folder := self._releases / release).is_dir():
                return folder
            if release == self._shipped_id():
                return self._shipped
        raise UserError(f"no release {release!r}; `sluice model ls` lists what there is")

    def verify(self, release: str) -> Path:
        """Check signature and every file; returns the folder. Raises UserError or ModelRefused("signature")."""
        self._verified(release, MODEL)
        return self.path(release)

    def read(self, release: str, name: str) -> bytes:
        """The verified bytes of one file of a verified release. Raises UserError or ModelRefused("signature")."""
        return self._verified(release, name)

    def load(self, release: str, device: "Device" = "auto") -> "Model":
        """Verify a release and load its model from the bytes that were verified. Raises UserError or ModelRefused."""
        from classifier.artifact import Model

        return Model.from_bytes(self.read(release, MODEL), device, release=release)

    def list(self) -> list[Release]:
        """Every release, unverified, oldest first."""
        names = [path.name for path in self._releases.glob("*") if _ID.fullmatch(path.name)]
        shipped = self._shipped_id()
        return [self._describe(name) for name in sorted({*names, *([shipped] if shipped else [])})]

    def show(self, release: str) -> dict[str, Any]:
        """Manifest and card of a verified release as plain values, and the channels that follow it."""
        from classifier.artifact import card_of

        card = msgspec.to_builtins(card_of(self.read(release, MODEL)))
        return {**card, **_manifest(self.path(release)), "channels": self._followers(release)}

    def _place(self, draft: Path, release: str) -> None:
        try:
            os.rename(draft, self._releases / release)
        except OSError:
            if not (self._releases / release).is_dir():
                raise
            self.verify(release)  # the same model again, perhaps by another process a moment ago
        sync(self._releases)

    def _verified(self, release: str, wanted: str) -> bytes:
        folder = self.path(release)
        manifest = _manifest(folder)
        if folder != self._shipped:
            self._keys.check(manifest)
        if manifest.get("release") != release:
            raise ModelRefused("signature", f"{folder} holds the manifest of {manifest.get('release')!r}")
        return _check_files(folder, manifest.get("files"), wanted)

    def _describe(self, release: str) -> Release:
        found = Release(release, channels=self._followers(release), shipped=release == self._shipped_id())
        try:
            manifest = _manifest(self.path(release))
            found.created, found.parent = str(manifest.get("created", "")), str(manifest.get("parent", ""))
        except UserError as error:
            found.problem = str(error)
        return found

    def _followers(self, release: str) -> tuple[str, ...]:
        names = {STABLE, *self._channels.names()} if self._shipped_id() else self._channels.names()
        return tuple(name for name in sorted(names) if self.resolve(name) == release)

    def _shipped_id(self) -> str:
        """The shipped release's id, empty when none is shipped."""
        return str(_manifest(self._shipped).get("release", "")) if (self._shipped / MANIFEST).exists() else ""

    def _need_shipped(self) -> str:
        if release := self._shipped_id():
            return release
        raise UserError(f"no base model in {self._shipped}; run `sluice train` to make one")


def _contents(folder: Path) -> list[Path]:
    """The files of a release: all but the manifest and what starts with a dot or is a folder."""
    try:
        found = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "." and path.name != MANIFEST]
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    return sorted(found)


def _check_files(folder: Path, listed: object, wanted: str) -> bytes:
    """Compare every file with its digest; returns the very bytes of `wanted` that were compared."""
    present = {path.name: path for path in _contents(folder)}
    if not isinstance(listed, dict) or listed.keys() != present.keys():
        odd = sorted(set(present) ^ set(listed if isinstance(listed, dict) else ()))
        raise ModelRefused("signature", f"{folder}: missing or not in the manifest: {', '.join(odd)}")
    if wanted not in present:
        raise UserError(f"{folder}: the release has no {wanted}")
    content = _read(present[wanted])
    for name, path in present.items():
        digest = hashlib.sha256(content).hexdigest() if name == wanted else _digest(path)
        if digest != listed[name]:
            raise ModelRefused("signature", f"{path} is not the file that was published")
    return content


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(folder / MANIFEST))
    except (ValueError, RecursionError):
        raise ModelRefused("signature", f"{folder / MANIFEST} is not JSON") from None
    if not isinstance(manifest, dict):
        raise ModelRefused("signature", f"{folder / MANIFEST} is not a JSON object")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelRefused("unreadable", f"{path}: {error.strerror}") from None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelRefused("unreadable", f"{path}: {error.strerror}") from None


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _dump(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
