"""A worker as a process; what it does with its orders is in `test_process` and `test_supervisor`."""

import subprocess
import sys


def test_it_is_no_command_for_people() -> None:
    done = subprocess.run([sys.executable, "-m", "proxy.worker"], capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1


def test_importing_it_leaves_torch_out() -> None:
    script = "import sys, proxy.worker, proxy.serve; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "False"
