import re

import pytest
from starlette.testclient import TestClient

from consoles import LOCAL, PASSWORD, Admin, make_console
from proxy.admin import build
from proxy.console.context import Console
from proxy.console.status import Status


def test_the_password_opens_the_console(visitor: TestClient) -> None:
    answer = visitor.post("/login", data={"password": PASSWORD, "next": "/releases"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/releases")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=43200" in cookie
    assert visitor.get("/").status_code == 200


def test_over_tls_the_cookie_stays_there(console: Console) -> None:
    with TestClient(build(console, "127.0.0.1"), **LOCAL | {"base_url": "https://127.0.0.1:8081"}) as visitor:
        assert "Secure" in visitor.post("/login", data={"password": PASSWORD}).headers["set-cookie"]


def test_a_wrong_password_does_not_and_a_few_must_wait(visitor: TestClient) -> None:
    codes = [visitor.post("/login", data={"password": "wrong"}).status_code for _ in range(6)]
    assert codes == [403] * 5 + [429]
    assert int(visitor.post("/login", data={"password": PASSWORD}).headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "after", ["//evil.example/", "https://evil.example/", "/\\evil.example", "x", "/a\nb", "/" + "a" * 600]
)
def test_the_login_leads_to_no_other_site(visitor: TestClient, after: str) -> None:
    answer = visitor.post("/login", data={"password": PASSWORD, "next": after})
    assert answer.headers["location"] == "/"


def test_what_comes_after_the_login_is_escaped(visitor: TestClient) -> None:
    assert '"><script>' not in visitor.get('/login?next=/"><script>').text


def test_logging_out_ends_the_session(admin: Admin) -> None:
    cookie = admin.client.cookies["sluice_session"]
    assert admin.post("/logout").headers["location"] == "/login"
    admin.client.cookies.set("sluice_session", cookie)
    assert admin.get("/").status_code == 303


def test_the_link_of_the_first_start_chooses_the_password_once(status: Status) -> None:
    console = make_console(status)
    with TestClient(build(console, "127.0.0.1"), **LOCAL) as visitor:
        assert "Choose a password first" in visitor.get("/login").text
        link = f"/welcome?key={console.invitation}"
        assert "Open the console" in visitor.get(link).text
        fields = {"key": console.invitation, "password": PASSWORD, "again": PASSWORD}
        assert visitor.post("/welcome", data=fields | {"key": "x"}).status_code == 403
        assert "not the same" in visitor.post("/welcome", data=fields | {"again": "x"}).text
        assert "10 to 1024" in visitor.post("/welcome", data=fields | {"password": "x", "again": "x"}).text
        assert visitor.post("/welcome", data=fields).headers["location"] == "/"
        assert visitor.get("/").status_code == 200
        assert visitor.get(link).status_code == 403
        assert visitor.post("/welcome", data=fields).status_code == 403
    assert re.fullmatch(r"[\w-]{24}", console.invitation)


def test_without_a_password_nobody_logs_in(status: Status) -> None:
    with TestClient(build(make_console(status), "127.0.0.1"), **LOCAL) as visitor:
        assert visitor.post("/login", data={"password": ""}).status_code == 403
