"""Training rows: the corpora with their traps countered.

Every trap of the corpora is a difference between sources that is no difference between labels. The cure is
the same each time: do to all rows, with the same chances, what only some of them have.

- headers: attacks come with none or two, harmless requests with a browser's → all rows are dressed from the same
  wardrobe, stripped, thinned and shuffled;
- carriers: payload lists are bare values → hostile and harmless values go into the same carriers;
- hosts: exploit templates have none → harmless hosts are lent out, and any row may lose its own;
- addresses: malware lists are full of bare ones, captures of harmless devices of private ones → inside addresses
  (RFC 1918, loopback) are lent to all rows that ask for more than a host, hostile ones as often as harmless ones;
- encodings: attacks are encoded more often → harmless and hostile values are rewritten by the same spellings
  (`rewrites`), attacks by tricks of their own as well;
- responses: only captures have one → any request may borrow one from a harmless capture;
- URLs: harmless ones are bare → the tables' `w_struct` weights, no scheme, no `www`.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from classifier.records import ATTACKS, REPLY_CAP, FlowRecord, Headers, Label, asked
from classifier.training import synthetic
from classifier.training.carriers import WORDS, carry
from classifier.training.corpus import Row, rows
from classifier.training.rewriting.rewrites import rewritten

TOOLS: Final = (
    "curl/8.5.0", "Wget/1.21.4", "python-requests/2.31.0", "Go-http-client/1.1", "okhttp/4.12.0", "axios/1.6.8",
    "Java/17.0.9", "PostmanRuntime/7.37.3", "Dart/3.3 (dart:io)", "aws-cli/2.15.30", "git/2.43.0", "node-fetch",
    "Apache-HttpClient/4.5.14 (Java/11.0.22)", "pip/24.0", "Microsoft-CryptoAPI/10.0", "Debian APT-HTTP/1.3",
)  # fmt: skip
SYNTHETIC_SHARE: Final = 0.12
"""Synthetic rows, as a share of the rest: they cover what the corpora lack, and teach replay's own traffic."""
CELL: Final = 60_000
"""Rows kept of one source and label."""
FRAGMENT: Final = 0.08
"""Share of the rows with a body that are seen as a later window of a long one: without the request's head."""
INSIDE: Final = 0.06
"""Share of the rows with a path that are asked of an inside address."""
INSIDE_MADE: Final = 0.12
"""The same of hostile synthetic rows: devices and services inside are frequent in the harmless synthetic traffic."""
REWRITTEN: Final = 0.2
"""Share of the requests and values, hostile and harmless, that are rewritten."""
SCARCE: Final = frozenset({Label.COMMAND_INJECTION, Label.SSRF_XXE})
"""Labels with few payloads: each is carried three times, others twice."""


def holdout(corpus: Path) -> Iterator[tuple[str, FlowRecord]]:
    """The rows of the held-out sources as (source, labelled record), values put into plain carriers.

    Rows that are known only to be some web attack carry no label and are left out.
    """
    rng = random.Random("holdout")
    for row in rows(corpus):
        if row.part != "holdout" or len(row.labels) != 1:
            continue
        record = _carried(row, rng, None) if row.carried else row.record
        yield row.source, msgspec.structs.replace(record, label=row.labels[0])


