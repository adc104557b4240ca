"""What rows of training wear: hosts, headers, replies and padding of harmless traffic, lent to every row alike.

The reasons stand in `classifier.training.data`.
"""

import random
from typing import Final

import msgspec

from classifier.records import ATTACKS, REPLY_CAP, FlowRecord, Headers, Label
from classifier.training.carriers import WORDS, carry
from classifier.training.corpus import Row
from classifier.training.rewriting.burying import buried
from classifier.training.rewriting.parameters import suspects
from classifier.training.rewriting.rewrites import rewritten

TOOLS: Final = (
    "curl/8.5.0", "Wget/1.21.4", "python-requests/2.31.0", "Go-http-client/1.1", "okhttp/4.12.0", "axios/1.6.8",
    "Java/17.0.9", "PostmanRuntime/7.37.3", "Dart/3.3 (dart:io)", "aws-cli/2.15.30", "git/2.43.0", "node-fetch",
    "Apache-HttpClient/4.5.14 (Java/11.0.22)", "pip/24.0", "Microsoft-CryptoAPI/10.0", "Debian APT-HTTP/1.3",
)  # fmt: skip
FRAGMENT: Final = 0.08
"""Share of the rows with a body that are seen as a later window of a long one: without the request's head."""
INSIDE: Final = 0.08
"""Share of the rows with a path that are asked of an inside address."""
INSIDE_MADE: Final = 0.14
"""The same of hostile synthetic rows: devices and services inside are frequent in the harmless synthetic traffic."""
REWRITTEN: Final = 0.2
"""Share of the requests and values, hostile and harmless, that are rewritten."""
BURIED: Final = 0.12
"""Share of them, hostile and harmless, that are padded with other text: some 8 KiB of it must hide nothing."""
ANSWERED: Final = 0.15
"""Share of the flows without an answer that get one of a harmless flow."""
_EVIDENCE: Final = 2_000
"""Bytes of evidence that are kept of a padded row."""


