"""README and tutorial show what their scripts print: up to the fine-tuning, with `SLUICE_REQUIRE=tutorial` to the end.

Ids, times and figures differ from run to run and are compared by their shape.
"""

import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Final

import pytest

from needs import ROOT, require
from test_docs import blocks

PAGES: Final = (
    pytest.param(ROOT / "README.md", ROOT / "docs/transcript.sh", "The first fine-tuning", id="readme"),
    pytest.param(ROOT / "docs/tutorial.md", ROOT / "docs/tutorial.sh", "Learn", id="tutorial"),
)
"""A page, the script that makes its transcripts, and the section that learns."""
PORTS: Final = (8080, 8081, 8443)
WHOLE: Final = "tutorial" in os.environ.get("SLUICE_REQUIRE", "").split(",")


@pytest.mark.parametrize(("page", "script", "learning"), PAGES)
def test_every_command_is_one_of_the_scripts(page: Path, script: Path, learning: str) -> None:
    text = script.read_text().replace("'\"'\"'", "'")
    assert learning in text
    told = [command for command, _ in steps("\n".join(blocks(page, "console")))]
    assert told
    assert [command for command in told if command not in text] == []


@pytest.mark.parametrize(("page", "script", "learning"), PAGES)
def test_the_script_leaves_a_state_that_is_in_use_alone(
    page: Path, script: Path, learning: str, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/sluice.db").write_text("")
    done = subprocess.run(["sh", str(script), str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "in use" in done.stderr


@pytest.mark.parametrize(("page", "script", "learning"), PAGES)
def test_what_is_shown_is_what_is_printed(page: Path, script: Path, learning: str, tmp_path: Path) -> None:
    require("curl")
    if not all(free(port) for port in PORTS):
        pytest.skip(f"the script's ports are taken: {PORTS}")
    done = subprocess.run(
        ["sh", str(script), str(tmp_path), "" if WHOLE else learning],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    printed = dict(steps(done.stdout))
    shown = steps("\n".join(blocks(page, "console")))
    for command, output in shown if WHOLE else shown[: len(printed)]:
        assert command in printed
        missing = [line for line in output if line not in printed[command]]
        assert missing == [], f"{command}\n{printed[command]}"


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Commands of a transcript, each with the lines that it printed, their shapes."""
    found = []
    for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = step.rstrip("\n").split("\n")
        end = next((i for i, _ in enumerate(lines) if complete("\n".join(lines[: i + 1]))), len(lines) - 1)
        found.append(("\n".join(lines[: end + 1]), [shape(line) for line in lines[end + 1 :]]))
    return found


def complete(command: str) -> bool:
    """Whether a command, which may go over several lines, ends here."""
    here = re.search(r"<<(\w+)", command)
    if here is not None:
        return command.endswith(f"\n{here[1]}")
    return len(re.findall(r"\bdo\b", command)) == len(re.findall(r"\bdone\b", command)) and command.count("'") % 2 == 0


def shape(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"key=\S+", "key=…", re.sub(r"\b[0-9a-f]{32}\b", "ID", line))
    return re.sub(r"\d+(\.\d+)?", "0", re.sub(r"\b\d{8}-[0-9a-f]{12}\b", "RELEASE", line)).rstrip()


def free(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def environment() -> dict[str, str]:
    """Ours, without settings for another proxy or state."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "SLUICE_STATE"}
