"""The numeric features."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.numbers import LOOK, NUMBERS, _entropy, numbers
from classifier.records import FlowRecord
from classifier.texts import texts


def number(record: FlowRecord, name: str) -> float:
    """One number of a record."""
    return float(numbers(record, *texts(record))[NUMBERS.index(name)])


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (FlowRecord(host="192.0.2.1"), "host_is_ip", 1.0),
        (FlowRecord(host="[2001:db8::1]"), "host_is_ip", 1.0),
        (FlowRecord(host="1.example"), "host_is_ip", 0.0),
        (FlowRecord(host="192.0.2.1"), "host_inside", 0.0),
        (FlowRecord(host="10.1.2.3"), "host_inside", 1.0),
        (FlowRecord(host="172.32.0.1"), "host_inside", 0.0),
        (FlowRecord(host="169.254.169.254"), "host_inside", 1.0),
        (FlowRecord(host="[fd00::1]"), "host_inside", 1.0),
        (FlowRecord(host="[::ffff:127.0.0.1]"), "host_inside", 1.0),
        (FlowRecord(host="[2001:db8::1]"), "host_inside", 0.0),
        (FlowRecord(host="localhost"), "host_inside", 1.0),
        (FlowRecord(host="printer.local"), "host_inside", 1.0),
        (FlowRecord(host="nas.home.arpa"), "host_inside", 1.0),
        (FlowRecord(host="local.example"), "host_inside", 0.0),
        (FlowRecord(host="my-local"), "host_inside", 0.0),
        (FlowRecord(port=8443), "port_unusual", 0.0),
        (FlowRecord(port=4444), "port_unusual", 1.0),
        (FlowRecord(path="/?a=%2541"), "decode_rounds", 2.0),
        (FlowRecord(status=404), "status_4xx", 1.0),
        (FlowRecord(status=101), "status_2xx", 1.0),
        (FlowRecord(status=200, response_body=b"MZ"), "reply_executable", 1.0),
        (FlowRecord(status=200, response_body=b"PK\x03\x04"), "reply_archive", 1.0),
        (
            FlowRecord(response_headers=(("Content-Type", "image/png"),), response_body=b"MZ"),
            "reply_type_contradicts",
            1.0,
        ),
        (
            FlowRecord(response_headers=(("Content-Type", "text/html"),), response_body=b"<html>"),
            "reply_type_contradicts",
            0.0,
        ),
    ],
)
def test_numbers_say_what_their_names_say(record: FlowRecord, name: str, value: float) -> None:
    assert number(record, name) == value


def test_shares_are_of_path_query_and_the_start_of_the_body() -> None:
    assert number(FlowRecord(path="/12?3", request_body=b"ab"), "digits") == pytest.approx(3 / 6)
    assert number(FlowRecord(path="/<>", request_body=b"a" * 9000), "symbols") == pytest.approx(2 / (3 + 1024))
    assert number(FlowRecord(path="/é"), "non_ascii") == pytest.approx(2 / 3)


@given(st.binary(max_size=LOOK))
def test_entropy_is_shannon_s(raw: bytes) -> None:
    shares = [count / len(raw) for count in Counter(raw).values()]
    assert _entropy(raw) == pytest.approx(-sum(share * math.log2(share) for share in shares) / 8, abs=1e-9)
