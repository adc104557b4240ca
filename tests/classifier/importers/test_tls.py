"""A ClientHello over records and segments."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.importers.tls import START, Greeting


def greeting() -> bytes:
    """What OpenSSL sends first: a real ClientHello in one record."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="shop.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


RAW = greeting()


@given(st.lists(st.integers(1, len(RAW)), max_size=5))
def test_a_hello_over_any_segments(places: list[int]) -> None:
    listener = Greeting()
    marks = [0, *sorted(places), len(RAW)]
    found = [hello for a, b in zip(marks, marks[1:], strict=False) if (hello := listener.feed(RAW[a:b]))]  # noqa: RUF007
    assert [(hello.sni, hello.alpn) for hello in found] == [("shop.example", (b"h2", b"http/1.1"))]
    assert listener.done and START.match(RAW)


def test_a_hello_over_two_records() -> None:
    message = RAW[5:]
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in (message[:100], message[100:]))
    hello = Greeting().feed(records)
    assert hello is not None and hello.sni == "shop.example"


@pytest.mark.parametrize("raw", [b"\x17\x03\x03\x00\x01x", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01x"])
def test_something_else_is_given_up(raw: bytes) -> None:
    listener = Greeting()
    assert listener.feed(raw) is None
    assert listener.done


def test_an_endless_hello_is_given_up() -> None:
    listener = Greeting()
    for _ in range(5):
        assert listener.feed(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x4000 - 4)) is None
    assert listener.done
