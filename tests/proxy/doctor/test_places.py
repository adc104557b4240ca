"""What is wrong with a state directory, and how to mend it."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from classifier.errors import UserError
from classifier.journal import Journal
from classifier.registry import Registry
from models import tiny_release
from proxy import state as states
from proxy.authority import CERTIFICATE as CA
from proxy.doctor import places
from proxy.doctor.places import authority, private, releases, room, writable

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    states.prepare(folder)
    states.authority(folder)
    Journal(folder / "sluice.db").close()
    return folder


def test_a_state_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    found = writable(tmp_path / "a" / "b")
    assert (found.level, found.what) == ("ok", f"{tmp_path / 'a' / 'b'} is made at first start")


def test_a_state_that_is_no_folder_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    assert writable(tmp_path / "state").level == "fail"


def test_what_is_private_is_said_once(state: Path) -> None:
    assert [found.level for found in private(state)] == ["ok"]


@pytest.mark.parametrize("name", ["sluice.db", "ca/mitmproxy-ca.pem"])
def test_a_secret_that_others_can_read_is_named_with_its_cure(state: Path, name: str) -> None:
    (state / name).chmod(0o644)
    (found,) = private(state)
    assert (found.level, found.fix) == ("fail", f"chmod 600 {state / name}")


@pytest.mark.parametrize(("captures", "level"), [(0, "ok"), (1 << 60, "warn")])
def test_room_for_what_captures_may_grow_to(state: Path, captures: int, level: str) -> None:
    assert room(state, captures).level == level


def test_a_full_disk_is_in_the_way(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_FREE", 1 << 60)
    assert room(state, 0).level == "fail"


def test_a_new_authority_is_valid_and_this_machine_need_not_trust_it(state: Path) -> None:
    assert [(found.check, found.level) for found in authority(state, NOW)] == [("certificate", "ok"), ("trust", "warn")]


def test_an_authority_that_this_machine_trusts(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = x509.load_pem_x509_certificate((state / "ca" / CA).read_bytes())
    monkeypatch.setattr(places, "_trusted", lambda: [certificate.public_bytes(Encoding.DER)])
    assert [found.level for found in authority(state, NOW)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("moment", "level"),
    [
        (NOW + datetime.timedelta(days=36_000), "fail"),
        (NOW - datetime.timedelta(days=36_000), "fail"),
    ],
)
def test_an_authority_outside_its_time(state: Path, moment: datetime.datetime, level: str) -> None:
    assert next(authority(state, moment)).level == level


def test_an_authority_that_ends_soon_is_worth_a_look(state: Path) -> None:
    end = x509.load_pem_x509_certificate((state / "ca" / CA).read_bytes()).not_valid_after_utc
    assert next(authority(state, end - datetime.timedelta(days=3))).level == "warn"


def test_a_damaged_authority_and_one_that_is_not_there_yet(state: Path, tmp_path: Path) -> None:
    (state / "ca" / CA).write_text("no certificate")
    assert [found.level for found in authority(state, NOW)] == ["fail"]
    assert [found.level for found in authority(tmp_path / "none", NOW)] == ["ok"]


def test_releases_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    registry = Registry(tmp_path, shipped=tiny_release(tmp_path / "empty"))
    with pytest.raises(UserError):
        releases(registry, "stable")
    release = registry.publish(tiny_release(tmp_path / "one"))
    registry.promote(release)
    assert releases(registry, "stable").what == f"1 releases; stable follows {release}"
    (registry.path(release) / "manifest.json").write_text("torn")
    assert releases(registry, "stable").level == "warn"
