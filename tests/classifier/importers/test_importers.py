"""Choosing an importer, and every file of the corpus through it."""

import io
import sys
from collections import Counter
from pathlib import Path

import pytest

from classifier import importers
from classifier.errors import UserError
from classifier.importers import BadLine
from classifier.records import from_json, to_json

RAW = {
    # file: flows by kind/phase, as tshark counts them except where a comment says otherwise; parts that are bad
    "broken.har": ({}, 1),
    "chrome.har": ({"http/response": 2, "http/request": 1}, 0),
    "connect-tls-inside.pcap": ({"dns/response": 1, "http/response": 1, "tls/connect": 2}, 0),
    "cut-mid-record.pcap": ({"http/response": 5}, 1),  # the fifth reply is torn
    "empty.pcap": ({}, 0),
    "eve-fileinfo.pcap": ({"http/response": 1}, 0),
    "eve-fileinfo.eve.json": ({}, 0),  # a fileinfo event is no flow
    "firefox.har": ({"http/response": 14}, 0),
    "http1-gap.pcap": ({"http/response": 1}, 0),  # tshark shows no reply because of the gap
    "http1-get.pcap": ({"http/response": 1}, 0),
    "http1-gzip.pcap": ({"http/response": 1}, 0),
    "http1-header-split.pcapng": ({"http/response": 37}, 0),
    "http1-ipv6.pcap": ({"http/response": 1}, 0),
    "http1-nosyn.pcap": ({"http/response": 1}, 0),
    "http1-one-direction.pcapng": ({"http/request": 3, "http/response": 3}, 0),
    "http1-out-of-order.pcap": ({"http/response": 3}, 0),
    "http1-pipelined.pcap": ({"http/response": 5}, 0),
    "http1-proxy-absolute-uri.pcap": ({"http/response": 1}, 0),
    "http1-te-cl-desync.pcap": ({"http/request": 2}, 0),  # the smuggled request counts; tshark takes it for a body
    "http2-cleartext.pcap": ({"http/response": 2}, 0),  # one of them is pushed
    "mitmproxy-corrupt-gzip.mitm": ({"http/response": 1}, 0),
    "mitmproxy-log.har": ({"http/response": 2}, 0),
    "mitmproxy-log.mitm": ({"http/response": 2}, 0),
    "mitmproxy-v19.mitm": ({"http/response": 1}, 0),
    "suricata-malicious.eve.json": ({"http/request": 54, "http/response": 2, "dns/response": 340, "tls/connect": 1}, 0),
    "tcp-reassembly.pcap": ({"http/response": 2, "http/request": 9}, 0),
    "tls-clienthello-reassembly.pcapng": ({"tls/connect": 1}, 0),
    "tls-ech.pcapng": ({"tls/connect": 1}, 0),
    "tls-no-sni.pcap": ({"tls/connect": 7, "tcp/end": 1}, 0),
    "truncated-ip4.pcap": ({}, 0),
    "vlan-http.pcap": ({"http/response": 1}, 0),
    "wifi-80211-http.pcap": ({"http/response": 7}, 0),
}


@pytest.mark.parametrize("name", RAW)
def test_every_file_of_the_corpus_is_read(name: str, corpus: Path) -> None:
    found = list(importers.read(corpus / "flows" / "raw" / name))
    records = [each for each in found if not isinstance(each, BadLine)]
    wanted, bad = RAW[name]
    assert Counter(f"{record.kind}/{record.phase}" for record in records) == wanted
    assert len(found) - len(records) == bad
    assert len({record.id for record in records}) == len(records)
    assert [from_json(to_json(record)) for record in records] == records


def test_no_file_of_the_corpus_is_left_out(corpus: Path) -> None:
    names = {path.name for path in (corpus / "flows" / "raw").iterdir()}
    assert names == set(RAW)


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("x", b'{"host":"a"}\n', "jsonl"),
        ("x.json", b'{"log": {}}', "har"),
        ("x", b'\xef\xbb\xbf{\n  "log": {', "har"),
        ("x.har", b'{"other": 1, "log": {}}', "har"),
        ("x", b'{"timestamp":"2026-01-02","flow_id":1,"event_type":"dns"}', "eve"),
        ("x", b'{"path": "/?q=\\"event_type\\":"}', "jsonl"),
        ("x", b"1734:9:websocket", "mitm"),
        ("x.jsonl", b"\xd4\xc3\xb2\xa1rest", "pcap"),
        ("x", b"\x0a\x0d\x0d\x0arest", "pcap"),
        ("x.pcap", b"junk", "pcap"),
        ("x", b"", "jsonl"),
    ],
)
def test_the_content_decides_before_the_name(name: str, start: bytes, kind: str) -> None:
    assert importers.sniff(io.BufferedReader(io.BytesIO(start)), name) == kind


@pytest.mark.parametrize("suffix", ["", ".har", ".mitm", ".pcap", ".pcapng"])
def test_junk_is_one_reason_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(b"\x00\x01junk\xff" * 20)
    (found,) = importers.read(path)
    assert isinstance(found, BadLine) and str(path) in found.where


def test_a_file_that_cannot_be_opened_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        list(importers.read(tmp_path / "missing"))


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b'{"host":"a"}'))))
    (found,) = importers.read("-")
    assert not isinstance(found, BadLine) and found.id == "-:1"
