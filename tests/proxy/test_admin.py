from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from consoles import LOCAL, make_console, make_status
from proxy.admin import Status, build


@pytest.fixture
def status(tmp_path: Path) -> Status:
    """A proxy that is starting."""
    found = make_status(tmp_path)
    found.waiting[:] = ["the model is not loaded", "the proxy does not listen"]
    return found


def client(status: Status, host: str = "127.0.0.1", **options: Any) -> TestClient:
    return TestClient(build(make_console(status), host), **(LOCAL | options))


def test_it_is_healthy_before_it_is_ready(status: Status) -> None:
    assert client(status).get("/-/healthy").status_code == 200
    reply = client(status).get("/-/ready")
    assert (reply.status_code, reply.text) == (503, "the model is not loaded\nthe proxy does not listen\n")
    status.waiting.clear()
    assert client(status).get("/-/ready").status_code == 200


def test_metrics_are_in_the_format_of_prometheus(status: Status) -> None:
    reply = client(status).get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert 'sluice_flows_total{action="block",enforced="true",label="xss",phase="request"} 1.0' in reply.text


def test_the_ca_certificate_can_be_fetched(status: Status) -> None:
    reply = client(status).get("/ca.pem")
    assert reply.text.startswith("-----BEGIN CERTIFICATE-----")
    assert "sluice-ca.pem" in reply.headers["content-disposition"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:8081", 200),
        ("localhost:8081", 200),
        ("[::1]:8081", 200),
        ("10.0.0.7:8081", 200),
        ("gate.example:8081", 200),
        ("evil.example:8081", 403),
        ("127.0.0.1.evil.example", 403),
        ("[bad", 403),
    ],
)
def test_a_name_that_is_not_ours_is_refused(status: Status, host: str, code: int) -> None:
    found = client(status, host="gate.example").get("/-/healthy", headers={"Host": host})
    assert found.status_code == code


def test_a_page_of_another_site_cannot_post(status: Status) -> None:
    reply = client(status).post("/-/reload", headers={"Origin": "https://evil.example"})
    assert reply.status_code == 403


def test_a_client_that_comes_through_the_proxy_is_refused(status: Status) -> None:
    status.outgoing = {("127.0.0.1", 5000)}
    assert client(status).get("/-/healthy").status_code == 403
    assert client(status, client=("127.0.0.1", 5001)).get("/-/healthy").status_code == 200


def answer(result: str | None) -> Callable[[], Any]:
    async def reload() -> tuple[str | None, str]:
        return result, "what happened"

    return reload


@pytest.mark.parametrize(("result", "code"), [("ok", 200), (None, 200), ("refused", 409), ("failed", 500)])
def test_a_reload_tells_what_came_of_it(status: Status, result: str | None, code: int) -> None:
    status.reload = answer(result)
    reply = client(status).post("/-/reload")
    assert reply.status_code == code
    assert reply.json() == {"result": result or "unchanged", "detail": "what happened"}


def test_a_reload_is_for_this_machine_only(status: Status) -> None:
    status.reload = answer("ok")
    assert client(status, client=("192.0.2.1", 5000)).post("/-/reload").status_code == 403
    assert client(status).get("/-/reload").status_code == 405


def test_a_reload_before_the_start_is_over_says_so(status: Status) -> None:
    assert client(status).post("/-/reload").status_code == 503
