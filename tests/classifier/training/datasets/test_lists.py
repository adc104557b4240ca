"""Text formats: what is a value and what is not."""

import pytest

from classifier.training.datasets import lists
from classifier.training.datasets.files import File, Parser
from classifier.training.datasets.manifest import Source

SOURCE = Source(name="s", table="urls", pins=("o/n@c",), licence="-", format="list", paths=("*",))


@pytest.mark.parametrize(
    ("parser", "content", "values"),
    [
        (lists.lines, "# a\r\n\n ' or 1 \n;x", ["# a", " ' or 1 ", ";x"]),
        (lists.entries, "# n\n! n\n// n\n[head]\n\na.example # x\nhttp://b.example/#c d\n", ["a.example", "http://b.example/#c"]),
        (lists.hosts, "0.0.0.0 a.example b.example # c.example\n::1 localhost\n", ["a.example", "b.example"]),
        (lists.hosts, "# 0.0.0.0 d.example\ne.example\n0.0.0.0 0.0.0.0\n", []),
        (lists.adblock, "||a.example^\n||b.example/x.js$script,third-party\n", ["a.example", "b.example/x.js"]),
        (lists.adblock, "||c.example^$domain=d.example\n@@||a.example^\n||b*.example^\n/x/\n##.ad\na.example###x", []),
        (lists.services, "a.example\ndomain:b.example\nkeyword:x\nregexp:y\n# c", ["a.example", "b.example"]),
        (lists.links, "[a](https://a.example/x). <http://b.example/?q=1>,", ["https://a.example/x", "http://b.example/?q=1"]),
        (lists.fences, "out\n```sh\nin 1\n\n  in 2\n```\nout\n~~~\nin 3\n~~~\n", ["in 1", "in 2", "in 3"]),
        (lists.prose, "# Title\n\n> A tool.\n\n- Do:\n\n`tool {{x}}`\n", ["Title", "A tool.", "Do", "tool {{x}}"]),
        (lists.document, "a\nb\n", ["a\nb\n"]),
        (lists.document, " \n", []),
    ],
)  # fmt: skip
def test_values(parser: Parser, content: str, values: list[str]) -> None:
    assert list(parser(File("f", content.encode()), SOURCE)) == [("f", value) for value in values]


def test_attributes_of_services_follow_the_path() -> None:
    (found,) = lists.services(File("data/x", b"full:a.example @ads @cn"), SOURCE)
    assert found == ("data/x @ads @cn", "a.example")


@pytest.mark.parametrize(("content", "value"), [(b"\xef\xbb\xbfa", "a"), (b"\xe9", "é"), ("é".encode(), "é")])
def test_bytes_become_text(content: bytes, value: str) -> None:
    assert [found.value for found in lists.lines(File("f", content), SOURCE)] == [value]
