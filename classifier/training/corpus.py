"""The corpora as labelled records: one function a table, and which sources are never trained on.

Runs once at the start of base training and of `sluice evaluate --corpus`. A corpus is a folder with
`http/`, `url/` and `flows/`; each has a README with its sources, licences and noise.

A `Row` says how much it counts and where it comes from. Whole sources are held out (`HELD_OUT`): they are
neither trained on nor used for thresholds. Others are kept whole for validation (`VALIDATION`), because scores
must be honest and thresholds must hold on sources that training never saw; to them comes a part of every training
source, by the tables' own split (by site, template, payload or registered domain, never by row).
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from classifier.errors import UserError
from classifier.records import ATTACKS, BODY_CAP, REPLY_CAP, FlowRecord, Headers, Label, text

Part = Literal["train", "val", "holdout"]

TABLES: Final = {
    "requests": "http/requests.parquet",
    "payloads": "http/payloads.parquet",
    "urls": "url/urls_train.parquet",
    "transactions": "flows/http_transactions.parquet",
    "handshakes": "flows/tls_handshakes.parquet",
    "dns": "flows/dns_messages.parquet",
}

HELD_OUT: Final[dict[str, frozenset[str]]] = {
    # one synthetic shop and one scanner log (both with attacks), one API client, one set of exploit checks
    "requests": frozenset({"csic-2010-classifier", "apache-http-logs", "praw", "xray"}),
    # one set with harmless and hostile values, one list
    "payloads": frozenset(
        {
            "Machine-Learning-Web-Application-Firewall-and-Dataset",
            "xss-payload-list",
            "sql-injection-payload-list",
            "command-injection-payload-list",
        }
    ),
    # two kinds of each: harmless crawls and lists, phishing, delivery, C2, generated names, trackers
    "urls": frozenset(
        {"citizenlab", "iscx2016_benign", "opendns_top", "octokit_cassettes", "youtubedl_tests"}
        | {"phishtank", "urlhaus_2018", "executemalware_iocs", "blackbook", "andrewaeva_dga", "wbdga", "disconnect"}
    ),
    "transactions": frozenset({"Pcaps", "pcaps", "AttackDetection", "coach-core", "harviewer", "cve-2021-44228"}),
    "handshakes": frozenset({"Pcaps", "pcaps", "AttackDetection", "zeek-quasarrat-detector", "zeek-asyncrat-detector"}),
    "dns": frozenset({"IOCs-IDPS", "Pcaps", "pcaps", "nDPI"}),
}
"""By table, the last part of a source's name. Two of the flow sources are called `Pcaps` and `pcaps`."""

VALIDATION: Final[dict[str, frozenset[str]]] = {
    "requests": frozenset({"examples", "octokit.rb", "afrog"}),
    "payloads": frozenset({"interactive-examples"}),
    "urls": frozenset({"ruanyf_weekly", "adguard_companiesdb", "rss_feeds", "simple_icons"}),
    "transactions": frozenset({"mitmproxy", "playwright"}),
    "handshakes": frozenset({"zeek"}),
    "dns": frozenset({"AttackDetection", "zeek"}),
}
"""Sources that choose: settings of the training, temperatures and thresholds, as `HELD_OUT` names them."""

WEB_ATTACK: Final = (*ATTACKS, Label.SCANNER)
"""What a `web_attack` row may be: its mass is trained as one."""


class Row(NamedTuple):
    """One labelled example."""

    record: FlowRecord
    labels: tuple[Label, ...]
    """The label, or all labels that it may be."""
    weight: float
    source: str
    """`table:name`."""
    part: Part
    carried: bool = False
    """The record is a bare value in `message`, to be put into a carrier."""


def tables(corpus: Path) -> dict[str, Path]:
    """Where each table is. Raises UserError naming what is missing."""
    found = {name: corpus / path for name, path in TABLES.items()}
    for path in found.values():
        if not path.is_file():
            raise UserError(f"{path} is missing: --corpus needs a folder with http/, url/ and flows/")
    return found


