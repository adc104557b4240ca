"""Requests and answers with a secret in every place where a client or a site may put one.

`plants()` gives them. Each has a secret of its own, so that what leaks names its place. There are two kinds: what only
its field's name gives away, in the places of `NAMED`, and what can be told by its looks, wherever it stands (`FREE`).
"""

import base64
import gzip
import json
import random
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import brotli  # type: ignore[import-untyped]
import zstandard

from classifier.records import BODY_CAP
from classifier.tokens import luhn
from origin import Reply

Fields = tuple[tuple[str, str], ...]

SECRET: Final = "SECRET"
"""Where the secret goes."""
_FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")
_JSON: Final = ("Content-Type", "application/json")
_XML: Final = ("Content-Type", "text/xml")
_PARTS: Final = ("Content-Type", "multipart/form-data; boundary=b0b")
_HTML: Final = ("Content-Type", "text/html")


@dataclass(frozen=True)
class Shape:
    """A request and, where `answer` is told, its answer. A `path` is a request target: path and query."""

    path: str = "/plain"
    headers: Fields = ()
    body: str = ""
    answer: Reply | None = None
    pack: Callable[[bytes], bytes] = bytes
    """How bodies are written."""

    def filled(self, value: str) -> "Shape":
        """With a value in place of `SECRET`."""
        answer = self.answer
        if answer is not None:
            answer = Reply(answer.body.replace(SECRET.encode(), value.encode()), list(_filled(answer.headers, value)))
        return replace(
            self,
            path=self.path.replace(SECRET, value),
            headers=tuple(_filled(self.headers, value)),
            body=self.body.replace(SECRET, value),
            answer=answer,
        )

    def attacking(self) -> "Shape":
        """The same with what a test's model takes for an attack: in the answer where there is one."""
        if self.answer is not None:
            return replace(self, answer=replace(self.answer, body=self.answer.body + b"\n'''"))
        return replace(self, path=f"{self.path}{'&' if '?' in self.path else '?'}note=%27%27%27")

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return self.pack(self.body.encode()) if self.body else b""

    @property
    def reply(self) -> Reply | None:
        """The answer as it is sent."""
        return self.answer and replace(self.answer, body=self.pack(self.answer.body))

    @property
    def told(self) -> bytes:
        """All that it tells, bodies before they were packed."""
        answer = self.answer or Reply()
        headers = [f"{name}: {value}" for name, value in (*self.headers, *answer.headers)]
        return "\n".join([self.path, *headers, self.body]).encode() + b"\n" + answer.body


@dataclass(frozen=True)
class Plant:
    """A shape with a secret in it; `needles` are the parts of the secret that nobody may read."""

    name: str
    shape: Shape
    needles: tuple[str, ...]


def _filled(headers: Iterable[tuple[str, str]], value: str) -> Iterator[tuple[str, str]]:
    return ((name, text.replace(SECRET, value)) for name, text in headers)


def _part(name: str, content: str, file: str = "") -> str:
    named = f'; filename="{file}"\r\nContent-Type: text/plain' if file else ""
    return f'--b0b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n{content}\r\n--b0b--\r\n'


def _query(path: str) -> Shape:
    return Shape(path)


def _header(name: str, value: str = SECRET) -> Shape:
    return Shape(headers=((name, value),))


def _post(kind: tuple[str, str], body: str) -> Shape:
    return Shape("/post", (kind,), body)


def _answer(body: str = "", *headers: tuple[str, str]) -> Shape:
    return Shape("/answer", answer=Reply(body.encode(), list(headers)))


def _coded(coding: str, pack: Callable[[bytes], bytes]) -> Shape:
    """A JSON body in a content coding."""
    return Shape("/coded", (_JSON, ("Content-Encoding", coding)), '{"password": "SECRET"}', pack=pack)


