import json
from pathlib import Path
from typing import Any

import pytest
import typer

from classifier.errors import UserError
from classifier.journal import Journal
from classifier.records import FlowRecord
from classifier.shown import printable
from classifier.store import CaptureRow, CaptureWriter
from harness import publish
from proxy.needed import Needs
from proxy.policy import Decision
from proxy.trial import flows, trial


@pytest.mark.parametrize(
    ("target", "record"),
    [
        (
            "https://a.example/x?y=1",
            {
                "phase": "request",
                "scheme": "https",
                "host": "a.example",
                "port": 443,
                "path": "/x?y=1",
                "method": "GET",
            },
        ),
        ("a.example", {"phase": "connect", "host": "a.example"}),
    ],
)
def test_what_a_target_stands_for(target: str, record: dict[str, object]) -> None:
    (found,) = flows(target)
    assert found == FlowRecord(id=target, **record)  # type: ignore[arg-type]


def test_a_file_is_read_as_by_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "flows.jsonl"
    file.write_text('{"id": "one", "path": "/?q=\'"}\n{"id": "two", "path": "/"}\nbroken\n')
    config = tmp_path / "sluice.toml"
    config.write_text('[[policy.exceptions]]\npath = "/?q"\nowner = "o"\nreason = "known"\n')
    for settings, action in ((None, "block"), (config, "allow")):
        with pytest.raises(typer.Exit) as stopped:
            trial(str(file), settings, tmp_path / "state")
        told = capsys.readouterr()
        assert stopped.value.exit_code == 1
        lines, _, summary = told.out.partition("\n\n")
        assert [line.split()[0] for line in lines.splitlines()] == [action, "allow"]
        assert summary.startswith("mode monitor by the default: ") and "nothing is stopped" in summary
        assert "flows.jsonl:3" in told.err


def test_a_target_that_is_nothing_is_a_mistake(tmp_path: Path) -> None:
    for target in ("http:///x", str(tmp_path / "none.har")):
        with pytest.raises(UserError):
            list(flows(target))


def tried(folder: Path, target: str, policy: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    state = folder / "state"
    if not state.exists():
        publish(state, folder / "model")
    (folder / "sluice.toml").write_text(policy)
    trial(target, folder / "sluice.toml", state, as_json=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_object_says_what_would_happen_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = '[policy]\nmode = "enforce"\n[[policy.exceptions]]\nname = "e"\npath = "/ok"\nowner = "o"\nreason = "r"\n'
    (told,) = tried(tmp_path, "http://a.example/?q='", policy, capsys)
    assert told | {"threat": 1, "reason": "", "model": ""} == {
        "id": "http://a.example/?q='",
        "kind": "http",
        "phase": "request",
        "action": "block",
        "enforced": True,
        "blocked": True,
        "label": "sqli",
        "threat": 1,
        "reason": "",
        "rule": "",
        "spared": None,
        "evidence": "",
        "mode": "enforce",
        "mode_cause": "policy.mode",
        "model": "",
    }
    (told,) = tried(tmp_path, "http://a.example/ok?q='", policy, capsys)
    assert (told["action"], told["rule"], told["spared"], told["blocked"]) == ("allow", "e", "block", False)


def test_of_an_https_address_the_tunnel_is_judged_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = '[[policy.rules]]\nhost = "a.example"\naction = "block"\n'
    (told,) = tried(tmp_path, "https://a.example/", rule, capsys)
    assert (told["phase"], told["action"], told["blocked"]) == ("connect", "block", False)
    (told,) = tried(tmp_path, "https://b.example/?q='", rule, capsys)
    assert (told["phase"], told["action"]) == ("request", "block")


def test_the_mode_of_each_flow_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    file = tmp_path / "flows.jsonl"
    file.write_text('{"client": "10.0.0.1", "path": "/"}\n{"client": "10.0.0.2", "path": "/"}\n')
    (tmp_path / "sluice.toml").write_text('[[policy.scopes]]\nname = "first"\nclient = "10.0.0.1"\nmode = "enforce"\n')
    trial(str(file), tmp_path / "sluice.toml", tmp_path / "state")
    summary = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert summary == [
        "mode enforce by scope first: 1 allow",
        "mode monitor by the default: 1 allow; nothing is stopped",
    ]


def test_whose_flows_they_are_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    rule = '[[policy.rules]]\nname = "guests"\nclient = "10.9.0.0/16"\naction = "block"\n'
    (tmp_path / "sluice.toml").write_text(rule)
    for client, action in (("10.9.1.1", "block"), ("10.8.1.1", "allow"), ("", "allow")):
        trial("http://a.example/", tmp_path / "sluice.toml", tmp_path / "state", client=client)
        assert capsys.readouterr().out.startswith(action)


def test_captures_and_state_directories_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path / "state", tmp_path / "model")
    writer = CaptureWriter(tmp_path / "state" / "captures", worker="0", max_age=1e10, max_bytes=10**9)
    writer.offer(CaptureRow(record=FlowRecord(id="one", host="a.example", path="/?q='", time=5.0)))
    writer.close()
    for target in (tmp_path / "state", tmp_path / "state" / "captures", *tmp_path.rglob("*.parquet")):
        (told,) = tried(tmp_path, str(target), "", capsys)
        assert (told["id"], told["action"]) == ("one", "block")
    with pytest.raises(UserError, match="no captured flow in"):
        list(flows(str(tmp_path / "model")))


def test_exceptions_that_the_release_does_without_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = '[[policy.exceptions]]\nname = "e"\nhost = "a.example"\nowner = "o"\nreason = "r"\n'
    (tmp_path / "sluice.toml").write_text(policy)
    publish(tmp_path / "state", tmp_path / "model", weight=0.0)
    Needs(Journal(tmp_path / "state" / "sluice.db")).take(
        FlowRecord(host="a.example", path="/?q='"), Decision("allow", True, "", rule="e", spared="block")
    )
    trial("http://b.example/", tmp_path / "sluice.toml", tmp_path / "state")
    assert "exception 'e' is no longer needed" in capsys.readouterr().out


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert printable("a\x1b[2J\nb") == "a\\x1b[2J\\nb"
