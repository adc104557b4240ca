"""`sluice label`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.store import CaptureRow, CaptureWriter


def sluice(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "classifier.cli", *arguments], capture_output=True, text=True)


def test_a_label_is_kept(tmp_path: Path) -> None:
    done = sluice("label", "a.jsonl:1", "benign", "--weight", "0.5", "--state", str(tmp_path / "state"))
    assert (done.returncode, done.stdout) == (0, "a.jsonl:1 is benign\n")
    row = Journal(tmp_path / "state" / "sluice.db").labels()["a.jsonl:1"]
    assert (row.label, row.weight, row.origin) == ("benign", 0.5, "admin")


def test_an_unknown_label_is_one_line_with_those_allowed(tmp_path: Path) -> None:
    done = sluice("label", "x", "evil", "--state", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("sluice: unknown label 'evil'") and "sqli" in done.stderr


def alert(path: str, signature: str, second: int = 1) -> dict[str, Any]:
    """An alert about a request of another client: the proxy's own."""
    return {
        "timestamp": f"2026-01-02T12:00:0{second}.000000+0000", "event_type": "alert", "src_ip": "10.0.0.1",
        "src_port": 40_000, "dest_ip": "198.51.100.2", "dest_port": 80,
        "alert": {"signature": signature, "category": "", "severity": 1},
        "http": {"hostname": "shop.example", "url": path},
    }  # fmt: skip


def test_alerts_of_an_eve_log_label_the_captures_they_fit(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    for name in ("a", "b"):
        record = FlowRecord(id=name, time=1767355200.0, client="c", host="shop.example", method="GET", path=f"/{name}")
        writer.offer(CaptureRow(record=mask(record)))
    writer.close()
    events = [alert("/a", "ET SQL Injection"), alert("/z", "ET SQL Injection"), alert("/b", "ET CINS reputation")]
    log = tmp_path / "eve.json"
    log.write_text("\n".join([*map(json.dumps, events), '{"event_type": "alert", broken']))
    done = sluice("label", "--import", str(log), "--state", str(tmp_path))
    assert done.stdout == (
        "1 flows labelled by alerts; 1 of 2 alerts fit no flow at hand, 1 more say nothing that has a label here "
        "('ET CINS reputation' for one)\n"
    )
    assert done.returncode == 1 and "eve.json:4" in done.stderr
    (row,) = Journal(tmp_path / "sluice.db").labels().values()
    assert (row.flow, row.label, row.weight, row.origin) == ("a", "sqli", 0.7, "suricata")


@pytest.mark.parametrize("words", [(), ("x",), ("x", "benign", "--import", "eve.json")])
def test_a_flow_and_its_label_or_a_log(words: tuple[str, ...], tmp_path: Path) -> None:
    done = sluice("label", *words, "--state", str(tmp_path))
    assert done.returncode == 2 and "sluice label ID LABEL" in done.stderr


def test_a_file_without_alerts_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}\n")
    done = sluice("label", "--import", str(tmp_path / "x"), "--state", str(tmp_path))
    assert done.returncode == 2 and "no alert in" in done.stderr
