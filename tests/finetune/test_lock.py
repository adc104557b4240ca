"""One run at a time, across processes, and nothing to clean up after a crash."""

import subprocess
import sys
from pathlib import Path

import pytest

from classifier.errors import UserError
from finetune.lock import Busy, exclusive

HOLD = """
import sys, time
from pathlib import Path
from finetune.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_told_to_wait(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(Busy, match="another fine-tuning run is at work"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass


def test_it_holds_between_processes_and_ends_with_the_holder(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy), exclusive(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with exclusive(tmp_path):
        pass


def test_a_state_that_cannot_be_written_is_a_mistake_and_not_a_wait(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to") as raised, exclusive(tmp_path / "file" / "state"):
        pass
    assert not isinstance(raised.value, Busy)
