from pathlib import Path

import pytest
import typer

from classifier.errors import UserError
from classifier.records import FlowRecord
from harness import publish
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
        assert [line.split()[0] for line in told.out.splitlines()] == [action, "allow"]
        assert "flows.jsonl:3" in told.err


def test_a_target_that_is_nothing_is_a_mistake(tmp_path: Path) -> None:
    for target in ("http:///x", str(tmp_path / "none.har")):
        with pytest.raises(UserError):
            list(flows(target))
