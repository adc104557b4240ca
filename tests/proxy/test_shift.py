"""`sluice drift` from outside: what it says with too little traffic, when nothing moved, and when something did."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from classifier import cli
from classifier.drift import settle
from classifier.errors import UserError
from classifier.journal import Journal
from classifier.masking import mask
from classifier.records import FlowRecord
from classifier.registry import Registry
from classifier.stability import SCORE_BINS, score_bin
from classifier.store import CaptureRow, CaptureWriter
from classifier.tallies import HOUR, SCORE, Tallies
from models import tiny_release
from proxy import shift

NOW = int(time.time() // HOUR)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state with a release in service and no traffic yet."""
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    registry = Registry(state)
    registry.promote(registry.publish(tiny_release(tmp_path / "made", weight=2.0)))
    Journal(state / "sluice.db")
    return state


def traffic(state: Path, late: float) -> None:
    """Two days of requests; those of the second have the threat `late`."""
    journal, release = Journal(state / "sluice.db"), Registry(state).resolve()
    tallies = Tallies(journal)
    for hour in range(NOW - 49, NOW + 1):
        place = score_bin(0.01 if hour < NOW - 24 else late)
        tallies.add(release, {("request", SCORE): np.bincount([place] * 60, minlength=SCORE_BINS)}, hour)
    settle(journal, release)


def captures(state: Path) -> None:
    """Calm flows before, loud ones of a new host since."""
    writer = CaptureWriter(state / "captures", worker="0", max_age=1e12, max_bytes=10**9)
    for number in range(700):
        late = number >= 350
        record = FlowRecord(
            id=str(number), host="new.example" if late else "old.example", method="GET",
            path=f"/{number}?q=" + "'" * (2 * late), time=time.time() - (1.0 if late else 40.0) * HOUR,
        )  # fmt: skip
        assert writer.offer(CaptureRow(record=mask(record)))
    writer.close()
    (day,) = (state / "captures").glob("date=*")
    day.rename(day.with_name("date=2026-01-01"))


def drift(*arguments: str) -> Result:
    return CliRunner().invoke(cli.build(), ["drift", *arguments])


def test_without_traffic_it_says_how_much_is_missing(state: Path) -> None:
    done = drift("--state", str(state))
    assert done.exit_code == 0
    assert "not enough traffic for a reference yet: 0 of 1,000 flows, 0 of 24 hours" in done.stdout
    assert "next: nothing yet" in done.stdout


def test_the_same_traffic_is_stable(state: Path) -> None:
    traffic(state, 0.01)
    done = drift("--state", str(state))
    assert "request   score       0.000  stable" in done.stdout
    assert "next: nothing: the traffic is what the release is used to" in done.stdout


def test_other_traffic_has_moved_and_it_says_what_and_what_to_do(state: Path) -> None:
    traffic(state, 0.5)
    captures(state)
    done = drift("--state", str(state))
    assert done.exit_code == 0, done.output
    for said in ("moved", "What moved the scores of requests", "new.example", "Worth a label", "sluice finetune run"):
        assert said in done.stdout
    hosts = [line.split(maxsplit=2)[2] for line in done.stdout.splitlines() if line.strip().startswith("host")]
    told = ["new.example  (100.0% of flows, before 0.0%)", "old.example  (0.0% of flows, before 100.0%)"]
    assert sorted(hosts) == told, "one came, one went"


def test_as_json(state: Path) -> None:
    traffic(state, 0.5)
    captures(state)
    found = json.loads(drift("--state", str(state), "--json").stdout)
    assert found.keys() == {"release", "figures", "history", "shifts", "doubts", "advice", "note"}
    figure = next(figure for figure in found["figures"] if (figure["phase"], figure["of"]) == ("request", "score"))
    assert figure["verdict"] == figure["said"] == "moved" and figure["psi"] > 0.25 and figure["rows"] >= 1000
    assert found["shifts"][0]["parts"][0].keys() == {"kind", "name", "part", "before", "now"}
    assert found["doubts"][0]["what"].startswith("GET new.example")
    assert found["history"]


def test_moved_without_captures_still_answers(state: Path) -> None:
    traffic(state, 0.5)
    done = drift("--state", str(state))
    assert done.exit_code == 0
    assert "what moved cannot be said: no captures in" in done.stdout


def test_the_page(state: Path, tmp_path: Path) -> None:
    traffic(state, 0.5)
    assert drift("--state", str(state), "--html", str(tmp_path / "drift.html")).exit_code == 0
    assert "<svg" in (tmp_path / "drift.html").read_text()


def test_captures_that_cannot_be_read_are_named_with_exit_code_1(state: Path) -> None:
    traffic(state, 0.5)
    folder = state / "captures" / "date=2026-01-01" / "proxy=0"
    folder.mkdir(parents=True)
    (folder / "torn.parquet").write_bytes(b"PAR1")
    done = drift("--state", str(state))
    assert done.exit_code == 1
    assert "torn.parquet: cannot be read as captures" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "soon"], "--since 'soon': a span such as 7d"),
        (["--html", "none/drift.html"], "none/drift.html: cannot be written"),
        (["--state", "nowhere"], "no sluice.db in nowhere"),
    ],
)
def test_mistakes_are_one_line(state: Path, arguments: list[str], said: str) -> None:
    done = drift("--state", str(state), *arguments)
    assert isinstance(done.exception, UserError) and said in str(done.exception)
    assert done.exception.exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7d", 1e9 - 7 * 86_400), ("12h", 1e9 - 12 * 3600), ("30m", 1e9 - 1800), ("1970-01-02", 86_400.0)],
)
def test_since_is_a_span_or_a_date(text: str, expected: float) -> None:
    assert shift.parse(text, 1e9) == expected


def test_the_time_may_be_named(state: Path) -> None:
    traffic(state, 0.5)
    found = json.loads(drift("--state", str(state), "--since", "20h", "--json").stdout)
    figure = next(figure for figure in found["figures"] if figure["verdict"])
    assert figure["since"] >= (NOW - 21) * HOUR
