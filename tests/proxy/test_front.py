"""The process that a person starts: small, first to be there, and the only one that answers on the admin port."""

import subprocess
import sys

import httpx

from harness import Proxy


def test_the_supervisor_loads_neither_mitmproxy_nor_a_model() -> None:
    script = "import sys, proxy.front; print([name for name in ('mitmproxy', 'onnxruntime') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


def test_health_and_readiness_are_told_by_one_process(enforcing: Proxy) -> None:
    assert httpx.get(f"{enforcing.admin}/-/healthy", trust_env=False).status_code == 200
    assert httpx.get(f"{enforcing.admin}/-/ready", trust_env=False).text == "ready\n"


def test_the_invitation_outlives_workers(enforcing: Proxy) -> None:
    line = next(line for line in enforcing.log().splitlines() if "/welcome?key=" in line)
    assert httpx.get(line.rpartition(" ")[2], trust_env=False).status_code == 200
