"""Tickets: only ours are believed, each for its purpose and for its time."""

import secrets
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import UserError
from proxy.tickets import LONGEST, Tickets, key

OURS = Tickets(b"k" * 32)


def test_a_ticket_says_what_was_put_in() -> None:
    content = {"event": "e1", "path": "/ü?a='&b=\x00"}
    assert OURS.read("report", OURS.issue("report", content), 60) == content


def test_a_ticket_is_for_one_purpose_and_one_key() -> None:
    ticket = OURS.issue("report", {"event": "e1"})
    assert OURS.read("continue", ticket, 60) is None
    assert Tickets(b"x" * 32).read("report", ticket, 60) is None


def test_an_old_ticket_is_ours_but_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = OURS.issue("report", {"event": "e1"})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert OURS.read("report", ticket, 60) == {}
    assert OURS.read("report", ticket, 1000) == {"event": "e1"}


@given(st.text(max_size=200))
def test_nothing_else_is_believed(text: str) -> None:
    assert OURS.read("report", text, 60) is None


@given(st.data())
def test_a_changed_ticket_is_not_believed(data: st.DataObject) -> None:
    ticket = OURS.issue("report", {"event": "e1"})
    place = data.draw(st.integers(0, len(ticket) - 2))  # the last sign of a signature has bits to spare
    letter = data.draw(st.characters(codec="ascii").filter(lambda sign: sign != ticket[place]))
    assert OURS.read("report", ticket[:place] + letter + ticket[place + 1 :], 60) is None


def test_long_texts_are_not_looked_at() -> None:
    assert OURS.read("report", OURS.issue("report", {"path": secrets.token_hex(LONGEST)}), 60) is None


def test_the_key_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    made = key(tmp_path / "keys")
    assert len(made) >= 32 and key(tmp_path / "keys") == made
    assert stat.S_IMODE((tmp_path / "keys" / "pages.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["pages.key"]


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "pages.key").write_bytes(b"short")
    with pytest.raises(UserError, match="too short"):
        key(tmp_path)
