"""Delimited files and JSON."""

import msgspec
import pytest

from classifier.importers import BadLine
from classifier.training.datasets import tabular
from classifier.training.datasets.files import File
from classifier.training.datasets.manifest import Source

SOURCE = Source(name="s", table="payloads", pins=("o/n@c",), licence="-", format="csv", paths=("*",))


def with_columns(value: str | int, label: str | int | None = None, delimiter: str = ",") -> Source:
    return msgspec.structs.replace(SOURCE, column=value, label_column=label, delimiter=delimiter)


@pytest.mark.parametrize(
    ("content", "source", "found"),
    [
        ("v,l\na,x\n", with_columns("v", "l"), [("x", "a")]),
        ('l,v\nx,"a,\n""b"""\n', with_columns("v"), [("f", 'a,\n"b"')]),
        ("a;1\nb;2\n", with_columns(0, 1, ";"), [("1", "a"), ("2", "b")]),
        ("a\tb\n\n", with_columns(1, delimiter="\t"), [("f", "b")]),
        ("v,l\nshort\n", with_columns("v", "l"), [BadLine("f:2", "too few columns")]),
        ("\ufeffv\na\0b\n", with_columns("v"), [("f", "ab")]),
        ("", with_columns(0), []),
    ],
)
def test_delimited(content: str, source: Source, found: list[tuple[str, str]]) -> None:
    assert list(tabular.delimited(File("f", content.encode()), source)) == found


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="has no column v"):
        list(tabular.delimited(File("f", b"a,b\n1,2\n"), with_columns("v")))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('[{"a": {"b": "x"}, "l": 1}]', [("1", "x")]),
        ('{"a": {"b": "x"}, "l": "n"}\n{"a": 1}\n\n{"a": {"b": "y"}, "l": "n"}', [("n", "x"), ("n", "y")]),
        ('[{"a": {"b": 5}}, 7]', [BadLine("f#2", "not an object")]),
    ],
)
def test_items(content: str, found: list[tuple[str, str]]) -> None:
    assert list(tabular.items(File("f", content.encode()), with_columns("a.b", "l"))) == found


def test_a_tree_calls_each_text_by_what_leads_to_it() -> None:
    content = b'{"deny": ["a", "b"], "in": {"x": [{"y": "c"}, 5, null]}}'
    assert list(tabular.tree(File("f", content), SOURCE)) == [("f/deny", "a"), ("f/deny", "b"), ("f/in/x/y", "c")]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"{}\n{"])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no JSON"):
        tabular.json(File("f", content))
