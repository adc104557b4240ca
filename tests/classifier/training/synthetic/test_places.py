"""Every place carries its value so that the model's decoded text shows it."""

import base64
import json
from random import Random
from urllib.parse import unquote_plus

import pytest

from classifier.records import FlowRecord
from classifier.training.synthetic.places import PLACES, Value, base, carry, client

VALUE = "val-O'x <b>"


def _shown(record: FlowRecord) -> str:
    """All text of a record, decoded in each way that a place may have encoded it."""
    parts = [
        record.path,
        *(value for _, value in record.request_headers),
        record.request_body.decode("utf-8", "replace"),
    ]
    parts.append(record.message.decode("utf-8", "replace"))
    text = "\n".join(parts)
    decoded = [text]
    for _ in range(3):
        decoded.append(unquote_plus(decoded[-1]))
    return "\n".join(
        [*decoded, *(each.replace('\\"', '"').replace("&lt;", "<").replace("&gt;", ">") for each in decoded)]
    )


@pytest.mark.parametrize("name", sorted(PLACES))
def test_every_place_carries_its_value(name: str) -> None:
    wanted = (VALUE, base64.b64encode(VALUE.encode()).decode().rstrip("="))
    for place in set(PLACES[name]):
        rng = Random(3)
        for _ in range(200):
            record = place(rng, base(rng), Value(VALUE, name, "field"))
            assert any(form in _shown(record) for form in wanted), (place, record)


def test_a_named_value_finds_its_parameter_waiting() -> None:
    assert all("redirect=" in base(Random(seed), Value("x", "address", "redirect")).path for seed in range(20))


def test_an_uploads_file_keeps_its_name() -> None:
    for seed in range(20):
        record = carry(Random(seed), Value("a,b\n", "file", "list.csv"))
        assert b'filename="list.csv"' in record.request_body or record.path.endswith("/list.csv")


def test_clients_differ_in_case_order_and_number_of_headers() -> None:
    seen = [client(Random(seed)) for seed in range(60)]
    assert {bool(headers) and headers[0][0].islower() for headers in seen} == {True, False}
    assert len({len(headers) for headers in seen}) > 4


def test_private_addresses_and_odd_ports_are_among_the_sites() -> None:
    sites = [base(Random(seed)) for seed in range(400)]
    private = [record for record in sites if record.host.startswith(("127.", "10.", "192.168.", "localhost"))]
    assert 20 < len(private) < 120
    assert any(f"{record.host}:{record.port}" in dict(record.request_headers).values() for record in private)


def test_json_forms_stay_json_with_any_value_in_them() -> None:
    rng = Random(8)
    seen = 0
    for _ in range(3000):
        record = carry(rng, Value('a"b\\c\n<d>', "any"))
        kind = dict(record.request_headers).get("Content-Type", "")
        if kind.startswith("application/json") and record.request_body[:1] in (b"{", b"["):
            json.loads(record.request_body)
            seen += 1
    assert seen > 300
