"""What a test needs from the machine: programs and data that not every machine has.

`require("prometheus")` skips the test where the program is missing; a machine that promises it by naming it in
`SLUICE_REQUIRE` (comma-separated, as CI does) gets a failure instead, so that a skip there cannot hide anything.
"""

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

import pytest

from classifier.errors import UserError
from classifier.training.evaluation import nginx

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = {"promtool": "prometheus", "nft": "nftables", "ip": "iproute2", "nsenter": "util-linux"}
"""Program -> the distribution's package that brings it, where their names differ."""
SYSTEM: Final = "/usr/sbin:/sbin"
"""Where servers are installed; a user's own path often lacks it."""


def require(program: str) -> str:
    """The path of `program`, else skip (or fail, where `SLUICE_REQUIRE` promises it)."""
    found = shutil.which(program) or shutil.which(program, path=SYSTEM)
    if found is None:
        missing(program, f"{program} is not installed (package {PACKAGES.get(program, program)})")
    return found


def module(name: str) -> None:
    """An optional package that can be imported, else skip (or fail, where `SLUICE_REQUIRE` promises it)."""
    if find_spec(name) is None:
        missing(name, f"{name} is not installed (extra {name})")


def crs() -> None:
    """nginx with ModSecurity and the Core Rule Set, else skip (or fail, where `nginx` is promised)."""
    require("nginx")
    try:
        nginx.installed()
    except UserError as error:
        missing("nginx", str(error))


def corpus() -> Path:
    """The folder of prepared public data: `SLUICE_CORPUS`, else a folder beside the checkout."""
    folder = Path(os.environ.get("SLUICE_CORPUS", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        missing("data", f"no corpora at {folder} (set SLUICE_CORPUS)")
    return folder


def missing(need: str, reason: str) -> NoReturn:
    """Skip for `reason`, or fail where `need` is promised."""
    promised = {name.strip() for name in os.environ.get("SLUICE_REQUIRE", "").split(",")}
    if need in promised or PACKAGES.get(need) in promised:
        pytest.fail(f"SLUICE_REQUIRE promises {need}, but {reason}")
    pytest.skip(reason)


def listening() -> None:
    """The right to listen on interfaces, else skip (or fail, where `capture` is promised)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (PermissionError, AttributeError):
        missing("capture", "no right to listen on interfaces (CAP_NET_RAW)")
