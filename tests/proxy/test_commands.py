"""The commands as a person uses them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.records import FlowRecord
from harness import publish, sluice
from inside import make_judge


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    publish(folder / "state", folder / "model")
    return folder / "state"


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, classifier.cli as cli\n"
        "cli.build()\n"
        "print([name for name in ('mitmproxy', 'pyarrow', 'onnxruntime', 'pydantic', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_policy_check_says_what_a_file_means(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text('[policy]\nmode = "enforce"\n[[policy.rules]]\nhost = "a.example"\naction = "block"\n')
    done = sluice("policy", "check", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "mode enforce by policy.mode, 1 rules, 0 exceptions" in done.stdout


def test_policy_check_refuses_a_bad_file(tmp_path: Path) -> None:
    file = tmp_path / "sluice.toml"
    file.write_text("[polcy]\n")
    done = sluice("policy", "check", str(file))
    assert done.returncode == 2
    assert "polcy: unknown key, did you mean policy?" in done.stderr


def test_policy_test_judges_a_url(state: Path) -> None:
    done = sluice("policy", "test", "http://a.example/?q='", "--state", str(state))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("block  sqli")


def test_policy_test_gives_objects(state: Path) -> None:
    done = sluice("policy", "test", "http://a.example/?q='", "--state", str(state), "--json")
    assert json.loads(done.stdout)["action"] == "block"


def test_policy_pins_lists_them(tmp_path: Path) -> None:
    make_judge(tmp_path)
    done = sluice("policy", "pins", "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "no server is pinned\n")
    assert sluice("policy", "pins", "--state", str(tmp_path / "none")).returncode == 2


def test_explain_shows_an_event(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    record = FlowRecord(method="GET", scheme="http", host="a.example", path="/?q='", time=5.0)
    event = judge.judge(lambda: record, "request").decision.event
    told = sluice("explain", event, "--state", str(tmp_path), "--json")
    fields = json.loads(told.stdout)
    assert (fields["event"], fields["action"], fields["label"]) == (event, "block", "sqli")
    assert fields["seen"] == "a block page"


def test_explain_of_an_unknown_event_is_one_line(tmp_path: Path) -> None:
    done = sluice("explain", "nothing", "--state", str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
