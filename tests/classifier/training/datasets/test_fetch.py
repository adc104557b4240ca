"""Fetching from a server on loopback: whole, cut, resumed, wrong, too large."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.training.datasets import files
from classifier.training.datasets.fetch import fetch
from classifier.training.datasets.manifest import Pin
from repositories import pack

PIN = Pin("o", "n", "c0ffee")


@dataclass
class Server:
    """What the server sends and what it was asked."""

    content: bytes
    address: str = ""
    ranges: bool = True
    cut: int = 0
    """Bytes after which the next answer breaks off."""
    moved: str = "/o/n/tar.gz/c0ffee"
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    told = Server(pack(tmp_path / "origin.tar.gz", {"a.txt": b"x" * 5000}, commit="c0ffee00").read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            told.asked.append((self.path, wanted))
            if "/moved" in self.path:
                self.send_response(302)
                self.send_header("Location", told.moved)
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and told.ranges else 0
            rest = told.content[start:]
            self.send_response(404 if "/gone/" in self.path else 416 if start and not rest else 206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: told.cut or None])
            told.cut = 0

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        told.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield told
        listening.shutdown()
        thread.join()


def test_exactly_the_pinned_commit_is_asked_for_and_only_once(server: Server, tmp_path: Path) -> None:
    place = fetch(PIN, tmp_path / "archives", server.address)
    assert place.read_bytes() == server.content
    assert fetch(PIN, tmp_path / "archives", server.address) == place
    assert server.asked == [("/o/n/tar.gz/c0ffee", None)]
    assert files.locate(tmp_path / "archives", PIN) == place


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.cut, server.ranges = 50, ranges
    with pytest.raises(UserError, match="cut after 50 of") as caught:
        fetch(PIN, tmp_path, server.address)
    assert caught.value.exit_code == 1
    assert fetch(PIN, tmp_path, server.address).read_bytes() == server.content
    assert server.asked[1] == ("/o/n/tar.gz/c0ffee", "bytes=50-")
    assert not list(tmp_path.glob("*.part"))


def test_a_part_that_is_longer_than_the_whole_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "o__n.tar.gz.c0ffee.part").write_bytes(server.content + b"more")
    assert fetch(PIN, tmp_path, server.address).read_bytes() == server.content


@pytest.mark.parametrize(
    ("pin", "limit", "told"),
    [
        (PIN, 100, "more than 100"),
        (Pin("o", "gone", "c0ffee"), 10**6, "404"),
        (Pin("o", "n", "decaf"), 10**6, "asked for commit decaf, got c0ffee00"),
    ],
)
def test_what_cannot_be_fetched_leaves_nothing(server: Server, tmp_path: Path, pin: Pin, limit: int, told: str) -> None:
    with pytest.raises(UserError, match=told):
        fetch(pin, tmp_path / "archives", server.address, limit)
    assert not list((tmp_path / "archives").iterdir())


def test_a_renamed_repository_is_followed_but_to_no_other_host(server: Server, tmp_path: Path) -> None:
    assert fetch(Pin("o", "moved", "c0ffee"), tmp_path, server.address).read_bytes() == server.content
    server.moved = server.address.replace("127.0.0.1", "localhost") + "/o/n/tar.gz/c0ffee"
    with pytest.raises(UserError, match="302"):
        fetch(Pin("o", "moved2", "c0ffee"), tmp_path, server.address)
    assert [path for path, _ in server.asked] == [
        "/o/moved/tar.gz/c0ffee",
        "/o/n/tar.gz/c0ffee",
        "/o/moved2/tar.gz/c0ffee",
    ]


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="o/n: cannot be fetched"):
        fetch(PIN, tmp_path, "http://127.0.0.1:9")


def test_an_archive_of_another_commit_is_fetched_again(server: Server, tmp_path: Path) -> None:
    pack(tmp_path / "o__n.tar.gz", {"old": b""}, commit="decaf")
    assert fetch(PIN, tmp_path, server.address).read_bytes() == server.content
