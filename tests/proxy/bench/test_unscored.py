"""The core without the filter, as a process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from origin import Origin
from proxy.bench.servers import free_port


def test_it_passes_requests_on_and_ends_when_told(tmp_path: Path, origin: Origin) -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "proxy.bench.unscored", str(port), str(tmp_path)]) as process:
        with httpx.Client(proxy=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            assert patient(client, f"{origin.plain}/it?q=%27%20or%201=1").text == "GET /it 0"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def patient(client: httpx.Client, url: str) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return client.get(url)
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
