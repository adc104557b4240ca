"""The numeric features of a record: lengths, shares, entropies, and what a reply is.

Lengths and counts are log1p, shares are 0…1, entropies bits per byte over 8. They are computed from the decoded text
(`texts`); every value comes from one pass in C over at most `LOOK` bytes, because small steps are what costs here.
"""

import ipaddress
import math
import re
import struct
from functools import lru_cache
from itertools import product
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from classifier.recent import Recent, both
from classifier.records import FlowRecord, Kind, Phase

NUMBERS: Final = (
    "kind_http", "kind_tls", "kind_dns", "kind_tcp", "kind_websocket",
    "phase_connect", "phase_request", "phase_response", "phase_end",
    "host_length", "host_labels", "host_digits", "host_vowels", "host_entropy", "host_longest_label", "host_is_ip",
    "host_inside", "host_hyphens", "port_unusual",
    "path_length", "path_depth", "query_length", "query_parameters", "headers_length", "body_length",
    "escapes", "decode_rounds", "symbols", "non_ascii", "digits", "entropy",
    "status_2xx", "status_3xx", "status_4xx", "status_5xx", "reply_length",
    "reply_executable", "reply_archive", "reply_type_contradicts",
)  # fmt: skip
"""Names of the numeric features."""

LOOK: Final = 4096
"""Bytes of path, query and body, in all, whose signs are counted; of a body only the first `LOOK_BODY`."""
LOOK_BODY: Final = 1024

_SYMBOLS: Final = b"<>'\"();{}$|&`\\*[]#!^~"
_DIGITS: Final = b"0123456789"
_VOWELS: Final = b"aeiou"
_HIGH: Final = bytes(range(128, 256))
_EXECUTABLE: Final = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"dex\n", b"\xd0\xcf\x11\xe0")
_ARCHIVE: Final = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"MSCF")
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image"), (b"\x89PNG", "image"), (b"GIF8", "image"), (b"RIFF", "image"),
    (b"%PDF", "pdf"), (b"<!DOC", "html"), (b"<html", "html"), (b"<!doc", "html"), (b"{", "json"), (b"<?xml", "xml"),
)  # fmt: skip

_LOOK_MAGIC: Final = max(len(magic) for magic in (*_EXECUTABLE, *_ARCHIVE, *(magic for magic, _ in _MAGIC)))

_USUAL: Final = frozenset({0, 80, 443, 53, 8080, 8443})
_INSIDE: Final = tuple(
    map(
        ipaddress.ip_network,
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 169.254.0.0/16 ::1/128 fc00::/7 fe80::/10".split(),
    )
)
"""RFC 1918, 1122 (loopback), 3927 and 4291 (link-local), 4193 (unique local)."""
_INSIDE_NAME: Final = re.compile(rb"(?:.*\.)?(?:localhost|local|lan|internal|home\.arpa)\.?", re.DOTALL)
"""RFC 6761, 6762 and 8375, and what routers and clouds use."""

_START: Final = {
    (kind, phase): tuple(float(kind == k) for k in get_args(Kind)) + tuple(float(phase == p) for p in get_args(Phase))
    for kind, phase in product(get_args(Kind), get_args(Phase))
}
_STATUS: Final = {0: (0.0,) * 4} | {
    place: tuple(float(place == hundred) for hundred in range(2, 6)) for place in range(2, 6)
}
_NO_REPLY: Final = (0.0,) * 4
_ROW: Final = struct.Struct(f"{len(NUMBERS)}f")
_N_LOG_N: Final = np.arange(LOOK + 1) * np.log2(np.maximum(np.arange(LOOK + 1), 1))
_ONES: Final = np.ones(256)

Numbers = npt.NDArray[np.float32]