class Wardrobe:
    """Hosts, header sets, requests and responses of harmless training traffic, lent to every row alike."""

    def __init__(self, plain: list[Row], rng: random.Random, *, padded: float = BURIED) -> None:
        """`padded` is the share of the requests and values, hostile and harmless, that are padded."""
        self._padded = padded
        harmless = [row.record for row in plain if row.labels == (Label.BENIGN,) and row.part == "train"]
        requests = [record for record in harmless if record.request_headers]
        self._bases = rng.sample(requests, min(20_000, len(requests)))
        self._headers = [_lendable(record.request_headers) for record in self._bases[:5_000]]
        named = [record.host for record in harmless if record.kind == "http" and record.host]
        self._hosts = rng.sample(named, min(50_000, len(named)))
        values = [row.record.message for row in plain if row.carried and row.labels == (Label.BENIGN,)]
        self._values = [value.decode("utf-8", "replace") for value in rng.sample(values, min(20_000, len(values)))]
        self._replies = [record for record in requests if record.status][:8_000]

    def wear(self, row: Row, rng: random.Random) -> Row:
        """The row as it might be seen at some site."""
        record, base = row.record, None
        if row.carried:
            base = rng.choice(self._bases) if self._bases and rng.random() < 0.5 else None
            record = carried(row, rng, base)
        elif record.kind == "http" and record.phase == "connect":
            return row._replace(record=_named(record, rng))
        if record.kind != "http":
            return row
        if record.request_body and rng.random() < FRAGMENT:
            return row._replace(record=_fragment(record), carried=False)
        about_host = row.source.startswith(("urls:", "transactions:"))
        record = self._dress(record, rng)
        record = self._address(record, rng, keep=about_host)
        told = row.source.startswith(("requests:", "payloads:")) and row.part == "train"
        shown = row.labels[0] is not Label.BENIGN or rng.random() < 0.5
        evidence = row.record.message if row.carried and told and shown else b""
        if told and rng.random() < REWRITTEN:
            record, evidence = rewritten(record, row.labels[0], rng), b""
        if told and rng.random() < self._padded:
            record, evidence = self._bury(record, rng, evidence, base)
        record = self._answer(record, rng)
        return row._replace(record=record, carried=False, evidence=evidence)

    def pad(self, row: Row, rng: random.Random) -> Row:
        """A synthetic row, padded as often as others where it is harmless or a web attack."""
        record = row.record
        if record.kind != "http" or record.phase == "connect" or record.label not in (Label.BENIGN, *ATTACKS):
            return row
        if rng.random() >= self._padded:
            return row
        record, evidence = self._bury(record, rng)
        return row._replace(record=record, evidence=evidence)

    def _bury(
        self, record: FlowRecord, rng: random.Random, evidence: bytes = b"", base: FlowRecord | None = None
    ) -> tuple[FlowRecord, bytes]:
        """The request padded with harmless text, and its evidence (see `Row`); `base` is what carries its value.

        An attack is padded only where it is known which values are the attack: those with the signs of one, unless a
        harmless base has such values as well. Of harmless requests every second one names its values, too, so that
        what follows padding is seen of both.
        """
        hostile = record.label in ATTACKS
        if not evidence:
            signs = suspects(record)
            if hostile and (not signs or (base and suspects(base))):
                return record, b""
            if hostile or rng.random() < 0.5:
                evidence = "\n".join(signs).encode("utf-8", "replace")[:_EVIDENCE]
        return buried(record, rng, self._values), evidence

    def move(self, record: FlowRecord, rng: random.Random) -> FlowRecord:
        """A synthetic hostile request at some other host, or at least, where it is about its host, inside."""
        return self._address(record, rng, keep=record.label not in ATTACKS, inside=INSIDE_MADE)

    def _dress(self, record: FlowRecord, rng: random.Random) -> FlowRecord:
        own = record.request_headers
        chance = rng.random()
        if chance < 0.35:
            headers = own
        elif chance < 0.55:
            headers = _telling(own)
        elif chance < 0.8 and self._headers:
            headers = _over(rng.choice(self._headers), _telling(own))
        else:
            headers = _over((("User-Agent", rng.choice(TOOLS)), ("Accept", "*/*")), _telling(own))
        if rng.random() < 0.3:
            headers = tuple(
                pair for pair in headers if rng.random() < 0.7 or pair[0].lower() in ("content-type", "cookie")
            )
        if rng.random() < 0.5:
            headers = tuple(rng.sample(headers, len(headers)))
        return msgspec.structs.replace(record, request_headers=headers)

    def _address(self, record: FlowRecord, rng: random.Random, *, keep: bool, inside: float = INSIDE) -> FlowRecord:
        """Lend a host, or take it away; a row that is about its host keeps it."""
        changes: dict[str, object] = {}
        if len(record.path) > 1 and rng.random() < inside:
            changes |= _inside(rng)
        elif not keep and self._hosts and rng.random() < (0.3 if record.host else 0.7):
            changes["host"] = rng.choice(self._hosts)
        elif not keep and rng.random() < 0.15:
            changes["host"] = ""
        if not record.method and rng.random() < 0.6:
            changes["method"] = "GET"
        elif record.method == "GET" and rng.random() < 0.1:
            changes["method"] = ""
        return msgspec.structs.replace(record, **changes) if changes else record

    def _answer(self, record: FlowRecord, rng: random.Random) -> FlowRecord:
        """A response phase for rows without one, a shorter or no body for those with one."""
        if record.status:
            if rng.random() < 0.4:
                return asked(record)
            size = rng.choice((0, 64, 256, REPLY_CAP))
            return msgspec.structs.replace(record, response_body=record.response_body[:size])
        if not self._replies or rng.random() >= ANSWERED:
            return record
        return _answered(record, rng.choice(self._replies), rng)


