"""Modern harmless traffic: varied, the same for the same seed, what it claims to be, and no attack."""

import ipaddress
import json
import re
from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import pytest

from classifier.records import BODY_CAP, FlowRecord, Label, from_json, to_json
from classifier.training.evaluation import modern as module
from classifier.training.evaluation.modern import families, modern

ROWS = list(modern(2500, seed=5))

WORKING = {
    "a condition that is always true, after a quote": r"""['"]\s*\)?\s*(or|and)\s+['"(]?\d+['"]?\s*=\s*['"]?\d""",
    "a query that is added to another": r"""['0-9]\s*\)?\s*union\s+(all\s+)?select""",
    "a second statement": r"""['"]\s*;\s*(drop|delete|insert|update|exec|shutdown)\b""",
    "waiting in a database": r"(waitfor\s+delay|pg_sleep|benchmark\s*\(|['\" ]sleep\s*\(\s*\d+\s*\)\s*(--|#|and))",
    "script that runs": r"<script[^>]*>\s*[\w.]+\s*[(=]|\bon(error|load|click|mouseover)\s*=|javascript\s*:",
    "leaving the folder": r"\.\.[/\\]\.\.[/\\]|/etc/(passwd|shadow)\b(?!-format)",
    "a command after a parameter": r"=[^&\s]*[;|`]\s*(cat|id|whoami|wget|curl|nc|ping)\b|\$\((cat|id|whoami|curl)",
    "inner addresses as a target": r"(url|uri|next)=[^&]*(169\.254\.|localhost|metadata)|<!ENTITY|<!DOCTYPE\s+\w+\s*\[",
    "a lookup": r"\$\{(jndi|env|sys)|\{\{\s*\d+\s*\*|<%=?\s*(system|exec)",
}


def test_every_family_and_template_is_there() -> None:
    counts = Counter(name for name, _ in ROWS)
    assert set(counts) == set(families())
    assert len(counts) >= 15
    assert sum(map(len, families().values())) >= 60
    assert max(counts.values()) - min(counts.values()) <= 1


def test_thousands_are_distinct() -> None:
    assert len({(record.path, record.request_headers, record.request_body) for _, record in ROWS}) > 2450


def test_the_same_seed_gives_the_same_requests() -> None:
    assert list(islice(modern(10**9, seed=5), 300)) == ROWS[:300]
    assert list(modern(300, seed=6)) != ROWS[:300]


def test_all_are_harmless_requests_that_survive_json() -> None:
    for name, record in ROWS[:500]:
        assert (record.label, record.kind, record.phase) == (Label.BENIGN, "http", "request"), name
        assert from_json(to_json(record)) == record


@pytest.mark.parametrize(("name", "record"), ROWS[:130], ids=[name for name, _ in ROWS[:130]])
def test_each_is_well_formed(name: str, record: FlowRecord) -> None:
    fields = {key.lower(): value for key, value in record.request_headers}
    assert record.method and record.path.startswith("/") and record.scheme in ("http", "https")
    assert re.fullmatch(r"[!-~]+", record.path)
    assert fields["host"].partition(":")[0] == record.host
    assert not re.search(r"[\r\n\0]", "".join(fields.values()))
    assert len(record.request_body) < BODY_CAP
    assert int(fields.get("content-length", 0)) == len(record.request_body)


def test_no_slot_is_left_open() -> None:
    for _, record in ROWS:
        shown = "\n".join([record.path, *(value for _, value in record.request_headers)])
        assert "«" not in shown and "»" not in shown
        assert not re.search("«=?[A-Za-z]+[:|»]".encode(), record.request_body)


def test_what_is_called_json_or_xml_is_that() -> None:
    kinds: Counter[str] = Counter()
    for name, record in ROWS:
        sort = _content_type(record)
        if "json" in sort:
            json.loads(record.request_body)
        elif "xml" in sort:
            ElementTree.fromstring(record.request_body)
        elif "multipart" in sort:
            boundary = sort.partition("boundary=")[2].encode()
            assert record.request_body.startswith(b"--" + boundary), name
            assert record.request_body.endswith(b"\r\n--" + boundary + b"--\r\n"), name
        kinds[sort.partition(";")[0]] += 1
    assert kinds["application/json"] > 300


def test_hosts_are_reserved_names_or_private_addresses() -> None:
    for host in {record.host for _, record in ROWS}:
        if host[0].isdigit():
            assert ipaddress.ip_address(host).is_private
        else:
            assert host.endswith((".test", ".example", "example.com", "example.org", "example.net")), host


@pytest.mark.parametrize(("attack", "pattern"), WORKING.items(), ids=list(WORKING))
def test_no_attack_that_would_work(attack: str, pattern: str) -> None:
    found = re.compile(pattern, re.IGNORECASE)
    for name, text in _texts():
        hit = found.search(text)
        assert hit is None, (name, text[max(0, hit.start() - 40) : hit.end() + 40])


def test_there_are_words_of_attacks() -> None:
    everything = "\n".join(text.lower() for _, text in _texts())
    for word in ("select", "union", "drop table", "<script", "rm -rf", "../", "o'brien", "eval", "\\frac", "exec"):
        assert word in everything, word


def test_training_does_not_know_it() -> None:
    for path in Path(module.__file__).parents[1].rglob("*.py"):
        imports = re.search(r"import modern|evaluation\.modern", path.read_text())
        assert not imports or path.name in ("judging.py", "measure.py"), path.name


def _content_type(record: FlowRecord) -> str:
    return next((value for key, value in record.request_headers if key.lower() == "content-type"), "")


@cache
def _texts() -> list[tuple[str, str]]:
    """Family and text of every path, header and body, as it is and percent-decoded up to three times."""
    texts = set()
    for name, record in ROWS:
        fields = (value for _, value in record.request_headers)
        for part in (record.path, *fields, record.request_body.decode("utf-8", "ignore")):
            for _ in range(4):
                texts.add((name, part))
                part = unquote_plus(part)
    return sorted(texts)