def _before_the_cap(body: str) -> str:
    """A body that is cut in the middle of the secret."""
    return "a=" + "lorem+ipsum+" * (BODY_CAP // 12 - 1) + body.rjust(12 + BODY_CAP % 12, "&")


NAMED: Final = {
    "query": _query("/q?user=bob&password=SECRET&x=1"),
    "query of a callback": _query("/cb?code=SECRET&state=1"),
    "query with brackets": _query("/q?user%5Bpassword%5D=SECRET"),
    "address in a query": _query("/go?next=https%3A%2F%2Fsite.example%2F%3Ftoken%3DSECRET%26a%3Db"),
    "JSON in a query": _query("/q?data=%7B%22password%22%3A%20%22SECRET%22%7D"),
    "path parameter": _query("/a;jsessionid=SECRET?x=1"),
    "Authorization": _header("Authorization", "Bearer SECRET"),
    "Authorization token": _header("Authorization", "Token token=SECRET"),
    "Authorization digest": _header("Authorization", 'Digest username="bob", response="SECRET", nonce="SECRET"'),
    "Proxy-Authorization": _header("Proxy-Authorization", "Bearer SECRET"),
    "X-Api-Key": _header("X-Api-Key"),
    "X-Auth-Token": _header("X-Auth-Token"),
    "X-Amz-Security-Token": _header("X-Amz-Security-Token"),
    "Cookie": _header("Cookie", "theme=dark; sid=SECRET; lang=en"),
    "Cookie of any name": _header("Cookie", "b=SECRET"),
    "Referer": _header("Referer", "https://site.example/reset?token=SECRET&x=1"),
    "Origin of a link": _header("Referer", "https://bob:SECRET@site.example/"),
    "form": _post(_FORM, "user=bob&password=SECRET&x=1"),
    "form with brackets": _post(_FORM, "user%5Bnew_password%5D=SECRET"),
    "JSON in a form": _post(_FORM, "payload=%7B%22token%22%3A%22SECRET%22%7D"),
    "JSON": _post(_JSON, '{"user": "bob", "password": "SECRET"}'),
    "deep JSON": _post(_JSON, '{"a": [{"b": {"client_secret": "SECRET"}}], "c": {"d": 1}}'),
    "JSON array": _post(_JSON, '{"tokens": ["x", "SECRET"]}'),
    "JSON object of a secret name": _post(_JSON, '{"credentials": {"user": "bob", "it": {"value": "SECRET"}}}'),
    "JSON in JSON": _post(_JSON, '{"json": "{\\"api_key\\": \\"SECRET\\"}"}'),
    "JSON name and value": _post(_JSON, '[{"name": "password", "value": "SECRET"}]'),
    "GraphQL": _post(_JSON, '{"query": "mutation { login(user: \\"bob\\", password: \\"SECRET\\") { id } }"}'),
    "GraphQL variables": _post(_JSON, '{"query": "…", "variables": {"input": {"password": "SECRET"}}}'),
    "XML element": _post(_XML, "<login><user>bob</user><password>SECRET</password></login>"),
    "XML attribute": _post(_XML, "<login user='bob' password='SECRET'/>"),
    "XML CDATA": _post(_XML, "<a><wsse:Password Type='x'><![CDATA[SECRET]]></wsse:Password></a>"),
    "XML-RPC": _post(_XML, "<member><name>password</name><value><string>SECRET</string></value></member>"),
    "multipart": Shape("/post", (_PARTS,), _part("password", SECRET)),
    "JSON in multipart": Shape("/post", (_PARTS,), _part("meta", '{"access_token": "SECRET"}')),
    "uploaded .env": Shape("/post", (_PARTS,), _part("file", "DEBUG=1\nDB_PASSWORD=SECRET\nX=2", ".env")),
    "uploaded YAML": Shape("/post", (_PARTS,), _part("file", "db:\n  user: bob\n  password: SECRET\n", "a.yml")),
    "plain text": _post(("Content-Type", "text/plain"), "user: bob\npassword: SECRET\n"),
    "body cut in the secret": _post(_FORM, _before_the_cap("password=SECRET")),
    "gzip": _coded("gzip", gzip.compress),
    "deflate": _coded("deflate", zlib.compress),
    "br": _coded("br", brotli.compress),
    "zstd": _coded("zstd", zstandard.compress),
    "gzip that says nothing of it": Shape("/post", (), "password=SECRET", pack=gzip.compress),
    "zlib that says nothing of it": Shape("/post", (), "password=SECRET", pack=zlib.compress),
    "zstd that says nothing of it": Shape("/post", (), "password=SECRET", pack=zstandard.compress),
    "failing request": Shape("/nan?x=~~~~~~~~~~~~&password=SECRET", (("Cookie", "sid=SECRET"),)),
    "Set-Cookie": _answer("hello", ("Set-Cookie", "sid=SECRET; Path=/; HttpOnly"), ("Set-Cookie", "a=b")),
    "answer's header": _answer("hello", ("X-CSRF-Token", SECRET)),
    "Location": _answer("", ("Location", "https://site.example/cb#access_token=SECRET&x=1")),
    "JSON answer": _answer('{"access_token": "SECRET", "expires_in": 3600}', _JSON),
    "hidden input": _answer('<form><input type="hidden" name="csrf_token" value="SECRET"></form>', _HTML),
    "meta element": _answer('<head><meta name="csrf-token" content="SECRET"></head>', _HTML),
    "script in a page": _answer('<script>var apiKey = "SECRET"; window.x = {sessionId: "SECRET"}</script>', _HTML),
    "link in a page": _answer('<a href="/reset?token=SECRET&amp;x=1">reset</a>', _HTML),
    "XML answer": _answer("<r><SessionToken>SECRET</SessionToken></r>", _XML),
    "gzip answer": replace(_answer('{"secret": "SECRET"}', _JSON, ("Content-Encoding", "gzip")), pack=gzip.compress),
}

FREE: Final = {
    "path": _query("/r/SECRET/x"),
    "end of a path": _query("/download/SECRET"),
    "query": _query("/q?q=SECRET&x=1"),
    "header": _header("X-Note", "see SECRET for more"),
    "Referer": _header("Referer", "https://site.example/r/SECRET/x"),
    "form": _post(_FORM, "note=SECRET&x=1"),
    "JSON": _post(_JSON, '{"note": "SECRET", "n": 1}'),
    "XML": _post(_XML, "<note>SECRET</note>"),
    "multipart": Shape("/post", (_PARTS,), _part("note", SECRET)),
    "text": _post(("Content-Type", "text/plain"), "please use SECRET from now on"),
    "answer": _answer("it is SECRET now", ("Content-Type", "text/plain")),
    "answer's header": _answer("hello", ("X-Note", SECRET)),
}

WRITTEN: Final[dict[str, Callable[[str], str]]] = {
    "clear": str,
    "percent": lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    "double percent": lambda text: "".join(f"%25{ord(letter):02X}" for letter in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


def plants() -> Iterator[Plant]:
    """A secret of each kind in every place, in every way of writing or, where places and kinds are many, in some."""
    mint = Mint(7)
    ways = list(WRITTEN.items())
    for number, (place, shape) in enumerate(NAMED.items()):
        for turn, (way, write) in enumerate(ways):
            kind, secret = ("words", mint.words()) if (number + turn) % 2 else ("password", mint.password())
            yield Plant(f"{kind} in {place}, {way}", shape.filled(write(secret)), parts(secret))
    for number, (kind, make) in enumerate(mint.kinds().items()):
        for turn, (place, shape) in enumerate(FREE.items()):
            for way, write in (ways[0], ways[1 + (number + turn) % (len(ways) - 1)]):
                secret = make()
                yield Plant(f"{kind} in {place}, {way}", shape.filled(write(secret)), parts(secret))
    yield from _odd(mint)


def _odd(mint: "Mint") -> Iterator[Plant]:
    """Those that are written in one way only."""
    for name in ("Authorization", "Proxy-Authorization"):
        secret = mint.password()
        basic = base64.b64encode(f"bob:{secret}".encode()).decode()
        yield Plant(f"Basic in {name}", _header(name, f"Basic {basic}"), parts(secret))
    for escape in ("\\u%04x", "\\x%02x", "&#%d;", "&#x%x;"):
        secret = mint.words()
        value = "".join(escape % ord(letter) for letter in secret)
        yield Plant(f"password as {escape}", NAMED["JSON"].filled(value), parts(secret))
    for separator in (" ", "-", "."):
        for place in ("JSON", "text", "answer"):
            card = mint.card()
            grouped = separator.join(re.findall(".{1,4}", card))
            yield Plant(f"card with {separator!r} in {place}", FREE[place].filled(grouped), (card,))
    for place in ("text", "multipart"):
        lines = [mint.draw(string.ascii_letters + string.digits, 64) for _ in range(3)]
        pem = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])
        yield Plant(f"private key in {place}", FREE[place].filled(pem), tuple(lines))


def parts(secret: str) -> tuple[str, ...]:
    """The runs of letters and digits that are long enough to look for, and what the payload of a JWT hides."""
    texts = [secret]
    if secret.startswith("eyJ"):
        _, payload, signature = secret.split(".")
        texts = [signature, json.loads(base64.urlsafe_b64decode(payload + "=="))["jti"]]
    return tuple(run for text in texts for run in re.findall("[A-Za-z0-9]{8,}", text))


class Mint:
    """Makes secrets, the same ones from the same seed; each has a part that can be looked for."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def draw(self, alphabet: str, count: int) -> str:
        """Random characters."""
        return "".join(self._rng.choices(alphabet, k=count))

    def words(self) -> str:
        """What looks like any other word."""
        return "".join(self.draw("bdfgklmnprstvz", 1) + self.draw("aeiou", 1) for _ in range(6))

    def password(self) -> str:
        """What a password manager makes."""
        return f"{self.draw(string.ascii_letters, 1)}!{self.draw(string.ascii_letters + string.digits, 10)}$7"

    def card(self) -> str:
        """A card number (ISO/IEC 7812) with its check digit."""
        start = self._rng.choice(["4", "51", "55", "37", "6011"])
        body = start + self.draw(string.digits, (14 if start == "37" else 15) - len(start))
        return next(body + digit for digit in string.digits if luhn(body + digit))

    def jwt(self) -> str:
        """A JSON Web Token (RFC 7519)."""
        claims = json.dumps({"sub": "1234", "jti": self.draw(string.ascii_letters, 12)}).encode()
        parts = [b'{"alg":"HS256"}', claims]
        encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, self.draw(string.ascii_letters + string.digits, 43)])

    def kinds(self) -> dict[str, Callable[[], str]]:
        """What can be told by its looks."""
        letters, upper = string.ascii_letters + string.digits, string.ascii_uppercase + string.digits
        return {
            "JWT": self.jwt,
            "card": self.card,
            "cloud key": lambda: "AKIA" + self.draw(upper, 16),
            "forge token": lambda: "ghp_" + self.draw(letters, 36),
            "payment key": lambda: "sk_live_" + self.draw(letters, 24),
            "hexadecimal token": lambda: self.draw("0123456789abcdef", 40),
            "random token": lambda: self.draw(letters, 40),
            "userinfo": lambda: f"https://bob:{self.draw(letters, 12)}@site.example/",
            "bytes as base64": lambda: base64.b64encode(self._rng.randbytes(36)).decode(),
        }