def numbers(record: FlowRecord, texts: list[bytes], rounds: int) -> Numbers:
    """float32 [F], F = len(NUMBERS), of a record, its texts by segment and its decoding rounds."""
    _, _, host, _, _, path, query, _, reply, _, body, headers = texts
    lengths, signs = _REQUESTS[path, query, body]
    row = bytearray(_ROW.size)
    _ROW.pack_into(
        row,
        0,
        *_START[record.kind, record.phase],
        *_host_numbers(host),
        record.port not in _USUAL,
        *lengths,
        math.log1p(len(headers)),
        math.log1p(len(body)),
        math.log1p(record.path.count("%")),
        rounds,
        *signs,
        *_STATUS[min(max(record.status // 100, 2), 5) if record.status else 0],
        *(_reply_numbers(record, reply) if reply else _NO_REPLY),
    )
    return np.ndarray((len(NUMBERS),), np.float32, row)


def _request_numbers(key: tuple[bytes, bytes, bytes]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of path, query and body: lengths of the first two, then the signs in all three."""
    path, query, body = key
    asked = b"".join((path, query, body[:LOOK_BODY]))[:LOOK]
    log1p = math.log1p
    return (
        (log1p(len(path)), log1p(path.count(b"/")), log1p(len(query)), log1p(query.count(b"="))),
        (
            _share(asked, _SYMBOLS),
            0.0 if asked.isascii() else _share(asked, _HIGH),
            _share(asked, _DIGITS),
            _entropy(asked),
        ),
    )


_REQUESTS: Final = Recent(_request_numbers, lambda key: sum(map(len, key)), 1 << 19)
"""A request is read when it is asked and again when it is answered."""


@lru_cache(maxsize=4096)
def _host_numbers(host: bytes) -> tuple[float, ...]:
    address = _address(host)
    return (
        math.log1p(len(host)),
        math.log1p(host.count(b".")),
        _share(host, _DIGITS),
        _share(host, _VOWELS),
        _entropy(host),
        math.log1p(max(map(len, host.split(b".")))),
        address is not None,
        _is_inside(host, address),
        math.log1p(host.count(b"-")),
    )


def _is_inside(host: bytes, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    """Whether a host is one of a local network: a public address says more than a private one."""
    if address is None:
        return _INSIDE_NAME.fullmatch(host) is not None
    return any(address in network for network in _INSIDE)


def _address(host: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not (host[-1:].isdigit() or b":" in host):
        return None
    try:
        address = ipaddress.ip_address(host.decode("ascii", "replace").strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _reply_numbers(record: FlowRecord, reply: bytes) -> tuple[float, ...]:
    told = ""
    for name, value in record.response_headers:
        if name.lower() == "content-type":
            told = value
            break
    return math.log1p(len(reply)), *_REPLIES[told, reply[:_LOOK_MAGIC]]


def _reply_kind(key: tuple[str, bytes]) -> tuple[bool, bool, bool]:
    """What a reply is by what its headers told and its start: executable, an archive, something else than told."""
    told, start = key[0].lower(), key[1]
    shown = next((kind for magic, kind in _MAGIC if start.startswith(magic)), "")
    executable = start.startswith(_EXECUTABLE)
    contradicts = bool(told) and (
        (executable and not told.startswith("application/")) or (shown != "" and shown not in told)
    )
    return executable, start.startswith(_ARCHIVE), contradicts


_REPLIES: Final = Recent(_reply_kind, both, 1 << 16)


def _share(raw: bytes, alphabet: bytes) -> float:
    """Share of the bytes that are in `alphabet`. (`translate` with deletions is the fastest count there is.)"""
    return 1.0 - len(raw.translate(None, alphabet)) / len(raw) if raw else 0.0


def _entropy(raw: bytes) -> float:
    """Shannon entropy of at most `LOOK` bytes over 8 bits, so 0…1."""
    size = len(raw)
    if size < 2:
        return 0.0
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=256)
    return max(0.0, (math.log2(size) - float(_N_LOG_N.take(counts).dot(_ONES)) / size) / 8.0)
