import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from consoles import LOCAL, capture, event, row
from models import tiny_release
from proxy.admin import build
from proxy.console import openapi
from proxy.console.context import Console


@pytest.fixture
def program(console: Console) -> Iterator[TestClient]:
    """A client with the token."""
    headers = {"Authorization": f"Bearer {console.vault.new_token()}"}
    with TestClient(build(console, "127.0.0.1"), headers=headers, **LOCAL) as client:
        yield client


def test_traffic_and_events(console: Console, program: TestClient) -> None:
    capture(console.status.state, row("a"), row("b", "block"))
    event(console, "e1")
    assert program.get("/api/v1/status").json()["requests"] == 3
    assert [flow["id"] for flow in program.get("/api/v1/flows?action=block&limit=5&nonsense=1").json()["flows"]] == [
        "b"
    ]
    assert [flow["id"] for flow in program.get("/api/v1/flows?limit=x&action=allow").json()["flows"]] == ["a"]
    assert program.get("/api/v1/events/e1").json()["reason"].startswith("threat 0.9")
    assert program.get("/api/v1/events/e2").status_code == 404


def test_an_event_with_its_spans(console: Console, program: TestClient) -> None:
    event(console, "e1")
    told = program.get("/api/v1/events/e1?spans=true").json()
    assert told["event"] == "e1" and isinstance(told["spans"], list)
    assert program.get("/api/v1/events/e2?spans=true").status_code == 404


def test_review(console: Console, program: TestClient) -> None:
    event(console, "e1")
    assert [item["event"] for item in program.get("/api/v1/review").json()] == ["e1"]
    answer = program.put("/api/v1/labels/e1", json={"label": "benign", "weight": 0.5})
    assert answer.json() == {"flow": "e1", "label": "benign", "weight": 0.5}
    assert program.get("/api/v1/review").json() == []


def test_exceptions_take_effect(console: Console, program: TestClient) -> None:
    applied = []

    async def apply() -> None:
        applied.append(console.exceptions.every())

    console.status.apply = apply
    made = program.post("/api/v1/exceptions", json={"host": "a.example", "reason": "x", "days": 1})
    assert made.status_code == 201
    assert program.get("/api/v1/exceptions").json() == [made.json()]
    name = made.json()["name"]
    assert program.delete(f"/api/v1/exceptions/{name}").json() == made.json()
    assert [len(found) for found in applied] == [1, 0]
    assert [note[2] for note in console.journal.audits()] == [f"{name} removed", f"{name} added: x"]


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("POST", "/exceptions", {"host": "a.example"}, "reason"),
        ("POST", "/exceptions", {"reason": "x"}, "needs a site"),
        ("POST", "/exceptions", {"host": "a.example", "reason": "x", "action": "block"}, "unknown field"),
        ("DELETE", "/exceptions/none", None, "no exception"),
        ("PUT", "/labels/e1", {"label": "nonsense"}, "unknown label"),
        ("PUT", "/labels/e1", [], "not as described"),
        ("PUT", "/labels/e1", {"label": "benign", "weight": 7}, "weight"),
        ("GET", "/releases/nonsense", None, "no release"),
        ("POST", "/releases/nonsense/promote", None, "no release"),
    ],
)
def test_mistakes_are_answered_in_words(program: TestClient, method: str, path: str, body: Any, problem: str) -> None:
    answer = program.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == 409
    assert problem in answer.json()["error"]


def test_releases(console: Console, program: TestClient) -> None:
    name = console.status.release
    assert name in [release["release"] for release in program.get("/api/v1/releases").json()]
    assert program.get(f"/api/v1/releases/{name}").json()["serving"]
    back = program.post("/api/v1/rollback").json()
    assert back["serving"] and back["release"] != name
    assert program.post(f"/api/v1/releases/{name}/promote").json()["serving"]


def test_fine_tuning(console: Console, program: TestClient) -> None:
    assert program.get("/api/v1/finetune").json() == {"run": None}
    assert program.post("/api/v1/finetune").json()["run"]["state"] == "running"
    assert program.post("/api/v1/finetune").status_code == 409
    while program.get("/api/v1/finetune").json()["run"]["state"] == "running":
        time.sleep(0.1)
    assert "weights" in program.get("/api/v1/finetune").json()["run"]["problem"]


def test_the_document_is_open(visitor: TestClient) -> None:
    assert visitor.get("/api/openapi.json").json() == json.loads(json.dumps(openapi.document()))


def test_trials_and_comparisons(console: Console, program: TestClient, tmp_path: Path) -> None:
    capture(console.status.state, row("a"))
    other = console.registry.publish(tiny_release(tmp_path / "other", weight=8.0))
    assert program.post(f"/api/v1/releases/{other}/try/canary").json()[0]["release"] == other
    assert program.get("/api/v1/trials").json()[0]["release"] == other
    assert program.post("/api/v1/trials/canary/withdraw").json()[0]["release"] == ""
    assert program.get(f"/api/v1/releases/{other}/diff").json() == {"work": None}
    assert program.post(f"/api/v1/releases/{other}/diff").status_code == 202
    while console.changes.running:
        time.sleep(0.1)
    assert program.get(f"/api/v1/releases/{other}/diff").json()["work"]["found"]["flows"] == 1
    assert program.get("/api/v1/finetune/runs").json() == []


def test_a_word_can_be_taken_back(console: Console, program: TestClient) -> None:
    program.put("/api/v1/labels/e1", json={"label": "benign"})
    assert program.delete("/api/v1/labels/e1").json()["flow"] == "e1"
    assert console.journal.labels() == {}
