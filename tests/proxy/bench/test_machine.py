"""The machine: cores, pinning, processor time."""

import json
import math
import os
import subprocess
import sys
import time

import pytest

from proxy.bench import machine

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is pinned or read from /proc")


def test_a_reader_can_place_the_figures() -> None:
    described = machine.describe()
    assert described.keys() == {"cpu", "cores", "system", "python", "load"}
    json.dumps(described)


def test_server_and_load_share_no_core() -> None:
    server, load = machine.cores()
    assert not server & load
    assert bool(server) == bool(load)


@LINUX
def test_what_is_started_while_pinned_stays_there() -> None:
    core = max(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    script = "import os; print(os.sched_getaffinity(0))"
    with machine.pinned({core}):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == f"{{{core}}}"
    assert os.sched_getaffinity(0) == before


def test_without_cores_nothing_is_pinned() -> None:
    with machine.pinned(set()):
        pass


@LINUX
def test_processor_time_counts_children() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\n"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {(busy + 'input()')!r}])\n"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while machine.cpu_seconds(process.pid) < 0.3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.communicate(b"\n")


def test_a_process_that_is_gone_has_no_known_time() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert math.isnan(machine.cpu_seconds(process.pid))
