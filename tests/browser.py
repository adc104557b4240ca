"""A real browser for tests: headless Chromium, driven over its DevTools protocol (https://chromedevtools.github.io).

with run_browser(folder, proxy=proxy.url, trusted=proxy.ca) as page:
    page.open("http://127.0.0.1:8000/")
    page.click("button.first")
    page.wait("document.title === 'Done'")
    page.shot(Path("done.png"))
"""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.sync.client import ClientConnection, connect

import needs

PATIENCE: Final = 30.0
"""Seconds that anything may take on a loaded machine."""
NOWHERE: Final = "http://127.0.0.1:9"
"""A port that refuses: where a browser's own errands go (updates, accounts)."""
_QUIET: Final = (
    "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-gpu",
    "--disable-default-apps", "--disable-domain-reliability", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-features=Translate,OptimizationHints,MediaRouter,HttpsUpgrades,NetworkTimeServiceQuerying,LocalNetworkAccessChecks",
    f"--gaia-url={NOWHERE}", f"--google-apis-url={NOWHERE}", f"--google-base-url={NOWHERE}/",
    f"--component-updater=url-source={NOWHERE}", f"--variations-server-url={NOWHERE}", "--allow-browser-signin=false",
)  # fmt: skip


class Page:
    """One tab. What fails in the page fails the test: `evaluate` and `wait` raise AssertionError."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._numbers = connection, itertools.count(1)
        self.problems: list[str] = []
        """What the page complained about: refused by its policy, failed to load, or an exception."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol; its result."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._connection.recv(PATIENCE))
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self._note(told)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, f"{script}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def wait(self, script: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true on a page that has loaded; its value."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):  # a page that is being left has no context to ask
                if value := self.evaluate(
                    f"document.readyState === 'complete' && (found => found instanceof Node || found)({script})"
                ):
                    return value
            assert time.monotonic() < deadline, f"never: {script}\n{self.text()}"
            time.sleep(0.05)

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        mark = time.time_ns()
        self.evaluate(f"window.left = {mark}")
        self.call("Page.navigate", url=url)
        self.wait(f"window.left !== {mark} && document.readyState === 'complete'")

    def click(self, selector: str) -> None:
        """Press what a selector finds."""
        self.wait(f"document.querySelector({selector!r}) !== null")
        self.evaluate(f"document.querySelector({selector!r}).click()")

    def go(self, selector: str) -> None:
        """Press what leads to another page, and wait for it."""
        mark = time.time_ns()
        self.evaluate(f"window.left = {mark}")
        self.click(selector)
        self.wait(f"window.left !== {mark} && document.readyState === 'complete'")

    def fill(self, selector: str, value: str) -> None:
        """Type into a field, or choose in a list."""
        found = f"document.querySelector({selector!r})"
        self.wait(f"{found} !== null")
        self.evaluate(f"{found}.value = {json.dumps(value)}")
        for event in ("input", "keyup", "change"):
            self.evaluate(f"{found}.dispatchEvent(new Event({event!r}, {{bubbles: true}}))")

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def text(self) -> str:
        """What a reader sees."""
        return str(self.evaluate("document.body.innerText"))

    def look(self, width: int = 1280, height: int = 800, *, dark: bool = False) -> None:
        """Set the window's size and the system's colours."""
        mobile = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def shot(self, path: Path, *, longest: int = 4000) -> None:
        """A picture of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], longest), "scale": 1}
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))

    def _note(self, told: dict[str, Any]) -> None:
        if told["method"] == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
            self.problems.append(str(told["params"]["entry"]["text"]))
        elif told["method"] == "Runtime.exceptionThrown":
            self.problems.append(str(told["params"]["exceptionDetails"]))


@contextlib.contextmanager
def run_browser(folder: Path, *, proxy: str = "", trusted: Path | None = None, language: str = "en") -> Iterator[Page]:
    """A browser with its profile in `folder` until the block ends; skips where there is none.

    Everything goes through `proxy`, this machine's addresses too; without one nothing but 127.0.0.1 can be reached.
    `trusted` is an authority (PEM) that it accepts.
    """
    program = needs.require("chromium")
    command = [program, *_QUIET, f"--user-data-dir={folder}", f"--accept-lang={language}"]
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    command += [f"--ignore-certificate-errors-spki-list={_key_hash(trusted)}"] if trusted else []
    command += [f"--proxy-server={proxy or NOWHERE}", f"--proxy-bypass-list={'<-loopback>' if proxy else '127.0.0.1'}"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log)
    try:
        with connect(_address(folder, process), max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the first tab listens (DevToolsActivePort: a port, then the browser's own path)."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None and time.monotonic() < deadline, "the browser did not start"
        with contextlib.suppress(OSError, IndexError, httpx.HTTPError, StopIteration):
            port = (folder / "DevToolsActivePort").read_text().splitlines()[0]
            tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
            return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        time.sleep(0.05)


def _key_hash(certificate: Path) -> str:
    """SHA-256 of a certificate's public key, base64, as Chromium wants it."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    info = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()