def _answered(record: FlowRecord, lent: FlowRecord, rng: random.Random) -> FlowRecord:
    return msgspec.structs.replace(
        record,
        phase="response",
        status=lent.status if rng.random() < 0.7 else rng.choice((200, 302, 400, 403, 404, 500)),
        response_headers=lent.response_headers,
        response_body=lent.response_body[: rng.choice((0, 256, REPLY_CAP))],
    )


def _inside(rng: random.Random) -> dict[str, object]:
    """Host, port and scheme inside a network: an address of RFC 1918, loopback, or a name that only resolves there."""
    a, b, c = (rng.randint(0, 255) for _ in range(3))
    names = (f"{rng.choice(WORDS)}.{zone}" for zone in ("local", "lan", "internal", "home.arpa"))
    addresses = (
        f"10.{a}.{b}.{c}",
        f"192.168.{b}.{c}",
        f"172.{16 + a % 16}.{b}.{c}",
        "127.0.0.1",
        "[::1]",
        *["localhost"] * 4,
    )
    host = rng.choice((*addresses, *names))
    port = rng.choice((0, 80, 443, 3000, 5000, 8000, 8008, 8080, 8443, 9000, 9090, rng.randint(1024, 65535)))
    return {"host": host, "port": port, "scheme": rng.choice(("http", "http", "https", ""))}


def asked(record: FlowRecord) -> FlowRecord:
    """The request phase of a record that has its response."""
    return msgspec.structs.replace(
        record, phase="request", status=0, response_headers=(), response_body=b"", bytes_down=0, seconds=0.0
    )


def _fragment(record: FlowRecord) -> FlowRecord:
    return FlowRecord(
        request_body=record.request_body, request_headers=_telling(record.request_headers), label=record.label
    )


def carried(row: Row, rng: random.Random, base: FlowRecord | None) -> FlowRecord:
    """The request that carries the value of a row; in `base` where given."""
    value = row.record.message
    shown = value.decode("utf-8", "replace")
    if row.record.qtype == "path":
        path = shown if shown.startswith("/") else f"/{shown}"
        kept = base.request_headers if base else ()
        return FlowRecord(method="GET", path=path, request_headers=kept, label=row.record.label)
    if row.record.rcode == "urlencoded_query" and rng.random() < 0.7:
        record = msgspec.structs.replace(base or FlowRecord(method="GET", path="/"), request_body=b"", method="GET")
        return msgspec.structs.replace(record, path=f"{record.path.partition('?')[0]}?{shown}", label=row.record.label)
    record = carry(shown, rng, base, posted=row.record.qtype == "text_body")
    return msgspec.structs.replace(record, label=row.record.label)


def _named(record: FlowRecord, rng: random.Random) -> FlowRecord:
    """A bare name as a CONNECT, a server name or a question: they are the same evidence."""
    chance = rng.random()
    if chance < 0.5:
        return record
    if chance < 0.7:
        return FlowRecord(kind="tls", phase="connect", sni=record.host, label=record.label)
    if chance < 0.85:
        return FlowRecord(
            kind="dns", qname=record.host, qtype=rng.choice(("A", "A", "AAAA", "HTTPS")), label=record.label
        )
    return FlowRecord(host=record.host, path="/", label=record.label)


def _lendable(headers: Headers) -> Headers:
    """A header set without what belongs to one request."""
    own = {"host", "content-type", "content-length", "cookie", "origin", "authorization"}
    return tuple(pair for pair in headers if pair[0].lower() not in own and not pair[0].startswith(":"))


def _telling(headers: Headers) -> Headers:
    """Headers that may carry evidence: all but those that only say which program asked."""
    return tuple(pair for pair in headers if not pair[0].lower().startswith(("accept", "sec-", "connection", "host")))


def _over(lent: Headers, own: Headers) -> Headers:
    """`own` worn over `lent`: one's own value of a header wins."""
    names = {name.lower() for name, _ in own}
    return (*(pair for pair in lent if pair[0].lower() not in names), *own)
