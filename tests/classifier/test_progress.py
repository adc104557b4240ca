"""The progress bar: it counts on a terminal and keeps quiet elsewhere."""

import io
import json
from contextlib import redirect_stderr

import pytest

from classifier.progress import Bar


class Terminal(io.StringIO):
    """Standard error of somebody who looks on."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's says what a terminal can do."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def test_it_is_silent_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("Training", 3) as bar:
        bar.at(1)
        bar.at(3, loss=0.5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("total", "count"), [(7, "3/7"), (None, "3/?")])
def test_it_counts_on_a_terminal(total: int | None, count: str) -> None:
    with redirect_stderr(Terminal()) as stream, Bar("Reading", total) as bar:
        bar.at(1)
        bar.at(3)
    assert "Reading" in stream.getvalue() and count in stream.getvalue()


def test_the_loss_stands_beside_the_title() -> None:
    with redirect_stderr(Terminal()) as stream, Bar("Training", 7) as bar:
        bar.at(3, loss=0.12345)
    assert "Training (loss 0.123)" in stream.getvalue()


def test_counting_before_the_start_does_not_fail() -> None:
    with redirect_stderr(Terminal()) as stream:
        bar = Bar("Reading", 7)
        bar.at(2)
        assert stream.getvalue() == ""
        with bar:
            pass
    assert "2/7" in stream.getvalue()


def test_an_error_inside_ends_the_bar_and_goes_on() -> None:
    with redirect_stderr(Terminal()) as stream, pytest.raises(KeyboardInterrupt), Bar("Reading", 7):
        raise KeyboardInterrupt
    assert "0/7" in stream.getvalue()


def test_whoever_asks_gets_lines_of_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SLUICE_PROGRESS", "json")
    monkeypatch.setattr("classifier.progress.PAUSE", 0.0)
    with Bar("Training", 3) as bar:
        bar.at(2, loss=0.5)
    with Bar("Reading"):
        pass
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told == [
        {"progress": "Training", "done": 0, "total": 3},
        {"progress": "Training", "done": 2, "total": 3},
        {"progress": "Reading", "done": 0, "total": 0},
    ]
