from pathlib import Path

import pytest

from proxy.console import session
from proxy.console.session import Sessions
from proxy.console.vault import Vault


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    vault = Vault(tmp_path)
    vault.set_password("correct horse")
    return Sessions(vault)


def test_a_session_is_known_until_it_is_ended(sessions: Sessions) -> None:
    cookie = sessions.open()
    name = sessions.check(cookie)
    assert name
    sessions.end(name)
    assert sessions.check(cookie) == ""
    assert sessions.check(sessions.open())


@pytest.mark.parametrize("change", ["{:.0}", "x", "{:.20}", "x{}", "{}.x"])
def test_a_cookie_that_was_tampered_with_is_none(sessions: Sessions, change: str) -> None:
    assert sessions.check(change.format(sessions.open())) == ""


def test_a_session_grows_old(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = sessions.open()
    monkeypatch.setattr(session, "LIFE", -1)
    assert sessions.check(cookie) == ""


def test_a_new_password_ends_every_session(sessions: Sessions) -> None:
    cookie = sessions.open()
    sessions.vault.set_password("battery staple")
    assert sessions.check(cookie) == ""


def test_before_a_password_there_are_no_sessions(tmp_path: Path) -> None:
    assert Sessions(Vault(tmp_path)).check("x.y.z") == ""


def test_each_session_has_its_own_form_token(sessions: Sessions) -> None:
    one, two = sessions.check(sessions.open()), sessions.check(sessions.open())
    assert sessions.form_token(one) == sessions.form_token(one) != sessions.form_token(two)


def test_ended_sessions_do_not_fill_the_memory(sessions: Sessions) -> None:
    for number in range(1500):
        sessions.end(str(number))
    assert len(sessions._ended) <= 1000
