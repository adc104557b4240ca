"""Which verdicts change between two releases, and what people say of the flows they change for."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from classifier import cli
from classifier.errors import UserError
from classifier.journal import Event, Journal
from classifier.masking import mask
from classifier.records import FlowRecord, Label, to_json
from classifier.registry import Registry
from classifier.store import CaptureRow, CaptureWriter
from models import tiny_release
from proxy.differences import Difference, compare

DAY = 86_400.0


@pytest.fixture
def releases(tmp_path: Path) -> tuple[str, str]:
    """One that blocks a quote, and one that blocks it from the second on."""
    registry = Registry(tmp_path / "state")
    before, after = (registry.publish(tiny_release(tmp_path / str(weight), weight=weight)) for weight in (16.0, 5.0))
    return before, after


def flow(name: str, path: str, day: float = 0.0, **fields: object) -> FlowRecord:
    return FlowRecord(id=name, time=1000.0 + day * DAY, host="a.example", method="GET", path=path, **fields)  # type: ignore[arg-type]


ONE, TWO, CALM = flow("one", "/?q='"), flow("two", "/?q=''", 2.0), flow("calm", "/", 1.0)


def diff(tmp_path: Path, releases: tuple[str, str], *arguments: str) -> Difference:
    done = CliRunner().invoke(
        cli.build(), ["model", "diff", *releases, "--state", str(tmp_path / "state"), "--json", *arguments]
    )
    assert done.exit_code == 0, done.output
    return Difference(**json.loads(done.stdout))


def written(tmp_path: Path, *records: FlowRecord) -> str:
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"\n".join(map(to_json, records)) + b"\n")
    return str(path)


def test_only_what_changes_is_listed(tmp_path: Path, releases: tuple[str, str]) -> None:
    found = diff(tmp_path, releases, "--flows", written(tmp_path, ONE, TWO, CALM))
    assert (found.before, found.after) == releases
    assert found.flows == 3
    assert found.days == pytest.approx(2.0)
    assert found.moves == {"block→allow": 1}
    (change,) = found.changes
    assert change["id"] == "one"  # type: ignore[index]
    assert change["label"] == "sqli"  # type: ignore[index]


def test_the_strictest_phase_of_a_flow_counts(tmp_path: Path, releases: tuple[str, str]) -> None:
    answered = flow("answered", "/?q='", status=200, phase="response", response_body=b"ok")
    found = diff(tmp_path, releases, "--flows", written(tmp_path, answered))
    assert found.moves == {"block→allow": 1}


def test_by_default_the_captures_are_replayed_and_peoples_words_are_counted(
    tmp_path: Path, releases: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    flows = [flow(f"n{number}", "/?q='", number / 2) for number in range(5)]
    for number, record in enumerate(flows):
        assert writer.offer(CaptureRow(record=mask(record), event=f"event-{number}"))
    writer.close()
    journal = Journal(state / "sluice.db")
    event = Event(
        id="event-1", time=1.0, record=flows[1], verdict=None, action="block", enforced=True, reason="", release=""
    )
    journal.event(event)
    journal.report("event-1", "10.0.0.1")
    journal.label("n0", Label.BENIGN)
    journal.label("event-2", Label.SQLI)

    compare(*releases, [], None, state, False)

    told = capsys.readouterr().out
    assert "5 flows over 2.0 days" in told
    assert "5 block→allow, 2.5 a day; 1 of them labelled harmless; 1 of them labelled a threat; 1 of them rep" in told


def test_nothing_to_say_is_said(tmp_path: Path, releases: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    compare(releases[0], releases[0], [Path(written(tmp_path, ONE, TWO))], None, tmp_path / "state", False)
    assert "every verdict stays" in capsys.readouterr().out


def test_the_policy_decides_as_it_would_in_the_proxy(tmp_path: Path, releases: tuple[str, str]) -> None:
    config = tmp_path / "sluice.toml"
    config.write_text('[[policy.rules]]\nname = "ours"\nhost = "a.example"\naction = "allow"\n')
    assert diff(tmp_path, releases, "--flows", written(tmp_path, ONE), "--config", str(config)).moves == {}


def test_what_clients_wrote_does_not_steer_the_terminal(
    tmp_path: Path, releases: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    compare(*releases, [Path(written(tmp_path, flow("x", "/\x1b[2J'")))], None, tmp_path / "state", False)
    assert "\x1b" not in capsys.readouterr().out


def test_what_cannot_be_read_is_named_and_the_rest_compared(
    tmp_path: Path, releases: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(written(tmp_path, ONE))
    file.write_bytes(file.read_bytes() + b"broken\n")
    with pytest.raises(typer.Exit) as stopped:
        compare(*releases, [file], None, tmp_path / "state", False)
    told = capsys.readouterr()
    assert stopped.value.exit_code == 1
    assert "1 block→allow" in told.out
    assert "flows.jsonl:2" in told.err


def test_without_captures_a_person_is_told_what_to_do(tmp_path: Path, releases: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="name files with --flows"):
        compare(*releases, [], None, tmp_path / "state", False)
