import pytest
from starlette.testclient import TestClient

from consoles import Admin


@pytest.mark.parametrize("path", ["/setup", "/ca.pem", "/ca.crt", "/ca.mobileconfig", "/proxy.pac", "/wpad.dat"])
def test_clients_set_themselves_up_without_a_login(visitor: TestClient, path: str) -> None:
    assert visitor.get(path).status_code == 200


def test_static_files_are_served_and_nothing_beside_them(visitor: TestClient) -> None:
    assert visitor.get("/static/style.css").headers["content-type"] == "text/css; charset=utf-8"
    for path in ("/static/..%2fview.py", "/static/nothing.css", "/static/htmx.LICENSE.txt"):
        assert visitor.get(path).status_code == 404


def test_a_mistake_is_told_in_words(admin: Admin) -> None:
    answer = admin.post("/exceptions/none/remove")
    assert (answer.status_code, answer.text) == (409, "no exception 'none'\n")
