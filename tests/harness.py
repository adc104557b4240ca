"""The real proxy for tests: `sluice run` in a process of its own, on free loopback ports, with a state of its own."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from classifier.registry import Registry
from models import tiny_model

START: Final = 120.0
"""Seconds to wait for a ready proxy; a loaded machine takes several to import everything."""
SLUICE: Final = (str(Path(sys.executable).with_name("sluice")),)


@dataclass
class Proxy:
    """A running proxy."""

    process: subprocess.Popen[bytes]
    state: Path
    url: str
    admin: str
    trusted: list[Path] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        """The certificate that its clients must trust."""
        return self.state / "ca" / "mitmproxy-ca-cert.pem"

    def context(self) -> ssl.SSLContext:
        """TLS settings of a client that trusts the proxy, and the origins' authority (for tunnels left alone)."""
        context = ssl.create_default_context(cafile=str(self.ca))
        for path in self.trusted:
            context.load_verify_locations(path)
        return context

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client that goes through the proxy."""
        return httpx.Client(proxy=self.url, verify=self.context(), timeout=20, trust_env=False, **options)

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of `/metrics` by name and labels."""
        text = httpx.get(f"{self.admin}/metrics", trust_env=False).text
        families = text_string_to_metric_families(text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have `labels`."""
        wanted = labels.items()
        return sum(value for (found, own), value in self.metrics().items() if found == name and wanted <= own)

    def wait_metric(self, name: str, at_least: float, **labels: str) -> float:
        """Wait until a metric has grown."""
        deadline = time.monotonic() + 20
        while (value := self.metric(name, **labels)) < at_least:
            assert time.monotonic() < deadline, f"{name}{labels} is {value}, not {at_least}"
            time.sleep(0.05)
        return value

    def log(self) -> str:
        """What it wrote so far."""
        return (self.state.parent / "proxy.log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def publish(state: Path, folder: Path, **options: Any) -> str:
    """Publish a tiny model made in `folder` and promote it; returns the release."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_model(folder / "model.onnx", **options)
    registry = Registry(state)
    release = registry.publish(folder)
    registry.promote(release)
    return release


@contextlib.contextmanager
def run_proxy(
    folder: Path,
    *,
    config: str = "",
    mode: str = "enforce",
    origin_ca: Path | None = None,
    shipped: bool = False,
    **model: Any,
) -> Iterator[Proxy]:
    """Run the proxy under `folder` until the block ends.

    It serves a tiny model, unless its state already follows one or the `shipped` release is asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state"
    if not shipped and not (state / "models" / "channels" / "stable").exists():
        publish(state, folder / "model", **model)
    (folder / "sluice.toml").write_text(_with_proxy(config, origin_ca))
    listen, admin = free_port(), free_port()
    command = [*SLUICE, "run", "--config", str(folder / "sluice.toml"), "--state", str(state)]
    command += ["--mode", mode] if mode else []
    command += ["--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}"]
    with (folder / "proxy.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    proxy = Proxy(process, state, f"http://127.0.0.1:{listen}", f"http://127.0.0.1:{admin}")
    proxy.trusted += [origin_ca] if origin_ca else []
    try:
        wait_ready(proxy)
        yield proxy
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
        process.wait()


def wait_ready(proxy: Proxy) -> None:
    """Wait until the proxy says that it serves."""
    deadline = time.monotonic() + START
    while True:
        assert proxy.process.poll() is None, proxy.log()
        assert time.monotonic() < deadline, proxy.log()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{proxy.admin}/-/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.05)


def sluice(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*SLUICE, *arguments], capture_output=True, text=True, timeout=120)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _with_proxy(config: str, origin_ca: Path | None) -> str:
    """`config` with `upstream_ca` in its `[proxy]` table, and no heartbeat unless it has one: tiny models fail it."""
    lines = f'upstream_ca = "{origin_ca}"\n' if origin_ca else ""
    lines += "" if "heartbeat" in config else 'heartbeat = "off"\n'
    if "[proxy]\n" in config:
        return config.replace("[proxy]\n", f"[proxy]\n{lines}", 1)
    return f"[proxy]\n{lines}\n{config}"
