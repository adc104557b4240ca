"""What the origin answers."""

import gzip

import pytest

from proxy.bench import mix, replies
from proxy.bench.replies import Replies


@pytest.fixture(scope="module")
def made() -> Replies:
    return Replies()


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/a/b", 200, "text/html; charset=utf-8"),
        ("GET", "/a/b.html?x=1", 200, "text/html; charset=utf-8"),
        ("GET", "/static/a.1f.js", 200, "text/javascript"),
        ("GET", "/static/a.1f.css", 200, "text/css"),
        ("GET", "/static/a.1f.png", 200, "image/png"),
        ("GET", "/api/v1/items/3?q=a.js", 200, "application/json"),
        ("POST", "/graphql", 200, "application/json"),
        ("POST", "/collect", 204, ""),
        ("GET", "/collect?e=1", 204, ""),
        ("POST", "/login/submit", 303, ""),
    ],
)
def test_a_request_gets_what_it_asks_for(made: Replies, method: str, path: str, status: int, kind: str) -> None:
    head = made.reply(method, path, compressed=False).partition(b"\r\n\r\n")[0].decode()
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert replies.status(method, path) == status
    assert (f"\r\nContent-Type: {kind}" in head) if kind else ("Content-Type" not in head)


def test_every_answer_has_the_length_it_announces(made: Replies) -> None:
    for one in mix.build(0, 500):
        for compressed in (False, True):
            head, _, body = made.reply(one.method, one.path, compressed=compressed).partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            assert int(fields.get("Content-Length", "0")) == len(body)


def test_text_is_compressed_for_those_who_ask_and_pictures_are_not(made: Replies) -> None:
    page, packed = (made.reply("GET", "/", compressed=asked).partition(b"\r\n\r\n")[2] for asked in (False, True))
    assert gzip.decompress(packed) == page
    assert made.reply("GET", "/a.png", compressed=True) == made.reply("GET", "/a.png", compressed=False)


def test_answers_are_the_same_for_a_seed(made: Replies) -> None:
    assert Replies().reply("GET", "/x", compressed=True) == made.reply("GET", "/x", compressed=True)
    assert Replies(1).reply("GET", "/x", compressed=True) != made.reply("GET", "/x", compressed=True)


def test_paths_get_different_bodies(made: Replies) -> None:
    assert len({made.reply("GET", f"/{number}", compressed=False) for number in range(200)}) > 20
