"""Only documents that a trusted key signed pass, and the private key stays private."""

import threading
from pathlib import Path
from typing import Any

import pytest

from classifier.card import ModelRefused
from classifier.errors import UserError
from classifier.signing import Keys, canonical

DOCUMENT: dict[str, Any] = {"release": "r", "files": {"model.onnx": "00ff"}, "n": 1}


def test_the_canonical_form_is_sorted_and_leaves_the_signature_out() -> None:
    assert canonical({"b": "é", "a": {"d": 1, "c": 2}, "signature": "x"}) == b'{"a":{"c":2,"d":1},"b":"\\u00e9"}'


def test_a_signed_document_passes(tmp_path: Path) -> None:
    Keys(tmp_path / "keys").check(Keys(tmp_path / "keys").sign(DOCUMENT))


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    Keys(tmp_path / "keys").sign(DOCUMENT)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "release.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["release.key", "release.pub"]


@pytest.mark.parametrize(
    "change",
    [
        {"release": "s"},
        {"files": {"model.onnx": "00fe"}},
        {"more": True},
        {"n": 1.0},
        {"signature": "AAAA"},
        {"signature": ""},
        {"signature": None},
        {"signature": "é"},
        {"signature": ["a"]},
    ],
)
def test_any_change_breaks_the_signature(change: dict[str, Any], tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    with pytest.raises(ModelRefused) as refused:
        keys.check(keys.sign(DOCUMENT) | change)
    assert refused.value.reason == "signature"


def test_another_states_key_is_refused_until_it_is_trusted(tmp_path: Path) -> None:
    theirs, ours = Keys(tmp_path / "theirs"), Keys(tmp_path / "ours")
    signed = theirs.sign(DOCUMENT)
    with pytest.raises(ModelRefused, match="no key in"):
        ours.check(signed)
    (tmp_path / "ours" / "trusted").mkdir(parents=True)
    (tmp_path / "ours" / "trusted" / "them.pub").write_bytes((tmp_path / "theirs" / "release.pub").read_bytes())
    ours.check(signed)
    assert not (tmp_path / "ours" / "release.key").exists()  # checking makes no key


def test_a_broken_trusted_key_is_named(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "bad.pub").write_text("not a key")
    signed = Keys(tmp_path / "theirs").sign(DOCUMENT)
    with pytest.raises(ModelRefused, match=r"bad\.pub"):
        keys.check(signed)


def test_a_broken_own_key_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "release.key").write_text("not a key")
    with pytest.raises(UserError, match=r"release\.key: not a readable private key"):
        Keys(tmp_path).sign(DOCUMENT)
    assert (tmp_path / "release.key").read_text() == "not a key"


def test_a_lost_public_half_comes_back(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    signed = keys.sign(DOCUMENT)
    (tmp_path / "release.pub").unlink()
    keys.sign(DOCUMENT)
    keys.check(signed)


def test_first_uses_at_once_agree_on_one_key(tmp_path: Path) -> None:
    signed: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: signed.append(Keys(tmp_path / "k").sign(DOCUMENT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({document["signature"] for document in signed}) == 1
    Keys(tmp_path / "k").check(signed[0])