def digests(corpus: Path) -> dict[str, str]:
    """SHA-256 of each table, for the model card."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in tables(corpus).items()}


def rows(corpus: Path) -> Iterator[Row]:
    """Every usable row of every table, in table order. Unlabelled rows are left out."""
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        "requests": _requests,
        "payloads": _payloads,
        "urls": _urls,
        "transactions": _transactions,
        "handshakes": _handshakes,
        "dns": _dns,
    }
    found = tables(corpus)
    for name, read in readers.items():
        yield from read(found[name])


def _read(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=20_000, columns=columns):
        yield from batch.to_pylist()


def _part(table: str, name: str, hint: str) -> Part:
    if name in HELD_OUT[table]:
        return "holdout"
    return "val" if hint == "val" or name in VALIDATION[table] else "train"


def _hint(group: str) -> str:
    """5 % of the groups for validation, chosen by a digest of their name: stable, and never splits a group."""
    return "val" if hashlib.sha256(group.encode()).digest()[0] < 13 else "train"


def _name(source: str) -> str:
    """`owner/name (note)` → `name`."""
    return source.split(" (")[0].rsplit("/", 1)[-1]


def _pairs(headers: list[dict[str, str]] | None) -> Headers:
    return tuple((item["name"], item["value"] or "") for item in headers or () if item["name"])


def _requests(path: Path) -> Iterator[Row]:
    columns = "method scheme host path headers body label source split_hint label_quality".split()
    for item in _read(path, columns):
        name = _name(item["source"])
        label = Label(item["label"])
        attack = label in ATTACKS
        weak = item["label_quality"] != "strong"
        record = FlowRecord(
            method=item["method"] or "",
            scheme=item["scheme"] or "",
            host=item["host"] or "",
            path=item["path"] or "",
            request_headers=_pairs(item["headers"]),
            request_body=(item["body"] or b"")[:BODY_CAP],
            label=label,
        )
        # about one weak attack row in three is a set-up or probing request of the same template
        labels = (label, Label.SCANNER) if attack and weak else (label,)
        yield Row(record, labels, 0.5 if weak else 1.0, f"requests:{name}", _part("requests", name, item["split_hint"]))


def _payloads(path: Path) -> Iterator[Row]:
    for item in _read(path, "payload label source encoding context split_hint".split()):
        name = _name(item["source"])
        label = Label(item["label"])
        # `direction` and `qtype` are free in a value that is not a flow yet: they keep how it may be carried
        record = FlowRecord(message=item["payload"] or b"", qtype=item["context"], rcode=item["encoding"], label=label)
        part = _part("payloads", name, item["split_hint"])
        yield Row(record, (label,), 1.0, f"payloads:{name}", part, carried=True)


def _urls(path: Path) -> Iterator[Row]:
    columns = "url kind label source split_hint w_struct registered_domain".split()
    for item in _read(path, columns):
        name = item["source"]
        scam = item["label"] == "scam"
        label = Label.PHISHING if scam else Label(item["label"])
        weight = float(item["w_struct"]) * (0.2 if scam else 1.0)
        record = _url(item["url"], item["kind"] == "domain", label)
        if record is not None:
            part = _part("urls", name, item["split_hint"])
            yield Row(record, (label,), weight, f"urls:{name}", part)


def _url(url: str, bare: bool, label: Label) -> FlowRecord | None:
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        port = parts.port or 0
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}")
    if bare:
        return FlowRecord(host=host, phase="connect", label=label)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return FlowRecord(scheme=parts.scheme, host=host, port=port, path=path, label=label)


def _transactions(path: Path) -> Iterator[Row]:
    columns = (
        "ts client server_port http_version method scheme host path req_headers req_body status resp_headers "
        "resp_body resp_size duration label family source_file source_repo"
    ).split()
    for item in _read(path, columns):
        labels = _flow_labels(item["label"])
        if not labels:
            continue
        name = _name(item["source_repo"])
        record = FlowRecord(
            method=item["method"] or "",
            scheme=item["scheme"] or "",
            host=item["host"] or "",
            port=item["server_port"] or 0,
            path=item["path"] or "",
            request_headers=_pairs(item["req_headers"]),
            request_body=(item["req_body"] or b"")[:BODY_CAP],
            status=item["status"] or 0,
            response_headers=_pairs(item["resp_headers"]),
            response_body=(item["resp_body"] or b"")[:REPLY_CAP],
            phase="response" if item["status"] else "request",
            label=labels[0] if len(labels) == 1 else None,
        )
        part = _part("transactions", name, _hint(item["family"] or item["source_file"]))
        yield Row(record, labels, 1.0, f"transactions:{name}", part)


def _flow_labels(label: str) -> tuple[Label, ...]:
    if label == "web_attack":
        return WEB_ATTACK
    if label == "dns_tunnel":
        return (Label.EXFILTRATION,)
    return () if label in ("unknown", "malware_context") else (Label(label),)


def _handshakes(path: Path) -> Iterator[Row]:
    for item in _read(path, "sni alpn ja4 label family source_file source_repo".split()):
        labels = _flow_labels(item["label"])
        if not labels or not item["sni"]:
            continue
        name = _name(item["source_repo"])
        record = FlowRecord(
            kind="tls",
            phase="connect",
            sni=item["sni"],
            alpn=tuple(item["alpn"] or ()),
            ja4=item["ja4"] or "",
            label=labels[0] if len(labels) == 1 else None,
        )
        # "C2" here is any unknown name in an infected host's capture: the noisiest label of all
        weight = 0.3 if labels == (Label.C2,) else 1.0
        part = _part("handshakes", name, _hint(item["family"] or item["source_file"]))
        yield Row(record, labels, weight, f"handshakes:{name}", part)


_QTYPES: Final = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"} | {
    33: "SRV",
    65: "HTTPS",
    255: "ANY",
}
_RCODES: Final = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def _dns(path: Path) -> Iterator[Row]:
    for item in _read(path, "is_response rcode qname qtype answers label family source_file source_repo".split()):
        labels = _flow_labels(item["label"])
        if not labels or not item["qname"]:
            continue
        name = _name(item["source_repo"])
        answered = item["is_response"]
        record = FlowRecord(
            kind="dns",
            phase="response" if answered else "request",
            qname=item["qname"],
            qtype=_QTYPES.get(item["qtype"], str(item["qtype"])),
            rcode=_RCODES[item["rcode"]] if answered and 0 <= (item["rcode"] or 0) < 6 else "",
            answers=tuple(str(answer["value"])[:512] for answer in item["answers"] or ()),
            label=labels[0] if len(labels) == 1 else None,
        )
        # harmless names come from a handful of captures: those are split by domain, tunnels by tool
        group = item["family"] if labels == (Label.EXFILTRATION,) else ".".join(item["qname"].split(".")[-2:])
        part = _part("dns", name, _hint(group or item["source_file"]))
        yield Row(record, labels, 1.0, f"dns:{name}", part)


def payload_text(row: Row) -> str:
    """The value of a carried row."""
    return text(row.record.message)


def shuffled(rng: random.Random, items: list[Row]) -> list[Row]:
    """A shuffled copy."""
    return rng.sample(items, len(items))
