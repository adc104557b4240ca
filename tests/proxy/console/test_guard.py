"""Nothing is open unless it is named: every route of the application is asked without a login."""

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from consoles import LOCAL, Admin
from proxy.admin import build
from proxy.console.context import Console
from proxy.console.guard import API_OPEN, OPEN

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def places(console: Console) -> list[tuple[str, str]]:
    routes = [route for route in build(console, "127.0.0.1").routes if isinstance(route, Route)]
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


def test_every_page_asks_for_a_login_and_every_verb_for_a_token(console: Console) -> None:
    for method, path in places(console):
        if path in OPEN or path in API_OPEN or path.startswith("/static/"):
            continue
        with TestClient(build(console, "127.0.0.1"), **LOCAL) as visitor:
            answer = visitor.request(method, path)
        if path.startswith("/api/"):
            assert answer.status_code == 401, (method, path)
        elif method in ("GET", "HEAD"):
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), path
        else:
            assert answer.status_code == 403, (method, path)


def test_every_form_needs_its_token(console: Console, admin: Admin) -> None:
    for method, path in places(console):
        if method in ("GET", "HEAD") or path in OPEN or path.startswith("/api/"):
            continue
        for body in ("", "form_token=wrong", f"form_token={admin.token}x"):
            answer = admin.client.request(method, path, content=body, headers=FORM)
            assert answer.status_code == 403, (method, path)


def test_a_form_token_may_come_as_a_header(admin: Admin) -> None:
    fields = {"flow": "f1", "label": "benign"}
    assert admin.client.post("/label", data=fields, headers={"X-Form-Token": admin.token}).status_code == 303
    assert admin.client.post("/label", data=fields, headers={"X-Form-Token": b"\xe9"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 303),
        ({"Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_what_changes_something_comes_from_our_own_pages(admin: Admin, headers: dict[str, str], code: int) -> None:
    fields = {"flow": "f1", "label": "benign", "form_token": admin.token}
    assert admin.client.post("/label", data=fields, headers=headers).status_code == code


def test_a_part_of_a_page_leads_to_the_login_as_a_whole(visitor: TestClient) -> None:
    answer = visitor.get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/login")


def test_the_login_leads_back_to_the_page_and_repeats_no_query(visitor: TestClient) -> None:
    answer = visitor.get("/traffic?client=10.1.2.3")
    assert answer.headers["location"] == "/login?next=/traffic"


def test_a_token_opens_the_api_and_nothing_else(console: Console, visitor: TestClient) -> None:
    bearer = {"Authorization": f"Bearer {console.vault.new_token()}"}
    assert visitor.get("/api/v1/status", headers=bearer).status_code == 200
    assert visitor.get("/", headers=bearer).status_code == 303
    for wrong in (b"Bearer x", b"Bearer", b"Basic eDp5", b"Bearer \xe9"):
        assert visitor.get("/api/v1/status", headers={"Authorization": wrong}).status_code == 401


def test_a_session_does_not_open_the_api(admin: Admin) -> None:
    assert admin.get("/api/v1/status").status_code == 401


def test_long_bodies_and_many_fields_are_refused(admin: Admin) -> None:
    assert admin.client.post("/label", content=b"x" * 70_000, headers=FORM).status_code == 413
    assert admin.client.post("/label", content=b"a=1&" * 1000, headers=FORM).status_code == 403


@pytest.mark.parametrize("path", ["/", "/login", "/nothing", "/static/style.css", "/metrics", "/api/v1/status"])
def test_every_answer_keeps_to_itself(visitor: TestClient, path: str) -> None:
    headers = visitor.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("public, max-age=3600" if path.startswith("/static/") else "no-store")


def test_a_broken_key_file_is_named(console: Console, admin: Admin) -> None:
    console.vault.path.write_text("{")
    answer = admin.get("/")
    assert (answer.status_code, "move it away" in answer.text) == (500, True)
