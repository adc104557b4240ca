"""A corpus of a few made-up rows in the real tables' columns, so that the clone alone tests the readers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from classifier.training.corpus import TABLES

PAIRS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
SCHEMAS = {
    "requests": pa.schema(
        [(n, pa.string()) for n in ("method", "scheme", "host", "path")]
        + [("headers", PAIRS), ("body", pa.binary())]
        + [(n, pa.string()) for n in ("label", "source", "split_hint", "label_quality")]
    ),
    "payloads": pa.schema(
        [
            ("payload", pa.binary()),
            *((n, pa.string()) for n in ("label", "source", "encoding", "context", "split_hint")),
        ]
    ),
    "urls": pa.schema(
        [(n, pa.string()) for n in ("url", "kind", "label", "source", "split_hint", "registered_domain")]
        + [("w_struct", pa.float32())]
    ),
    "transactions": pa.schema(
        [("ts", pa.float64()), ("client", pa.string()), ("server_port", pa.int32())]
        + [(n, pa.string()) for n in ("http_version", "method", "scheme", "host", "path")]
        + [("req_headers", PAIRS), ("req_body", pa.binary()), ("status", pa.int32()), ("resp_headers", PAIRS)]
        + [("resp_body", pa.binary()), ("resp_size", pa.int64()), ("duration", pa.float64())]
        + [(n, pa.string()) for n in ("label", "family", "source_file", "source_repo")]
    ),
    "handshakes": pa.schema(
        [("sni", pa.string()), ("alpn", pa.list_(pa.string()))]
        + [(n, pa.string()) for n in ("ja4", "label", "family", "source_file", "source_repo")]
    ),
    "dns": pa.schema(
        [("is_response", pa.bool_()), ("rcode", pa.int8()), ("qname", pa.string()), ("qtype", pa.int32())]
        + [("answers", pa.list_(pa.struct([("type", pa.int32()), ("ttl", pa.int64()), ("value", pa.string())])))]
        + [(n, pa.string()) for n in ("label", "family", "source_file", "source_repo")]
    ),
}

_HEADERS = [{"name": "Host", "value": "shop.example"}, {"name": "User-Agent", "value": "Browser/1"}]
ROWS = {
    "requests": [
        *(
            {
                "method": "GET",
                "host": f"{name}.example",
                "path": f"/p?id={name}",
                "headers": _HEADERS,
                "label": "benign",
                "source": "o/recorded",
                "split_hint": "train",
                "label_quality": "strong",
            }
            for name in ("a", "b", "c")
        ),
        {
            "method": "GET",
            "path": "/?x=1' or 1=1",
            "label": "sqli",
            "source": "o/templates",
            "split_hint": "val",
            "label_quality": "weak",
        },
        {
            "method": "GET",
            "path": "/?p=<script>",
            "label": "xss",
            "source": "o/csic-2010-classifier (CSIC 2010)",
            "split_hint": "train",
            "label_quality": "strong",
        },
    ],
    "payloads": [
        {
            "payload": b"<svg onload=alert(1)>",
            "label": "xss",
            "source": "o/list",
            "encoding": "raw",
            "context": "param",
            "split_hint": "train",
        },
        {
            "payload": b"; id",
            "label": "command_injection",
            "source": "o/list",
            "encoding": "raw",
            "context": "param",
            "split_hint": "train",
        },
        {
            "payload": b"select the best",
            "label": "benign",
            "source": "o/prose",
            "encoding": "raw",
            "context": "text_body",
            "split_hint": "train",
        },
        {
            "payload": b"admin/backup.zip",
            "label": "scanner",
            "source": "o/paths",
            "encoding": "raw",
            "context": "path",
            "split_hint": "train",
        },
        {
            "payload": b"a=%3Cb%3E",
            "label": "xss",
            "source": "o/xss-payload-list",
            "encoding": "urlencoded_query",
            "context": "query",
            "split_hint": "train",
        },
    ],
    "urls": [
        {
            "url": "https://www.good.example/a?b=1",
            "kind": "url",
            "label": "benign",
            "source": "crawl",
            "split_hint": "train",
            "w_struct": 2.0,
        },
        {
            "url": "bad.example",
            "kind": "domain",
            "label": "dga",
            "source": "generator",
            "split_hint": "val",
            "w_struct": 1.0,
        },
        {
            "url": "http://scam.example:8080/x",
            "kind": "url",
            "label": "scam",
            "source": "scams",
            "split_hint": "train",
            "w_struct": 1.0,
        },
        {
            "url": "http://[broken/x",
            "kind": "url",
            "label": "malware",
            "source": "crawl",
            "split_hint": "train",
            "w_struct": 1.0,
        },
        {
            "url": "http://held.example/login",
            "kind": "url",
            "label": "phishing",
            "source": "phishtank",
            "split_hint": "train",
            "w_struct": 1.0,
        },
    ],
    "transactions": [
        {
            "method": "GET",
            "host": "t.example",
            "path": "/x.exe",
            "status": 200,
            "resp_body": b"MZ",
            "label": "malware",
            "family": "f",
            "source_repo": "o/captures",
            "req_headers": _HEADERS,
        },
        {
            "method": "GET",
            "host": "t.example",
            "path": "/",
            "status": 200,
            "resp_body": b"<html>",
            "label": "benign",
            "family": "g",
            "source_repo": "o/captures",
            "req_headers": _HEADERS,
        },
        {
            "method": "GET",
            "host": "t.example",
            "path": "/",
            "label": "web_attack",
            "family": "f",
            "source_repo": "o/captures",
        },
        {
            "method": "GET",
            "host": "t.example",
            "path": "/",
            "label": "unknown",
            "family": "f",
            "source_repo": "o/captures",
        },
    ],
    "handshakes": [
        {"sni": "c2.example", "alpn": ["h2"], "ja4": "t13", "label": "c2", "family": "f", "source_repo": "o/captures"},
        {"sni": None, "label": "benign", "family": "f", "source_repo": "o/captures"},
    ],
    "dns": [
        {
            "qname": "q.tunnel.example",
            "qtype": 16,
            "is_response": True,
            "rcode": 0,
            "label": "dns_tunnel",
            "family": "f",
            "source_repo": "o/captures",
            "answers": [{"type": 16, "ttl": 1, "value": "x"}],
        },
        {
            "qname": "n.example",
            "qtype": 1,
            "is_response": False,
            "label": "malware_context",
            "family": "f",
            "source_repo": "o/captures",
        },
    ],
}


def write(folder: Path) -> Path:
    """The corpus in `folder`."""
    for name, path in TABLES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(ROWS[name], SCHEMAS[name]), folder / path)
    return folder
