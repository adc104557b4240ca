"""The requests of a benchmark: what browsers and tools ask of a few sites in an hour, no two alike.

Every request goes to the benchmark's origin, in absolute form as a proxy's client sends it; the sites are names in the
Host header only, under a suffix that no resolver answers (RFC 2606).
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple
from urllib.parse import quote_plus, urlencode

from proxy.bench.clients import Client, Headers, Want, browsers, tools

COUNT: Final = 16_000
"""Distinct requests of a mix."""
_VISITORS: Final = 200

_HOSTS: Final = ("www.shop.example", "news.example", "app.crm.example", "wiki.example", "api.bank.example")
_WORDS: Final = (
    "account archive autumn basket billing blue camera city coffee compare cotton delivery desk detail energy export "
    "family field filter folder garden green guide harbour history index invoice jacket journal kitchen lamp leather "
    "library light linen market member mobile morning mountain music night number office order orange paper partner "
    "picture price profile project quality region report river search season select service session silver sport "
    "station status storage summer table team ticket travel union update value video village water weather winter"
).split()
_ASSETS: Final = ("js", "css", "png", "jpg", "svg", "woff2")
_FIELDS: Final = "id name title price status createdAt updatedAt author total items rating stock".split()


class Request(NamedTuple):
    """One request. `headers` hold everything but the body's length."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""

    def encode(self, authority: str) -> bytes:
        """As bytes for a proxy: to `authority` (HOST:PORT), whatever Host says."""
        lines = [f"{self.method} http://{authority}{self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body or self.method == "POST":
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def build(seed: int, count: int = COUNT) -> list[Request]:
    """`count` requests that differ in method, path or body; the same for the same seed."""
    rng = Random(seed)
    visitors, programs = browsers(rng, _VISITORS), tools()
    made: dict[tuple[str, str, bytes], Request] = {}
    makers, weights = zip(*_KINDS, strict=True)
    while len(made) < count:
        maker = rng.choices(makers, weights)[0]
        program = maker in _BY_TOOLS and rng.random() < 0.5
        request = maker(rng, rng.choice(programs if program else visitors), rng.choice(_HOSTS))
        made.setdefault((request.method, request.path, request.body), request)
    return list(made.values())


def _page(rng: Random, client: Client, host: str) -> Request:
    path = "/" + "/".join(_some(rng, 1, 4))
    if rng.random() < 0.3:
        path += f"-{rng.randrange(10**6)}.html"
    if rng.random() < 0.5:
        path += "?" + _query(rng)
    return _get(rng, client, host, path, "page")


def _asset(rng: Random, client: Client, host: str) -> Request:
    name = f"{'-'.join(_some(rng, 1, 3))}.{rng.randbytes(4).hex()}.{rng.choice(_ASSETS)}"
    return _get(rng, client, host, f"/static/{rng.choice(_WORDS)}/{name}", "asset")


def _rest(rng: Random, client: Client, host: str) -> Request:
    path = f"/api/v{rng.randint(1, 3)}/{rng.choice(_WORDS)}s/{rng.randrange(10**5)}"
    if rng.random() < 0.6:
        return _get(rng, client, host, f"{path}?{_query(rng)}", "data")
    return _post(rng, client, host, path, _json(rng), "application/json", "data")


def _graphql(rng: Random, client: Client, host: str) -> Request:
    name = "".join(word.title() for word in _some(rng, 2, 3))
    fields = " ".join(rng.sample(_FIELDS, rng.randint(3, 8)))
    query = f"query {name}($id: ID!) {{ {rng.choice(_WORDS)}(id: $id) {{ {fields} }} }}"
    body = {"operationName": name, "variables": {"id": str(rng.randrange(10**6))}, "query": query}
    return _post(rng, client, host, "/graphql", json.dumps(body).encode(), "application/json", "data")


def _form(rng: Random, client: Client, host: str) -> Request:
    fields = {
        "csrf_token": rng.randbytes(16).hex(),
        "email": f"{rng.choice(_WORDS)}.{rng.choice(_WORDS)}@mail.example",
        "password": rng.randbytes(6).hex() + rng.choice("!?#+"),
        "comment": _sentence(rng),
    }
    chosen = dict(rng.sample(list(fields.items()), rng.randint(2, 4)))
    body = urlencode(chosen).encode()
    return _post(rng, client, host, f"/{rng.choice(_WORDS)}/submit", body, "application/x-www-form-urlencoded", "form")


def _upload(rng: Random, client: Client, host: str) -> Request:
    boundary = f"----WebKitFormBoundary{rng.randbytes(8).hex()}"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{rng.choice(_WORDS)}.png"\r\n'
    content = b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randint(500, 8000))
    body = f"{head}Content-Type: image/png\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return _post(rng, client, host, "/upload", body, f"multipart/form-data; boundary={boundary}", "form")


def _beacon(rng: Random, client: Client, host: str) -> Request:
    event = {"e": rng.choice(_WORDS), "t": rng.randrange(10**9), "u": f"/{rng.choice(_WORDS)}"}
    if rng.random() < 0.5:
        return _get(rng, client, host, f"/collect?{urlencode(event)}", "data")
    return _post(rng, client, host, "/collect", json.dumps(event).encode(), "text/plain;charset=UTF-8", "data")


_KINDS: Final[tuple[tuple[Callable[[Random, Client, str], Request], int], ...]] = (
    (_page, 22), (_asset, 34), (_rest, 20), (_graphql, 6), (_form, 6), (_upload, 2), (_beacon, 10),
)  # fmt: skip
"""What is made, and its share in per cent."""
_BY_TOOLS: Final = (_rest, _graphql, _upload)


def _get(rng: Random, client: Client, host: str, path: str, want: Want) -> Request:
    return Request("GET", path, client.headers(host, want, _referer(rng, host)))


def _post(rng: Random, client: Client, host: str, path: str, body: bytes, kind: str, want: Want) -> Request:
    headers = client.headers(host, want, _referer(rng, host))
    return Request("POST", path, (*headers, ("Content-Type", kind)), body)


def _referer(rng: Random, host: str) -> str:
    return f"http://{host}/{rng.choice(_WORDS)}" if rng.random() < 0.7 else ""


def _some(rng: Random, low: int, high: int) -> list[str]:
    return rng.choices(_WORDS, k=rng.randint(low, high))


def _sentence(rng: Random) -> str:
    return " ".join(_some(rng, 4, 30)).capitalize() + rng.choice(".!?")


def _query(rng: Random) -> str:
    pairs = {
        "q": quote_plus(" ".join(_some(rng, 1, 3))),
        "page": str(rng.randint(1, 40)),
        "sort": rng.choice(("price", "-date", "name")),
        "utm_source": rng.choice(_WORDS),
        "id": rng.randbytes(8).hex(),
    }
    return "&".join(f"{name}={value}" for name, value in rng.sample(list(pairs.items()), rng.randint(1, 4)))


def _json(rng: Random) -> bytes:
    item = {rng.choice(_WORDS): rng.randrange(10**4), "name": _sentence(rng), "tags": _some(rng, 0, 4)}
    return json.dumps({"data": [item] * rng.randint(1, 3), "requestId": rng.randbytes(8).hex()}).encode()
