import subprocess
from pathlib import Path

import pytest

from harness import SLUICE, sluice
from proxy.console.vault import Vault


@pytest.mark.parametrize(("given", "code"), [("correct horse\n", 0), ("short\n", 2), ("", 2)])
def test_a_password_is_read_from_standard_input(tmp_path: Path, given: str, code: int) -> None:
    command = [*SLUICE, "console", "password", "--state", str(tmp_path)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    assert Vault(tmp_path / "keys").knows_password(given.strip()) is (code == 0)


def test_a_token_is_printed_once(tmp_path: Path) -> None:
    token = sluice("console", "token", "--state", str(tmp_path)).stdout.strip()
    assert Vault(tmp_path / "keys").knows_token(token)
