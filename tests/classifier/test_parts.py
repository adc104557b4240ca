import pytest
from hypothesis import given, settings

from classifier.parts import Cut, clear, fields, joined, locate, parts, read, units, whole, without
from classifier.records import FlowRecord
from strategies import records

REQUEST = FlowRecord(
    method="POST",
    host="www.shop.example",
    path="/a/item.php?id=1%27&page=2&flag&id=3",
    request_headers=(("Host", "www.shop.example"), ("Cookie", "a=1; b=2")),
    request_body=b"name=bob&cmd=%3Bid",
    status=302,
    response_headers=(("Location", "/x"),),
    response_body="é".encode(),
)


def names(record: FlowRecord) -> dict[str, str]:
    return {part.name: read(record, part.cut) for part in parts(record)}


def test_a_request_falls_into_named_parts() -> None:
    assert names(REQUEST) == {
        "host": "www.shop.example",
        "path": "/a/item.php",
        "query": "id=1%27&page=2&flag&id=3",
        "query parameter `id`": "id=1%27",
        "query parameter `page`": "page=2",
        "query parameter `id` (2)": "id=3",
        "header Host": "www.shop.example",
        "header Cookie": "a=1; b=2",
        "body": "name=bob&cmd=%3Bid",
        "body field `name`": "name=bob",
        "body field `cmd`": "cmd=%3Bid",
        "method": "POST",
        "status": "302",
        "answer's header Location": "/x",
        "answer": "é",
    }


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a": {"b": "x\\"y"}, "n": -3.5, "l": ["z"]}', {"b": '"b": "x\\"y"', "n": '"n": -3.5'}),
        (
            b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\nhello\r\n--x--\r\n',
            {"f": 'Content-Disposition: form-data; name="f"\r\n\r\nhello'},
        ),
        (b"plain text", {}),
        (b"\xff\xfe", {}),
    ],
)
def test_bodies_are_read_by_their_shape(body: bytes, found: dict[str, str]) -> None:
    told = names(FlowRecord(request_body=body))
    assert told.pop("body")
    assert told == {f"body field `{name}`": content for name, content in found.items()}


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (FlowRecord(kind="tls", sni="a.example", alpn=("h2",), ja4="t13"), {"host", "ALPN", "JA4"}),
        (
            FlowRecord(kind="dns", qname="q.example", qtype="TXT", rcode="NOERROR", answers=("x", "y")),
            {"host", "question type", "answer code", "answer", "answer (2)"},
        ),
        (FlowRecord(kind="websocket", message=b"hello"), {"message"}),
        (FlowRecord(), set()),
    ],
)
def test_other_kinds_have_parts_too(record: FlowRecord, found: set[str]) -> None:
    assert set(names(record)) == found


def test_units_add_labels_segments_and_cookies_with_their_sign() -> None:
    pieces = {read(REQUEST, cut) for cut in units(REQUEST)}
    assert {"www.", "shop.", "example", "/", "a/", "item.php", "a=1;", " b=2"} <= pieces
    assert len(units(REQUEST)) == len(set(units(REQUEST)))


@pytest.mark.parametrize(
    ("cut", "field", "left"),
    [
        (Cut("host", 0, 0, 4), "host", "shop.example"),
        (Cut("path", 0, 12, 20), "path", "/a/item.php?page=2&flag&id=3"),
        (Cut("request_headers", 1, 3, 8), "request_headers", (("Host", "www.shop.example"), ("Cookie", "a=1"))),
        (Cut("request_body", 0, 8, 18), "request_body", b"name=bob"),
        (Cut("response_body", 0, 0, 1), "response_body", b""),
        (Cut("status", 0, 0, 3), "status", 200),
    ],
)
def test_a_cut_is_taken_out_and_nothing_else(cut: Cut, field: str, left: object) -> None:
    changed = without(REQUEST, [cut])
    assert getattr(changed, field) == left
    same = set(FlowRecord.__struct_fields__) - {field}
    assert all(getattr(changed, name) == getattr(REQUEST, name) for name in same)


def test_cuts_of_one_text_may_overlap() -> None:
    changed = without(REQUEST, [Cut("host", 0, 4, 9), Cut("host", 0, 0, 5), Cut("request_headers", 0, 0, 16)])
    assert (changed.host, changed.request_headers[0]) == ("example", ("Host", ""))


def test_the_smallest_part_around_a_cut_names_it() -> None:
    assert locate(REQUEST, Cut("path", 0, 15, 16)).name == "query parameter `id`"
    assert locate(REQUEST, Cut("path", 0, 15, 25)).name == "query"
    assert whole(REQUEST, "query parameter `id` (2)") == "id=3"
    assert whole(REQUEST, "no such part") == ""


def test_what_is_left_beside_cuts() -> None:
    unit = Cut("path", 0, 10, 20)
    assert clear(unit, [Cut("path", 0, 12, 14), Cut("host", 0, 0, 99), Cut("path", 0, 18, 30)]) == [
        Cut("path", 0, 10, 12),
        Cut("path", 0, 14, 18),
    ]
    assert joined([Cut("path", 0, 14, 18), Cut("path", 0, 12, 14), Cut("path", 0, 20, 21)]) == [
        Cut("path", 0, 12, 18),
        Cut("path", 0, 20, 21),
    ]


def test_long_texts_come_in_pieces_that_overlap() -> None:
    found = fields(FlowRecord(host="h.example", path="/p", request_body=b"x" * 25), 10)
    assert [(cut.field, cut.start, cut.end) for cut in found] == [
        ("path", 0, 2),
        *(("request_body", start, min(start + 10, 25)) for start in (0, 5, 10, 15)),
    ]


@settings(deadline=None, max_examples=50)
@given(records)
def test_every_unit_of_any_record_can_be_taken_out(record: FlowRecord) -> None:
    for cut in units(record)[:40]:
        assert read(record, cut) and locate(record, cut).cut.size >= cut.size
        without(record, [cut])
    assert without(record, []) == record
