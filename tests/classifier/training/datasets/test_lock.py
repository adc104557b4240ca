"""The lock: trusted at first sight, held against ever after."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from classifier.errors import UserError
from classifier.training.datasets.lock import NAME, Lock, digest
from classifier.training.datasets.manifest import Pin, Source

PIN = Pin("o", "n", "c0ffee")
SOURCE = Source(name="s", table="urls", pins=("o/n@c0ffee",), licence="-", format="list", paths=("*",))
FILES = {"b": "22", "a": "11"}


def test_a_digest_is_that_of_the_sorted_list() -> None:
    assert digest(FILES) == hashlib.sha256(b"11  a\n22  b\n").hexdigest()


def test_first_trusted_then_known(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    assert lock.check(SOURCE, PIN, FILES) is False
    lock.write()
    assert msgspec.json.decode((tmp_path / NAME).read_bytes()) == {
        "s o/n": {"commit": "c0ffee", "files": 2, "sha256": digest(FILES)}
    }
    assert Lock(tmp_path).check(SOURCE, PIN, FILES) is True


def test_what_has_changed_is_refused_and_a_new_commit_is_not(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    lock.check(SOURCE, PIN, FILES)
    with pytest.raises(UserError, match=f"s: o/n has the digest .*{NAME}"):
        lock.check(SOURCE, PIN, {"a": "99"})
    assert lock.check(SOURCE, PIN._replace(commit="decaf"), {"a": "99"}) is False


def test_the_manifests_digest_counts_from_the_first_time(tmp_path: Path) -> None:
    known = msgspec.structs.replace(SOURCE, sha256={"o/n": digest(FILES)})
    assert Lock(tmp_path).check(known, PIN, FILES) is True
    with pytest.raises(UserError, match="in the manifest"):
        Lock(tmp_path).check(known, PIN, {"a": "99"})


def test_a_lock_that_is_none(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("[")
    with pytest.raises(UserError, match="cannot be read"):
        Lock(tmp_path)
