"""Lists in every syntax, and what each flow has to do with them."""

import builtins
from pathlib import Path
from typing import Any

import pytest

import needs
from classifier.records import FlowRecord
from proxy.lists import Adblock, domains

HOSTS = """# a hosts file
127.0.0.1 localhost
::1 ip6-localhost ip6-loopback
0.0.0.0 ads.example track.example # two
! also a comment
*.wild.example
.dotted.example
Plain.Example.
"""
FILTERS = """[Adblock Plus 2.0]
! title
||ads.example^
@@||ads.example/fine
/banner/*$image
||third.example^$third-party
||page.example^$document
"""


def written(folder: Path, text: str, name: str = "list.txt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_plain_lists_and_hosts_files_give_names(tmp_path: Path) -> None:
    assert list(domains(written(tmp_path, HOSTS))) == [
        "ads.example",
        "track.example",
        "wild.example",
        "dotted.example",
        "plain.example",
    ]


@pytest.mark.parametrize("line", ["||ads.example^", "@@||x.example^", "[Adblock Plus 2.0]"])
def test_adblock_syntax_in_a_plain_list_is_pointed_out(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match="line 2: looks like Adblock syntax; name the file in adblock_list"):
        list(domains(written(tmp_path, f"a.example\n{line}\n")))


def test_a_list_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*gone.txt"):
        list(domains(tmp_path / "gone.txt"))


@pytest.mark.parametrize(
    ("record", "listed"),
    [
        (FlowRecord(scheme="https", host="ads.example", path="/x"), True),
        (FlowRecord(scheme="https", host="sub.ads.example", path="/x"), True),
        (FlowRecord(scheme="https", host="ads.example", path="/fine"), False),
        (FlowRecord(kind="tls", phase="connect", host="ads.example"), True),
        (FlowRecord(kind="dns", qname="ads.example"), True),
        (FlowRecord(host="a.example", path="/banner/1.png", request_headers=(("Sec-Fetch-Dest", "image"),)), True),
        (FlowRecord(host="a.example", path="/banner/1.png"), False),
        (FlowRecord(host="third.example", path="/", request_headers=(("Referer", "https://a.example/"),)), True),
        (FlowRecord(host="third.example", path="/"), False),
        (FlowRecord(host="page.example", path="/", request_headers=(("sec-fetch-dest", "document"),)), True),
        (FlowRecord(host="a.example", path="/"), False),
        (FlowRecord(host="2001:db8::1", path="/"), False),
        (FlowRecord(), False),
    ],
)
def test_adblock_rules_are_about_requests(tmp_path: Path, record: FlowRecord, listed: bool) -> None:
    needs.module("adblock")
    rules = Adblock([written(tmp_path, FILTERS)])
    assert rules.lists(record, every=False) is listed


def test_of_several_names_any_or_every_one_may_be_asked_for(tmp_path: Path) -> None:
    needs.module("adblock")
    rules = Adblock([written(tmp_path, FILTERS)])
    record = FlowRecord(kind="tls", phase="connect", host="a.example", sni="ads.example")
    assert (rules.lists(record, every=False), rules.lists(record, every=True)) == (True, False)


def test_lists_are_equal_when_their_content_is(tmp_path: Path) -> None:
    needs.module("adblock")
    one, other = written(tmp_path, FILTERS), written(tmp_path, FILTERS, "other.txt")
    assert Adblock([one]) == Adblock([other]) != Adblock([one, other])
    assert hash(Adblock([one])) == hash(Adblock([other]))


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "adblock":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"sluice-proxy\[adblock\]"):
        Adblock([written(tmp_path, FILTERS)])
