import os
import stat
import time
from pathlib import Path

import certifi
import pytest

from classifier.errors import UserError
from proxy.state import FOLDERS, PRIVATE, authority, expiry, prepare, scratch, trust


def test_the_directories_are_made_and_private(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    (state / "ca").mkdir(parents=True, mode=0o755)
    prepare(state)
    prepare(state)
    assert all((state / name).is_dir() for name in (*FOLDERS, *PRIVATE))
    assert {stat.S_IMODE((state / name).stat().st_mode) for name in PRIVATE} == {0o700}


def test_a_place_that_cannot_be_written_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to the state directory"):
        prepare(tmp_path / "file")


def test_what_proxies_that_are_gone_left_is_removed(tmp_path: Path) -> None:
    prepare(tmp_path)
    gone, living = tmp_path / "run" / "proxy-999999999", tmp_path / "run" / f"proxy-{os.getppid()}"
    gone.mkdir()
    living.mkdir()
    folder = scratch(tmp_path)
    assert (gone.exists(), living.exists(), list(folder.iterdir())) == (False, True, [])


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    prepare(tmp_path)
    certificate = authority(tmp_path)
    content = certificate.read_bytes()
    assert b"PRIVATE" not in content
    assert stat.S_IMODE((tmp_path / "ca" / "mitmproxy-ca.pem").stat().st_mode) == 0o600
    assert authority(tmp_path).read_bytes() == content


def test_the_authority_tells_when_it_runs_out(tmp_path: Path) -> None:
    years = (expiry(authority(tmp_path)) - time.time()) / (365 * 86400)
    assert 9 < years < 11


def test_an_extra_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    prepare(tmp_path)
    extra = authority(tmp_path)
    bundle = trust(tmp_path / "run", extra).read_bytes()
    assert extra.read_bytes() in bundle
    assert Path(certifi.where()).read_bytes() in bundle


def test_an_extra_authority_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "odd.pem").write_text("hello")
    with pytest.raises(UserError, match="no certificate in PEM form"):
        trust(tmp_path, tmp_path / "odd.pem")
    with pytest.raises(UserError, match="cannot read"):
        trust(tmp_path, tmp_path / "none.pem")
