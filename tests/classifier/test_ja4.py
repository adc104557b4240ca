"""ClientHello and JA4 against FoxIO's published example (technical_details/JA4.md)."""

import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import importers
from classifier.importers import BadLine
from classifier.ja4 import Hello, ja4, parse

# The published example: t13d1516h2_8daaf6152771_e5627efa2ab1, made of these lists.
CIPHERS = [0x002F, 0x0035, 0x009C, 0x009D, 0x1301, 0x1302, 0x1303, 0xC013, 0xC014, 0xC02B, 0xC02C, 0xC02F, 0xC030,
           0xCCA8, 0xCCA9]  # fmt: skip
EXTENSIONS = [0x0005, 0x000A, 0x000B, 0x000D, 0x0012, 0x0015, 0x0017, 0x001B, 0x0023, 0x002B, 0x002D, 0x0033, 0x4469,
              0xFF01]  # fmt: skip
SIGNATURES = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
PUBLISHED = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def words(numbers: list[int], size: str = "H") -> bytes:
    return struct.pack(f">{size}{len(numbers)}H", 2 * len(numbers), *numbers)


def alpn(*names: bytes) -> bytes:
    listed = b"".join(bytes([len(name)]) + name for name in names)
    return struct.pack(">H", len(listed)) + listed


def sni(name: bytes) -> bytes:
    return struct.pack(">HBH", len(name) + 3, 0, len(name)) + name


def published(*, grease: bool = False) -> list[tuple[int, bytes]]:
    data = {0x000D: words(SIGNATURES), 0x002B: words([*([0x1A1A] if grease else []), 0x0304, 0x0303], "B")}
    found = [(number, data.get(number, b"")) for number in reversed(EXTENSIONS)]
    odd = [(0x0A0A, b""), (0xFAFA, b"\x00")] if grease else []
    return [*odd, (0, sni(b"Shop.example")), *found, (0x10, alpn(b"h2", b"http/1.1"))]


def hello(ciphers: list[int], extensions: list[tuple[int, bytes]], version: int = 0x0303) -> bytes:
    """A ClientHello handshake message."""
    listed = b"".join(struct.pack(">HH", number, len(data)) + data for number, data in extensions)
    body = struct.pack(">H", version) + bytes(32) + b"\x20" + bytes(32) + words(ciphers) + b"\x01\x00"
    body += struct.pack(">H", len(listed)) + listed
    return b"\x01" + len(body).to_bytes(3) + body


def test_the_published_example() -> None:
    found = parse(hello(CIPHERS, published()))
    assert (found.sni, found.alpn) == ("shop.example", (b"h2", b"http/1.1"))
    assert ja4(found) == PUBLISHED


def test_grease_and_order_change_nothing() -> None:
    assert ja4(parse(hello([0x2A2A, *reversed(CIPHERS)], published(grease=True)))) == PUBLISHED


def test_quic_has_a_letter_of_its_own() -> None:
    assert ja4(parse(hello(CIPHERS, published())), transport="q") == f"q{PUBLISHED[1:]}"


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (Hello(0x0301, (), ()), "t10i000000_000000000000_000000000000"),
        (Hello(0x0303, (), ((0x10, alpn(b"h")),)), "t12i0001hh_000000000000_000000000000"),
        (Hello(0x0303, (), ((0x10, alpn(b"\xab\xcd")),)), "t12i0001ad_000000000000_000000000000"),
        (Hello(0x0303, (), ((0x10, b""),)), "t12i000100_000000000000_000000000000"),
        (Hello(0x9999, (), ((0, b""),)), "t00d000100_000000000000_000000000000"),
        (Hello(0xFEFD, (), ()), "td2i000000_000000000000_000000000000"),
    ],
)
def test_the_first_part(made: Hello, wanted: str) -> None:
    assert ja4(made) == wanted


def test_many_ciphers_count_as_99() -> None:
    assert ja4(Hello(0x0303, tuple(range(200)), ()))[4:6] == "99"


@pytest.mark.parametrize("size", [0, 1, 5, 40, 80])
def test_a_cut_hello_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse(hello(CIPHERS, published())[:size])


def test_other_messages_are_refused() -> None:
    with pytest.raises(ValueError, match="not a ClientHello"):
        parse(b"\x02" + bytes(60))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_hello_or_a_value_error(raw: bytes) -> None:
    try:
        ja4(parse(b"\x01" + raw))
    except ValueError as error:
        assert "cut short" in str(error)


def test_captures_give_the_fingerprints_recorded_for_them(corpus: Path) -> None:
    recorded = pq.read_table(corpus / "flows" / "tls_handshakes.parquet", columns=["source_file", "ja4"]).to_pylist()
    twins = {"connect-tls-inside.pcap": "http_connect.pcap", "tls-clienthello-reassembly.pcapng": "tls_2_reasms.pcapng",
             "tls-ech.pcapng": "tls_ech.pcapng", "tls-no-sni.pcap": "no_sni.pcap"}  # fmt: skip
    for name, twin in twins.items():
        flows = importers.read(corpus / "flows" / "raw" / name)
        found = sorted(flow.ja4 for flow in flows if not isinstance(flow, BadLine) and flow.kind == "tls")
        assert found == sorted(row["ja4"] for row in recorded if row["source_file"].endswith(f"/{twin}"))
