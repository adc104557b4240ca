from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label
from finetune.labels import Word
from finetune.lists import hits, read


def test_plain_lists_and_hosts_files(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("# a list\n! of names\nBad.example  # why\n0.0.0.0 two.example three.example\n*.four.example.\n\n")
    assert list(read(path)) == ["bad.example", "two.example", "three.example", "four.example"]


def test_a_name_stands_for_its_subdomains_and_the_first_list_counts(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("bad.example\n")
    (tmp_path / "ads").write_text("bad.example\nads.example\n")
    hosts = ["bad.example", "x.BAD.example", "notbad.example", "ads.example", "example", ""]
    records = [FlowRecord(id=host, host=host) for host in hosts]
    found = hits({Label.MALWARE: tmp_path / "bad", Label.TRACKER: tmp_path / "ads"}, records)
    assert {name: word.label for name, word in found.items()} == {
        "bad.example": "malware", "x.BAD.example": "malware", "ads.example": "tracker"
    }  # fmt: skip
    assert found["ads.example"] == Word(label=Label.TRACKER, weight=0.5, origin="list")


def test_a_missing_list_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^list .* cannot be read"):
        hits({Label.MALWARE: tmp_path / "none"}, [])
