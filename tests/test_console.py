"""The whole loop as people see it, in real browsers: a user reports a blocked page, an administrator lets it learn.

block page ─▶ "report a mistake" ─▶ review queue ─▶ H ─▶ "learn now" ─▶ gates ─▶ the page opens
"""

import itertools
import re
import time
from collections.abc import Iterator

import pytest

import prejudiced
from browser import Page, run_browser
from classifier.registry import Registry
from harness import Proxy, run_proxy
from origin import Origin, run_origin

PASSWORD = "correct horse"
REPORTED, FRESH = 6, 3
"""Blocked reports of the site that a user complains about, and others that are only seen to be blocked."""
PAGES = 120
"""Ordinary requests that the filter also learns from."""
LEARNING = 800.0
"""Seconds that fine-tuning may take on a loaded machine; 40 on an idle one."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with run_origin(tmp_path_factory.mktemp("origin")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Proxy]:
    """A proxy whose model has a prejudice against a site's reports."""
    folder = tmp_path_factory.mktemp("loop")
    registry = Registry(folder / "state")
    registry.promote(registry.publish(prejudiced.make(folder / "base", browser=True)))
    with run_proxy(folder, origin_ca=origin.ca) as running:
        yield running


@pytest.fixture(scope="module")
def user(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser in the network."""
    folder = tmp_path_factory.mktemp("user") / "profile"
    with run_browser(folder, proxy=proxy.url, trusted=proxy.ca) as page:
        yield page


@pytest.fixture(scope="module")
def admin(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An administrator's browser, logged in by the link of the first start."""
    with run_browser(tmp_path_factory.mktemp("admin") / "profile") as page:
        found = re.search(r"http://\S+/welcome\?key=\S+", proxy.log())
        assert found
        page.open(found[0])
        page.fill("[name=password]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.go("button.first")
        yield page


@pytest.mark.timeout(1500)  # two minutes on an idle machine
def test_a_blocked_page_is_reported_learned_and_opens(origin: Origin, proxy: Proxy, user: Page, admin: Page) -> None:
    browse(proxy, origin)
    stopped = (number for number in range(99) if blocks(user, report(origin, number)))
    fresh = list(itertools.islice(stopped, FRESH))
    for _ in itertools.islice(stopped, REPORTED):
        user.go("button.first")
        assert "Thank you" in user.text()

    admin.open(f"{proxy.admin}/review")
    asked = "document.querySelector('form[action=\"/label\"] [name=flow]')"
    for _ in range(REPORTED):
        flow = admin.evaluate(f"{asked}.value")
        assert "reported by a user" in admin.text()
        admin.press("h")
        admin.wait(f"{asked}?.value !== '{flow}'")
    assert "reported by a user" not in admin.text()

    before = Registry(proxy.state).resolve()
    admin.open(f"{proxy.admin}/learning")
    admin.go("button.first")
    assert "Learning now" in admin.text()
    admin.wait("document.body.innerText.includes('Took ')", LEARNING)
    assert "Learned" in admin.text(), admin.text()
    release = Registry(proxy.state).resolve()
    assert release != before
    proxy.wait_metric("sluice_model_info", 1, release=release)

    assert [number for number in fresh if blocks(user, report(origin, number))] == []
    assert blocks(user, f"{origin.tls}{prejudiced.attack(3)[0].path}")
    admin.open(f"{proxy.admin}/releases")
    assert f"{release}\nin service" in admin.text()
    assert admin.problems == []


def browse(proxy: Proxy, origin: Origin) -> None:
    with proxy.client() as client:
        for number in range(PAGES):
            site = (origin.plain, origin.tls)[number % 2]
            assert client.get(f"{site}{prejudiced.page(number).path}").status_code == 200


def blocks(user: Page, url: str) -> bool:
    """Whether a block page comes in place of what the site answers."""
    user.open(url)
    told = user.text()
    assert told.startswith("GET ") or "was blocked" in told, told
    return not told.startswith("GET ")


def report(origin: Origin, number: int) -> str:
    return f"{origin.tls}{prejudiced.opened(number).path}"


def test_the_setup_page_tells_a_filtered_browser_from_one_that_is_not(proxy: Proxy, user: Page, admin: Page) -> None:
    for page, place, said in (
        (user, "http://sluice.internal/", "Yes."),
        (user, "https://sluice.internal/", "Yes."),
        (user, proxy.url, "Yes."),
        (admin, f"{proxy.admin}/setup", "No."),
        (admin, proxy.url, "No."),
    ):
        page.open(place)
        page.wait(f"document.querySelector('[data-result]:not([hidden])')?.innerText.startsWith({said!r})")


def test_no_page_of_the_console_is_refused_anything_by_its_policy(proxy: Proxy, admin: Page) -> None:
    admin.problems.clear()
    for path in ("/", "/traffic?live=1", "/review", "/exceptions", "/learning", "/releases"):
        admin.open(f"{proxy.admin}{path}")
        admin.wait("window.htmx !== undefined")
    assert admin.problems == []


def test_the_log_is_filtered_while_one_types(proxy: Proxy, origin: Origin, admin: Page) -> None:
    browse(proxy, origin)
    admin.open(f"{proxy.admin}/traffic")
    admin.wait("document.querySelectorAll('#flows tbody tr').length === 50")
    admin.fill("[name=text]", "no-such-thing")
    admin.wait("document.querySelector('#flows').innerText.includes('Nothing yet')")
    assert "text=no-such-thing" in admin.evaluate("location.search")


def test_an_exception_lets_a_page_pass_at_once(proxy: Proxy, origin: Origin, user: Page, admin: Page) -> None:
    asked, _ = prejudiced.attack(5)
    page = f"{origin.plain}{asked.path}"
    assert blocks(user, page)
    written(admin, f"{proxy.admin}/traffic?action=block", asked.path.partition("?")[0])
    admin.go("#flows td.right a")
    admin.fill("[name=reason]", "a test of ours")
    admin.fill("[name=label]", "")
    admin.go("#new button.first")
    assert "a test of ours" in admin.text()
    assert not blocks(user, page)
    admin.go("table form button")
    assert "There is none." in admin.text()
    assert blocks(user, page)


def written(admin: Page, log: str, path: str) -> None:
    """Open the log until its newest flow is the one for `path`: captures are written every half second."""
    for _ in range(40):
        admin.open(log)
        if path in (admin.evaluate("document.querySelector('#flows tbody tr')?.innerText") or ""):
            return
        time.sleep(0.25)
    raise AssertionError(f"{path} is not the newest flow of {log}")


def test_logging_out_ends_it(proxy: Proxy, admin: Page) -> None:
    admin.open(f"{proxy.admin}/")
    admin.go("header form button")
    admin.open(f"{proxy.admin}/traffic")
    assert admin.evaluate("location.pathname") == "/login"
    admin.fill("[name=password]", PASSWORD)
    admin.go("button.first")
    assert admin.evaluate("location.pathname") == "/traffic"