def training_rows(
    corpus: Path | None, seed: int = 0, limit: int | None = None, *, known: Iterable[Row] | None = None
) -> Iterator[Row]:
    """Augmented, weighted, shuffled rows of the training sources and of our synthetic traffic.

    Without `corpus` the synthetic traffic alone (`limit` rows of it, 20,000 by default). The same seed
    gives the same rows. `part` is `train` or `val`. `known` are the corpus's rows where they are read already.
    """
    rng = random.Random(f"rows {seed}")
    read = rows(corpus) if corpus and known is None else known or ()
    plain = [row for row in read if row.part != "holdout"]
    rng.shuffle(plain)
    plain = _capped(plain)[:limit]
    wardrobe = Wardrobe(plain, rng)
    weights = _balance(plain)
    made = max(1, int(len(plain) * SYNTHETIC_SHARE)) if plain else (limit or 20_000)
    extra = _synthetic(made, seed, wardrobe)
    every = max(1, len(plain) // made)
    for index, row in enumerate(plain):
        for copy in range(_copies(row)):
            changed = wardrobe.wear(row, rng)
            share = 0.5 if copy else 1.0
            yield changed._replace(weight=row.weight * share * weights[_cell(row)])
        if index % every == 0:
            yield from _next(extra)
    yield from extra


class Wardrobe:
    """Hosts, header sets, requests and responses of harmless training traffic, lent to every row alike."""

    def __init__(self, plain: list[Row], rng: random.Random) -> None:
        harmless = [row.record for row in plain if row.labels == (Label.BENIGN,) and row.part == "train"]
        requests = [record for record in harmless if record.request_headers]
        self._bases = rng.sample(requests, min(20_000, len(requests)))
        self._headers = [_lendable(record.request_headers) for record in self._bases[:5_000]]
        named = [record.host for record in harmless if record.kind == "http" and record.host]
        self._hosts = rng.sample(named, min(50_000, len(named)))
        self._replies = [record for record in requests if record.status][:8_000]

    def wear(self, row: Row, rng: random.Random) -> Row:
        """The row as it might be seen at some site."""
        record = row.record
        if row.carried:
            base = rng.choice(self._bases) if self._bases and rng.random() < 0.5 else None
            record = _carried(row, rng, base)
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
        if told and rng.random() < REWRITTEN:
            record = rewritten(record, row.labels[0], rng)
        return row._replace(record=self._answer(record, rng), carried=False)

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
        if not self._replies or rng.random() < 0.85:
            return record
        lent = rng.choice(self._replies)
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
    addresses = (f"10.{a}.{b}.{c}", f"192.168.{b}.{c}", f"172.{16 + a % 16}.{b}.{c}", "127.0.0.1", "localhost", "[::1]")
    host = rng.choice((*addresses, *names))
    port = rng.choice((0, 80, 443, 3000, 5000, 8000, 8008, 8080, 8443, 9000, 9090, rng.randint(1024, 65535)))
    return {"host": host, "port": port, "scheme": rng.choice(("http", "http", "https", ""))}


def _fragment(record: FlowRecord) -> FlowRecord:
    return FlowRecord(
        request_body=record.request_body, request_headers=_telling(record.request_headers), label=record.label
    )


def _carried(row: Row, rng: random.Random, base: FlowRecord | None) -> FlowRecord:
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


def _capped(plain: list[Row]) -> list[Row]:
    """At most `CELL` rows of a source and label: more of the same cost time and teach nothing."""
    seen: Counter[tuple[str, Label]] = Counter()
    kept = []
    for row in plain:
        seen[_cell(row)] += 1
        if seen[_cell(row)] <= CELL:
            kept.append(row)
    return kept


def _cell(row: Row) -> tuple[str, Label]:
    return row.source, row.labels[0]


def _balance(plain: list[Row]) -> dict[tuple[str, Label], float]:
    """Weights that keep a large source from speaking for its label: 1/sqrt(size), mean about 1 over a table."""
    sizes = Counter(map(_cell, plain))
    if not sizes:
        return {}
    typical = sum(size**0.5 for size in sizes.values()) / len(sizes)
    return {cell: min(4.0, max(0.25, typical / size**0.5)) for cell, size in sizes.items()}


def _copies(row: Row) -> int:
    """How often a row is used: a value is seen in several carriers, and spelled in several ways."""
    if not row.carried:
        return 1
    return 3 if row.labels[0] in SCARCE else 2


def _synthetic(count: int, seed: int, wardrobe: Wardrobe) -> Iterator[Row]:
    """Half harmless, half hostile; one in twenty is for validation."""
    rng = random.Random(f"synthetic {seed}")
    streams = (synthetic.benign(seed + 1), synthetic.attacks(seed + 1))
    for index in range(count):
        record = next(streams[index % 2])
        label = record.label or Label.BENIGN
        if label is not Label.BENIGN and record.kind == "http":
            record = wardrobe.move(record, rng)
        yield Row(record, (label,), 1.0, "synthetic:", "val" if index % 40 < 2 else "train")


def _next(extra: Iterator[Row]) -> Iterator[Row]:
    row = next(extra, None)
    if row is not None:
        yield row
