"""Channels remember what they followed, survive crashes at any point, and are never half written."""

import json
import threading
from pathlib import Path

import pytest

from classifier.channels import Channels
from classifier.errors import UserError


def before(channels: Channels) -> str | None:
    found = channels.before("stable")
    return found.release if found else None


def undo(channels: Channels) -> None:
    channels.rollback("stable", before(channels) or "base", shipped=before(channels) is None)


def test_nothing_promoted_is_no_pointer(tmp_path: Path) -> None:
    channels = Channels(tmp_path / "channels")
    assert (channels.current("stable"), before(channels), channels.names()) == (None, None, [])


def test_a_pointer_is_the_agreed_json(tmp_path: Path) -> None:
    Channels(tmp_path).promote("canary", "a")
    found = json.loads((tmp_path / "canary").read_bytes())
    assert found.keys() == {"release", "since"}
    assert found["release"] == "a"
    assert Channels(tmp_path).names() == ["canary"]


def test_promotions_are_undone_in_turn(tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    for release in ("a", "b", "c"):
        channels.promote("stable", release)
    assert before(channels) == "b"
    undo(channels)
    assert before(channels) == "a"
    channels.promote("stable", "d")
    assert before(channels) == "b"
    for _ in range(2):
        undo(channels)
    assert before(channels) is None
    undo(channels)
    current = channels.current("stable")
    assert current is not None and current.shipped


def test_promoting_what_is_followed_already_changes_nothing(tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    channels.promote("stable", "a")
    channels.promote("stable", "b")
    pointer = channels.current("stable")
    channels.promote("stable", "b")
    assert channels.current("stable") == pointer
    assert before(channels) == "a"


def test_a_crash_between_pointer_and_history_still_rolls_back(tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    channels.promote("stable", "a")
    history = (tmp_path / "stable.history").read_bytes()
    channels.promote("stable", "b")
    for torn in (history, history + b'\n{"action":"pro'):
        (tmp_path / "stable.history").write_bytes(torn)
        assert before(channels) == "a"


def test_a_damaged_pointer_is_named_and_mended_by_a_promotion(tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    (tmp_path / "stable").write_text("{")
    with pytest.raises(UserError, match="promote a release"):
        channels.current("stable")
    channels.promote("stable", "a")
    current = channels.current("stable")
    assert current is not None and current.release == "a"


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "Stable", "x.history", ".x", "a" * 40])
def test_a_name_that_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    for use in (Channels(tmp_path / "c").current, lambda name: Channels(tmp_path / "c").promote(name, "a")):
        with pytest.raises(UserError, match="lower-case"):
            use(name)
    assert list(tmp_path.iterdir()) == []


def test_writers_at_once_leave_one_whole_pointer_and_every_line(tmp_path: Path) -> None:
    def write(name: str) -> None:
        for index in range(10):
            Channels(tmp_path).promote("stable", f"{name}{index}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        Channels(tmp_path).current("stable")  # raises when torn
    for thread in threads:
        thread.join()
    lines = [line for line in (tmp_path / "stable.history").read_bytes().splitlines() if line]
    assert len([json.loads(line) for line in lines]) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stable", "stable.history"]


def test_a_withdrawn_channel_follows_nothing_and_starts_anew(tmp_path: Path) -> None:
    channels = Channels(tmp_path)
    channels.promote("canary", "a")
    channels.promote("canary", "b")
    channels.withdraw("canary")
    assert (channels.current("canary"), channels.before("canary"), channels.names()) == (None, None, [])
    channels.withdraw("canary")  # again is no error
    channels.promote("canary", "c")
    assert channels.before("canary") is None
