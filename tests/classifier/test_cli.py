"""The root command: version, help, errors a person can act on, and what it does not import."""

import subprocess
import sys

import pytest
import typer

from classifier import cli
from classifier.errors import UserError

HEAVY = ("torch", "mitmproxy", "pyarrow", "onnxruntime", "sklearn", "scapy", "matplotlib", "onnx")


def test_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.build()(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("sluice 0.")


def test_every_package_hangs_its_commands_onto_the_root(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.build()(["--help"])
    shown = capsys.readouterr().out
    for command in ("run", "score", "label", "model", "train", "evaluate", "finetune", "policy", "explain"):
        assert f" {command} " in shown


def test_help_loads_nothing_heavy() -> None:
    script = f"""
import sys
from classifier import cli
cli.build()
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("no model named x:\n  publish one first"), 2),
        (UserError("no model named x: publish one first", exit_code=3), 3),
    ],
)
def test_a_users_mistake_is_one_line_and_its_exit_code(
    error: UserError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _command_that_raises(error, monkeypatch)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == code
    assert capsys.readouterr().err == "sluice: no model named x: publish one first\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _command_that_raises(ZeroDivisionError("a bug"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_closed_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _command_that_raises(BrokenPipeError(32, "Broken pipe"), monkeypatch)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == ""


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _command_that_raises(KeyboardInterrupt(), monkeypatch)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 130
    assert capsys.readouterr().err == ""


def _command_that_raises(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `sluice fall` an installed command that raises `error`."""

    class Entry:
        value = "falls:register"

        @staticmethod
        def load() -> object:
            return register

    def register(app: typer.Typer) -> None:
        @app.command()
        def fall() -> None:
            raise error

    monkeypatch.setattr(cli, "entry_points", lambda group: [Entry])
    monkeypatch.setattr(sys, "argv", ["sluice", "fall"])
