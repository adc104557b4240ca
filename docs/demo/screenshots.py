"""Make the console's pictures anew: docs/img/console-*.png.

python docs/demo/screenshots.py      needs `make setup` and Chromium; contacts nothing outside this machine

A make-believe site is browsed through a real proxy by a few made-up clients, some of them with attacks; then an
administrator's browser looks at every page.
"""

import os
import shutil
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import msgspec
import onnx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import Page, run_browser  # noqa: E402
from classifier.artifact import write_card  # noqa: E402
from classifier.card import decode  # noqa: E402
from classifier.registry import Registry, base  # noqa: E402
from harness import Proxy, run_proxy  # noqa: E402
from origin import run_origin  # noqa: E402

IMG = Path(os.environ.get("SLUICE_IMG", ROOT / "docs" / "img"))
CONFIG = """
[policy]
budget = {wrong_blocks = "1/100"}

[[policy.exceptions]]
name = "report builder"
host = "reports.example"
path = "/api/query"
method = "POST"
owner = "data team"
reason = "sends SQL by design"
expires = 2030-12-31
"""
PASSWORD = "only for the pictures"
PAGES = ("orders", "invoices", "timetable", "library/search", "canteen/menu", "wiki/holidays")
ATTACKS = (
    "/login?user=" + quote("admin' OR '1'='1' --"),
    "/library/search?q=" + quote("<script>fetch('/x?c='+document.cookie)</script>"),
    "/download?file=../../../../etc/passwd",
    "/ping?host=" + quote("127.0.0.1; cat /etc/passwd"),
    "/orders?page=" + quote("2 UNION SELECT name, password FROM users -- "),
)


def main() -> None:
    """Browse, attack, look."""
    with tempfile.TemporaryDirectory() as name, run_origin(Path(name)) as origin:
        folder = Path(name) / "proxy"
        registry = Registry(folder / "state")
        registry.promote(registry.resolve())
        other = milder(registry, Path(name) / "milder")
        with run_proxy(folder, config=CONFIG, origin_ca=origin.ca) as proxy:
            browse(proxy, origin.plain)
            report(proxy, origin.plain, Path(name) / "user")
            time.sleep(2)
            with run_browser(Path(name) / "admin") as page:
                look(page, proxy, other)


def milder(registry: Registry, folder: Path) -> str:
    """A release that flags and blocks later than the shipped one, as a fine-tuned one might."""
    shutil.copytree(base(), folder)
    model = folder / "model.onnx"
    card, golden = decode({each.key: each.value for each in onnx.load(model).metadata_props})
    card.operating_points = {
        scope: {
            name: {
                rate: msgspec.structs.replace(point, threshold=(1 + point.threshold) / 2) for rate, point in at.items()
            }
            for name, at in named.items()
        }
        for scope, named in card.operating_points.items()
    }
    write_card(model, card, golden)
    return registry.publish(folder, parent=registry.resolve(), method="finetune ewc-replay")


def browse(proxy: Proxy, site: str) -> None:
    """Four clients read pages; one of them is up to something."""
    for client in range(4):
        pages = [f"/{PAGES[(client + number) % len(PAGES)]}?page={number}" for number in range(12)]
        for path in (*pages, *(ATTACKS if client == 3 else ())):
            host, _, port = proxy.url.removeprefix("http://").partition(":")
            connection = HTTPConnection(host, int(port), source_address=(f"127.0.0.{11 + client}", 0))
            connection.request("GET", f"{site}{path}", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"})
            connection.getresponse().read()
            connection.close()


def report(proxy: Proxy, site: str, profile: Path) -> None:
    """Somebody finds a page blocked and says that it is a mistake."""
    with run_browser(profile, proxy=proxy.url, trusted=proxy.ca) as page:
        page.open(f"{site}/wiki/sql-course?example={quote("x' OR '1'='1' UNION SELECT name FROM teachers --")}")
        if page.evaluate("document.querySelector('button.first') !== null"):
            page.go("button.first")


def look(page: Page, proxy: Proxy, other: str) -> None:
    """Every page, in light and on a desk; two of them in the dark on a phone."""
    log = proxy.log()
    page.look(1200, 760)
    page.open(log[log.index("http", log.index("password: ")) :].split()[0])
    page.shot(IMG / "console-welcome.png")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.go("button.first")
    shots = {
        "overview": "/",
        "traffic": "/traffic?minutes=60",
        "review": "/review",
        "learning": "/learning",
        "setup": "/setup",
        "exceptions": "/exceptions?host=127.0.0.1&path=/wiki/sql-course&label=sqli&reason=our+SQL+course",
    }
    for name, path in shots.items():
        page.open(f"{proxy.admin}{path}")
        if name == "exceptions":
            page.go("#new button.first")
        if name == "review":
            page.shot(IMG / "console-review.png", longest=1500)
            page.press("h")
            page.wait("!document.body.innerText.includes('reported by a user')")
            continue
        if name == "setup":
            page.wait("document.querySelector('[data-result]:not([hidden])')")
        page.shot(IMG / f"console-{name}.png", longest=1500)
    page.open(f"{proxy.admin}/traffic?action=block&text=login")
    page.go("#flows td.url a")
    page.wait("document.querySelector('mark')")
    page.shot(IMG / "console-event.png", longest=1500)
    page.open(f"{proxy.admin}/releases/{other}/diff")
    page.go("main form button")
    page.wait("document.body.innerText.includes('Compare again')")
    page.shot(IMG / "console-changes.png", longest=1500)
    page.open(f"{proxy.admin}/releases")
    page.go(f"form[action='/releases/{other}/try/shadow'] button")
    time.sleep(3)
    page.open(f"{proxy.admin}/releases")
    page.shot(IMG / "console-releases.png", longest=1500)
    page.look(390, 844, dark=True)
    for name, path in {**shots, "changes": f"/releases/{other}/diff"}.items():
        if name not in ("overview", "traffic", "changes"):
            continue
        page.open(f"{proxy.admin}{path}")
        page.shot(IMG / f"console-{name}-phone.png", longest=1500)
    problems = [problem for problem in page.problems if "ERR_PROXY_CONNECTION_FAILED" not in problem]
    assert problems == []  # but the setup page's self-test, which is to fail here


if __name__ == "__main__":
    main()
