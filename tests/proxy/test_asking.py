"""`sluice review` at a real pseudo-terminal."""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from classifier.journal import Event, Journal
from classifier.records import LABELS, FlowRecord, Label, Verdict
from classifier.registry import Registry
from models import tiny_release
from proxy.asking import KEYS

SLUICE = [sys.executable, "-m", "classifier.cli", "review"]
NOW = 1_790_000_000.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Three events: one reported, one blocked, one flagged; and the release that judged them."""
    registry = Registry(tmp_path)
    release = registry.publish(tiny_release(tmp_path / "made"))
    registry.promote(release)
    journal = Journal(tmp_path / "sluice.db")
    for name, action, threat in (("reported", "flag", 0.99), ("blocked", "block", 0.99), ("flagged", "flag", 0.98)):
        scores = {Label.SQLI: threat, Label.BENIGN: 1 - threat}
        record = FlowRecord(id=f"flow-{name}", time=NOW, client="10.0.0.7", host="shop.example", method="GET",
                            scheme="http", path=f"/{name}?q=it''s\x1b[2J")  # fmt: skip
        journal.event(
            Event(id=name, time=NOW, record=record, action=action, enforced=True, release=release, label=Label.SQLI,
                  verdict=Verdict(Label.SQLI, threat, scores, release), reason=f"threat {threat} reaches the …")
        )  # fmt: skip
    journal.report("reported", "10.0.0.9")
    journal.close()
    return tmp_path


class Terminal:
    """The command at a pseudo-terminal: what it shows, and keys for it."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process, self.master, self.seen = process, master, ""

    def shows(self, *wanted: str) -> str:
        """Wait until all of `wanted` have been shown since the last key, without colours."""
        end = time.monotonic() + 20
        while not all(each in self.plain for each in wanted):
            assert time.monotonic() < end and self._read(), self.plain
        return self.plain

    def press(self, key: str) -> None:
        """Press a key."""
        self.seen = ""
        os.write(self.master, key.encode())

    def ends(self) -> int:
        """How it ended."""
        while self._read():
            pass
        return self.process.wait(60)

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self.seen).replace("\r", "")

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 20)[0]:
            return False
        try:
            new = os.read(self.master, 4096)
        except OSError:  # Linux: the other end is closed
            return False
        self.seen += new.decode("utf-8", "replace")
        return bool(new)


@contextmanager
def terminal(state: Path, *arguments: str, columns: str = "200") -> Iterator[Terminal]:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": columns, "LINES": "50"}
    process = subprocess.Popen(
        [*SLUICE, "--state", str(state), *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def words(state: Path) -> dict[str, str]:
    return {flow: str(row.label) for flow, row in Journal(state / "sluice.db").labels().items()}


def test_a_sitting(state: Path) -> None:
    with terminal(state) as screen:
        text = screen.shows("1 of 3", "reported by a user, by 10.0.0.9", "http://shop.example/reported", "flagged")
        assert "[[" in screen.shows("]]") and "'" in text, "the spans that carried the score"
        assert "\\x1b[2J" in text, "what a client wrote steers nothing"
        screen.press("b")
        screen.shows("benign", "2 of 3", "/blocked", "blocked: threat 0.99")
        screen.press("\x1b[A")  # an arrow says nothing
        screen.press("x")
        screen.shows("1 sqli")
        screen.press("y")
        screen.shows("sqli", "3 of 3")
        screen.press("u")
        screen.shows("undone", "2 of 3")
        assert words(state) == {"reported": "benign"}
        screen.press("s")
        screen.shows("skipped", "3 of 3")
        screen.press("2")
        screen.shows("xss", "2 labelled, 1 skipped, 0 left", "sluice finetune run")
        assert screen.ends() == 0
    assert words(state) == {"reported": "benign", "flagged": "xss"}


def test_who_quits_goes_on_where_it_ended(state: Path) -> None:
    with terminal(state) as screen:
        screen.shows("1 of 3", "]]")
        screen.press("u")
        screen.shows("nothing to undo", "1 of 3", "]]")
        screen.press("b")
        screen.shows("2 of 3", "]]")
        screen.press("q")
        screen.shows("1 labelled, 0 skipped, 2 left")
        assert screen.ends() == 0
    with terminal(state, "--limit", "1") as screen:
        screen.shows("1 of 1", "/blocked", "]]")
        screen.press("\x03")
        assert screen.ends() == 0
    assert words(state) == {"reported": "benign"}


def test_a_narrow_terminal_will_do(state: Path) -> None:
    with terminal(state, columns="40") as screen:
        screen.shows("1 of 3", "]]")
        screen.press("q")
        assert screen.ends() == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLUICE, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_programs_get_a_list(state: Path) -> None:
    done = run("--json", "--state", str(state))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [item["event"] for item in found] == ["reported", "blocked", "flagged"]
    assert found[0]["reported"] == 1 and found[0]["reporter"] == "10.0.0.9"


@pytest.mark.parametrize("given", [[], ["--limit", "2"]], ids=["plain", "limited"])
def test_without_a_terminal_it_says_what_to_do_instead(state: Path, given: list[str]) -> None:
    done = run("--state", str(state), *given)
    assert done.returncode == 2
    assert done.stderr == (
        "sluice: standard input is no terminal to ask at; list the queue with --json, answer with sluice label\n"
    )


def test_a_state_without_events_is_one_line(tmp_path: Path) -> None:
    done = run("--json", "--state", str(tmp_path / "none"))
    assert done.returncode == 2 and "no events in" in done.stderr


def test_an_empty_queue_says_so(tmp_path: Path) -> None:
    Journal(tmp_path / "sluice.db").close()
    with terminal(tmp_path) as screen:
        screen.shows("Nothing waits for you")
        assert screen.ends() == 0


def test_every_label_has_a_key_of_its_own() -> None:
    assert sorted(KEYS.values()) == sorted(LABELS)
    assert not set(KEYS) & set("ysuq")
