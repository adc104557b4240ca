"""Prometheus itself reads the configuration, scrapes a running proxy, and has data for every query in deploy/."""

import contextlib
import functools
import itertools
import json
import math
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from prometheus_client.parser import text_string_to_metric_families

import dashboards
from harness import Proxy, free_port, run_proxy
from needs import ROOT, require
from origin import run_origin

CONFIGURATION = dashboards.DEPLOY / "prometheus"
PATIENCE = 90.0
"""Seconds until a query that still finds nothing is given up."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "--lint=all", "deploy/prometheus/prometheus.yml"),
        ("check", "rules", "--lint=all", "deploy/prometheus/rules.yml", "deploy/prometheus/alerts.yml"),
        ("test", "rules", "tests/deploy/rules_test.yml"),
    ],
    ids=["configuration", "rules", "alerts fire"],
)
def test_promtool_is_content_with(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([require("promtool"), *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_happened_and_what_to_look_at() -> None:
    for alert in dashboards.alerts():
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}


def test_every_alert_has_its_runbook_and_no_other_alert_has_one() -> None:
    page = (ROOT / "docs/runbooks.md").read_text()
    sections = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert sections == [alert["alert"] for alert in dashboards.alerts()], "in the order of alerts.yml"
    for alert in dashboards.alerts():
        assert alert["annotations"]["runbook_url"] == f"docs/runbooks.md#{alert['alert'].lower()}"


def test_every_alert_is_tried_firing_and_silent() -> None:
    tried = (ROOT / "tests/deploy/rules_test.yml").read_text()
    for alert in dashboards.alerts():
        assert f"alertname: {alert['alert']}, exp_alerts: []" in tried, "silent"
        assert f"docs/runbooks.md#{alert['alert'].lower()}" in tried, "firing"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Prometheus"]:
    """Prometheus over a proxy that has traffic for as long as the tests of this module last."""
    folder = tmp_path_factory.mktemp("prometheus")
    program = require("prometheus")
    origin, home = tmp_path_factory.mktemp("origin"), tmp_path_factory.mktemp("proxy")
    with (
        run_origin(origin) as site,
        run_proxy(home, config='[proxy]\nheartbeat = "5s"\n', shipped=True) as proxy,
        traffic(proxy, site.plain),
        Prometheus(program, folder, proxy.admin.removeprefix("http://")) as watched,
    ):
        yield watched


def test_every_metric_that_deploy_reads_is_in_a_live_scrape(watched: "Prometheus") -> None:
    families = list(text_string_to_metric_families(watched.scrape()))
    assert dashboards.own() <= {sample.name for family in families for sample in family.samples}


def test_the_metrics_are_named_as_prometheus_advises(watched: "Prometheus") -> None:
    command = [require("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=watched.scrape(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", dashboards.queries(), ids=lambda query: query.where)
def test_every_query_of_the_dashboard_returns_data(query: dashboards.Query, watched: "Prometheus") -> None:
    wanted = (
        watched.known if "sluice_drift_psi" in query.expr else watched.finite
    )  # NaN until a day of traffic is known
    assert eventually(lambda: wanted(query.expr)), query.expr


def test_every_recording_rule_returns_data(watched: "Prometheus") -> None:
    for query in dashboards.rules():
        if ":" in query.where:
            assert eventually(functools.partial(watched.finite, query.where)), query.where


def test_no_rule_fails_and_a_healthy_proxy_raises_no_alarm(watched: "Prometheus") -> None:
    rules = eventually(watched.evaluated)
    assert rules
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in rules if rule.get("state") == "firing"] == []


class Prometheus:
    """The distribution's server on our configuration, scraping one address every second; and questions to it."""

    def __init__(self, program: str, folder: Path, target: str) -> None:
        for file in CONFIGURATION.iterdir():
            shutil.copy(file, folder)
        configuration = folder / "prometheus.yml"
        configuration.write_text(configuration.read_text().replace("127.0.0.1:8081", target).replace("15s", "1s"))
        self.target, self.address = target, f"127.0.0.1:{free_port()}"
        self._command = [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=error",
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an API call, None while the server does not answer."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except OSError:
            return None

    def scrape(self) -> str:
        """What the proxy answers to Prometheus."""
        with urllib.request.urlopen(f"http://{self.target}/metrics", timeout=10) as response:
            text: str = response.read().decode()
            return text

    def known(self, expr: str) -> list[dict[str, Any]]:
        """The series that `expr` returns now."""
        found: list[dict[str, Any]] = (self.get("query", query=expr) or {"result": []})["result"]
        return found

    def finite(self, expr: str) -> list[dict[str, Any]]:
        """The series that `expr` returns now with a number, not NaN."""
        return [series for series in self.known(expr) if math.isfinite(float(series["value"][1]))]

    def evaluated(self) -> list[dict[str, Any]]:
        """Every rule with its state and health, empty until each has been evaluated."""
        groups = (self.get("rules") or {"groups": []})["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules


def eventually[T](ask: Callable[[], T]) -> T:
    """The first answer that is not empty, or the last one when patience ends."""
    end = time.monotonic() + PATIENCE
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.5)
    return answer


@contextlib.contextmanager
def traffic(proxy: Proxy, site: str) -> Iterator[None]:
    """Some twenty requests a second through the proxy, one in ten of them an attack, until the block ends."""
    stop = threading.Event()

    def send() -> None:
        with proxy.client() as client:
            for number in itertools.count():
                if stop.wait(0.05):
                    return
                client.get(f"{site}/articles/{number}", params={"q": "' or '1'='1" if number % 10 == 0 else "spring"})

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
