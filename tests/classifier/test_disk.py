"""Files are replaced whole, appended to whole, and trouble is told in a line."""

from pathlib import Path

import pytest

from classifier.disk import append, replace, sync, write_new, writing
from classifier.errors import UserError


def test_a_new_file_has_its_mode_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_new(path, b"other")
    assert path.read_bytes() == b"secret"


def test_replace_leaves_the_new_content_and_no_draft(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        replace(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_replace_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        replace(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_line_after_a_torn_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append(path, b"one")
    path.write_bytes(path.read_bytes() + b"to")
    append(path, b"three")
    assert [line for line in path.read_bytes().splitlines() if line] == [b"one", b"to", b"three"]


def test_sync_takes_a_folder(tmp_path: Path) -> None:
    sync(tmp_path)


def test_what_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/new: cannot be written \(Not a directory\)"), writing(tmp_path):
        (tmp_path / "file" / "new").mkdir()
