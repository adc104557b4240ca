"""Templates of exploit checks become requests; nothing in them is run."""

import pytest

from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.datasets.files import File, Found
from classifier.training.datasets.manifest import Source
from classifier.training.datasets.templates import template

SOURCE = Source(name="s", table="requests", pins=("o/n@c",), licence="-", format="template", paths=("*",))


def requests(content: str, path: str = "f") -> list[FlowRecord]:
    found = list(template(File(path, content.encode()), SOURCE))
    assert all(isinstance(each, Found) for each in found)
    return [each.value for each in found]  # type: ignore[union-attr, misc]


def test_nuclei_with_paths() -> None:
    (one, two) = requests(
        "id: a\nhttp:\n  - method: POST\n    path: ['{{BaseURL}}/a', '{{BaseURL}}/b?h={{Hostname}}']\n"
        "    headers: {X: '{{randstr}}'}\n    body: 'n={{rand_int(1)}}'\n"
    )
    assert (one.method, one.host, one.path, two.path) == ("POST", "www.example.org", "/a", "/b?h=www.example.org")
    assert one.request_headers[0] == ("Host", "www.example.org")
    assert "{{" not in str(one) and one.request_body.removeprefix(b"n=").isdigit()


def test_nuclei_with_raw_requests_and_payloads() -> None:
    (one,) = requests(
        "id: a\nrequests:\n  - raw:\n      - |\n        @timeout: 9s\n        GET /x?f={{file}} HTTP/1.1\n"
        "        Host: {{Hostname}}\n        A: b\n    payloads: {file: [first, second]}\n"
    )
    assert (one.path, one.request_headers[1]) == ("/x?f=first", ("A", "b"))


@pytest.mark.parametrize("rules", ["{r0: {request: {method: GET, path: /x}}}", "[{method: GET, path: /x}]"])
def test_afrog_and_xray(rules: str) -> None:
    assert [record.path for record in requests(f"name: a\nrules: {rules}\n")] == ["/x"]


def test_values_are_the_same_each_time_and_differ_between_templates() -> None:
    written = "id: a\nrules: [{method: GET, path: '/{{r}}?c={{reverse.url}}'}]"
    assert requests(written) == requests(written) != requests(written, "g")
    assert requests(written)[0].path.endswith(".example.net")


def test_it_is_called_by_id_name_and_tags() -> None:
    (found,) = template(
        File("f", b"id: a\ninfo: {name: B c, tags: 'sqli,cve'}\nhttp: [{method: GET, path: [/]}]"), SOURCE
    )
    assert isinstance(found, Found) and found.original == "a B c sqli,cve"


@pytest.mark.parametrize("content", ["id: a\ndns: []", "[]", "", "id: a\nhttp: []"])
def test_other_checks_have_no_requests(content: str) -> None:
    assert requests(content) == []


def test_what_is_broken_is_named() -> None:
    with pytest.raises(ValueError, match="is no YAML"):
        requests("id: [")
    (bad,) = template(File("f", b"id: a\nhttp: [{raw: ['']}]"), SOURCE)
    assert isinstance(bad, BadLine) and "no request line" in bad.reason


def test_objects_are_not_made() -> None:
    with pytest.raises(ValueError, match="is no YAML"):
        requests("a: !!python/object/apply:os.system ['true']\nhttp: []")
