from pathlib import Path

import pytest

from classifier.errors import UserError
from proxy.console.vault import Vault


def test_only_hashes_are_kept_for_nobody_else_to_read(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    assert not vault.settled
    vault.set_password("correct horse")
    token = vault.new_token()
    content = vault.path.read_text()
    assert "$argon2id$" in content and "correct horse" not in content and token not in content
    assert vault.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("password", "fits"), [("correct horse", True), ("Correct horse", False), ("", False), ("x" * 5000, False)]
)
def test_a_password_is_checked(tmp_path: Path, password: str, fits: bool) -> None:
    vault = Vault(tmp_path)
    vault.set_password("correct horse")
    assert vault.knows_password(password) is fits


def test_without_a_password_or_token_nothing_fits(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    assert not vault.knows_password("") and not vault.knows_token("")


@pytest.mark.parametrize("password", ["short", "x" * 2000])
def test_a_password_of_no_good_length_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(UserError, match="10 to 1024"):
        Vault(tmp_path).set_password(password)


def test_a_new_token_replaces_the_old_and_leaves_the_password(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set_password("correct horse")
    old, new = vault.new_token(), vault.new_token()
    assert vault.knows_token(new) and not vault.knows_token(old)
    assert vault.knows_password("correct horse")


def test_a_running_console_notices_what_another_process_set(tmp_path: Path) -> None:
    running, command = Vault(tmp_path), Vault(tmp_path)
    command.set_password("correct horse")
    assert running.knows_password("correct horse")
    before = running.read().key
    command.set_password("battery staple")
    assert running.knows_password("battery staple")
    assert running.read().key != before


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "console.json").write_text("{")
    with pytest.raises(UserError, match="move it away"):
        Vault(tmp_path).read()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(UserError, match="keys"):
        Vault(tmp_path / "keys").set_password("correct horse")
