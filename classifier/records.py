"""What is judged and what the judgement says: `FlowRecord`, `Label`, `Verdict`, and their JSON lines.

Every importer and the live proxy produce `FlowRecord`s; masking, features, captures and training only
ever see these. A record may be as bare as a host name: every field has a default.

Text fields hold text: bytes from the wire become `str` through `text()` (UTF-8, else Latin-1), and go
back to bytes as UTF-8, so that a record survives JSON unchanged whichever importer made it.
"""

import base64
import binascii
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

Kind = Literal["http", "tls", "dns", "tcp", "websocket"]
Phase = Literal["connect", "request", "response", "end"]
Headers = tuple[tuple[str, str], ...]

BODY_CAP: Final = 16 * 1024
"""Bytes of a request body or message that are looked at; what lies beyond is counted as not inspected."""
REPLY_CAP: Final = 1024
"""Bytes of a response body that are kept. What a reply gives away stands at its start: its true type, a loader, a
redirect, an error page. Judging whole pages costs tens of windows a flow."""


class Label(StrEnum):
    """What a flow is. The order is the order of the model's outputs."""

    BENIGN = "benign"
    TRACKER = "tracker"
    SQLI = "sqli"
    XSS = "xss"
    PATH_TRAVERSAL = "path_traversal"
    COMMAND_INJECTION = "command_injection"
    SSRF_XXE = "ssrf_xxe"
    SCANNER = "scanner"
    PHISHING = "phishing"
    MALWARE = "malware"
    C2 = "c2"
    DGA = "dga"
    EXFILTRATION = "exfiltration"
    CRYPTOMINING = "cryptomining"


LABELS: Final = tuple(Label)
ATTACKS: Final = (
    Label.SQLI,
    Label.XSS,
    Label.PATH_TRAVERSAL,
    Label.COMMAND_INJECTION,
    Label.SSRF_XXE,
)
"""The web attacks that a `web_attack` row may stand for."""
HARMLESS: Final = (Label.BENIGN, Label.TRACKER, Label.SCANNER)
"""Labels that are no threat by themselves; a policy may act on them, none blocks by default."""


class FlowRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One flow as far as it has been seen. Immutable; `phase` says which fields can be set.

    Sizes are bytes, `time` is Unix seconds, `seconds` is the flow's duration so far.
    `path` includes the query. The ends of the connection, as far as they were seen, are `client`, `client_port`,
    `server` (an address; `host` is what was asked for) and `port`. Bodies are decoded (content encoding removed); of a
    request's body the first `BODY_CAP` bytes count, of a response's the first `REPLY_CAP`.
    """

    id: str = ""
    kind: Kind = "http"
    phase: Phase = "request"
    time: float = 0.0
    client: str = ""
    client_port: int = 0
    server: str = ""
    host: str = ""
    port: int = 0
    sni: str = ""
    alpn: tuple[str, ...] = ()
    ja4: str = ""
    method: str = ""
    scheme: str = ""
    path: str = ""
    http_version: str = ""
    request_headers: Headers = ()
    request_body: bytes = b""
    status: int = 0
    response_headers: Headers = ()
    response_body: bytes = b""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    # DNS
    qname: str = ""
    qtype: str = ""
    rcode: str = ""
    answers: tuple[str, ...] = ()
    # WebSocket
    message: bytes = b""
    direction: Literal["", "up", "down"] = ""
    # What somebody says it is, where known
    label: Label | None = None

    @property
    def site(self) -> str:
        """The name the flow is for: host, else server name, else the name asked for."""
        return self.host or self.sni or self.qname


class Verdict(msgspec.Struct, frozen=True):
    """What one release says of one record. `scores` sums to 1 over all labels."""

    label: Label
    threat: float
    scores: dict[Label, float]
    model: str


def threat(scores: dict[Label, float]) -> float:
    """1 minus the mass of the harmless labels, in 0…1."""
    return max(0.0, 1.0 - sum(scores.get(label, 0.0) for label in HARMLESS))


def asked(record: FlowRecord) -> FlowRecord:
    """The request of a record that has its answer."""
    return msgspec.structs.replace(
        record, phase="request", status=0, response_headers=(), response_body=b"", bytes_down=0, seconds=0.0
    )


def phases(record: FlowRecord) -> list[FlowRecord]:
    """What the proxy would have judged of this flow: the request as it stood, and the whole once answered."""
    if record.kind != "http" or record.phase not in ("response", "end") or not record.method:
        return [record]
    return [asked(record), record]


def text(raw: bytes) -> str:
    """Bytes from the wire as text: UTF-8 where valid, else Latin-1 (which never fails)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_BODIES: Final = {"request_body": BODY_CAP, "response_body": REPLY_CAP, "message": BODY_CAP}
_decoder = msgspec.json.Decoder(dict[str, Any])


def from_json(line: bytes | str) -> FlowRecord:
    """Read one line of the interchange. Unknown keys are ignored, missing ones take their default.

    Raises ValueError with a short reason when the line is not a record.
    """
    try:
        fields = _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a JSON object ({error})") from None
    return from_fields(fields)


def from_fields(fields: dict[str, Any]) -> FlowRecord:
    """Build a record from plain values (bodies as `*_b64`), inferring kind and phase where missing.

    Raises ValueError with a short reason.
    """
    known = {name: fields[name] for name in FlowRecord.__struct_fields__ if name in fields}
    for name, cap in _BODIES.items():
        known.pop(name, None)
        encoded = fields.get(f"{name}_b64")
        if encoded:
            known[name] = _unbase64(name, encoded)[:cap]
    known = {name: value for name, value in known.items() if value is not None}
    known.setdefault("kind", "dns" if known.get("qname") else "http")
    known.setdefault("phase", _phase(known))
    try:
        return msgspec.convert(known, FlowRecord)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def to_json(record: FlowRecord) -> bytes:
    """One line of the interchange, without its newline; bodies as base64."""
    fields = msgspec.to_builtins(record, builtin_types=(bytes,))
    fields |= {"kind": record.kind, "phase": record.phase}
    for name in _BODIES:
        body = fields.pop(name, None)
        if body:
            fields[f"{name}_b64"] = base64.b64encode(body).decode("ascii")
    return msgspec.json.encode(fields)


def headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header pairs from the wire as text."""
    return tuple((text(name), text(value)) for name, value in pairs)


def _unbase64(name: str, encoded: object) -> bytes:
    if not isinstance(encoded, str):
        raise ValueError(f"{name}_b64 is not a string")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{name}_b64 is not base64") from None


def _phase(fields: dict[str, Any]) -> Phase:
    if fields.get("status") or fields.get("rcode"):
        return "response"
    if fields.get("method") or fields.get("path") or fields.get("qname") or fields.get("message"):
        return "request"
    return "connect"
