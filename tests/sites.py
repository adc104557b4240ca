"""Traffic of one made-up site, for tests of fine-tuning: reports that look like attacks, and ordinary pages."""

import json
import random
from pathlib import Path

import msgspec

from classifier.records import FlowRecord, Label, to_json

COLUMNS = "orders customers invoices stock region store total amount name city price quantity day week month".split()


def query(number: int) -> FlowRecord:
    """A report of the internal API: SQL by design."""
    rng = random.Random(number)
    one, two, three = rng.sample(COLUMNS, 3)
    sql = f"SELECT {one}, {two} FROM {three} WHERE {one} > {rng.randint(1, 99)} ORDER BY {two}"
    return FlowRecord(
        id=f"query-{number}", time=1000.0 + number, client="10.0.0.5", host="reports.internal", method="POST",
        path="/api/query", request_headers=(("Content-Type", "application/json"),),
        request_body=json.dumps({"sql": sql, "limit": rng.randint(1, 500)}).encode(),
    )  # fmt: skip


def page(number: int) -> FlowRecord:
    """An ordinary request of the same site."""
    rng = random.Random(number)
    path = f"/{rng.choice(COLUMNS)}/{rng.choice(COLUMNS)}/{rng.randint(1, 9999)}?page={rng.randint(1, 9)}"
    return FlowRecord(
        id=f"page-{number}", time=1000.0 + number, client=f"10.0.0.{number % 7}", host="reports.internal",
        method="GET", path=path,
    )  # fmt: skip


def attack(number: int) -> FlowRecord:
    """A hostile request to the same site, labelled."""
    rng = random.Random(number)
    return FlowRecord(
        id=f"attack-{number}", time=1000.0 + number, client="10.0.0.9", host="reports.internal", method="GET",
        path=f"/{rng.choice(COLUMNS)}/{rng.choice(COLUMNS)}?{rng.choice(COLUMNS)}={rng.randint(1, 99)}'+OR+1=1--",
        label=Label.SQLI,
    )  # fmt: skip


def harmless(record: FlowRecord) -> FlowRecord:
    """The record with a label."""
    return msgspec.structs.replace(record, label=Label.BENIGN)


def write(path: Path, *records: FlowRecord) -> Path:
    """A file of JSON lines."""
    path.write_bytes(b"\n".join(to_json(record) for record in records) + b"\n")
    return path
