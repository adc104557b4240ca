"""Who sends the requests of the mix: browsers with their headers and cookies, and tools.

Header names, values and order are those of the programs' current versions, over plain HTTP through a proxy.
"""

import base64
from random import Random
from typing import Final, Literal, NamedTuple

Headers = tuple[tuple[str, str], ...]
Want = Literal["page", "asset", "data", "form"]
"""What a browser is after: it sends other headers for a page than for a script or for `fetch`."""

_CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Mobile Safari/537.36",
)
_FIREFOX: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
)
_TOOLS: Final[tuple[Headers, ...]] = (
    (("User-Agent", "curl/8.11.1"), ("Accept", "*/*")),
    (
        ("User-Agent", "python-requests/2.32.3"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Accept", "*/*"),
        ("Connection", "keep-alive"),
    ),
    (("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")),
    (("User-Agent", "okhttp/4.12.0"), ("Accept-Encoding", "gzip"), ("Connection", "Keep-Alive")),
    (
        ("Accept", "application/json, text/plain, */*"),
        ("User-Agent", "axios/1.7.9"),
        ("Accept-Encoding", "gzip, compress, deflate, br"),
    ),
)
_LANGUAGES: Final = ("en-US,en;q=0.9", "en-GB,en;q=0.8", "de-DE,de;q=0.9,en;q=0.6", "fr-FR,fr;q=0.9", "ja,en;q=0.7")
_ACCEPT: Final[dict[Want, str]] = {
    "page": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "form": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "asset": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "data": "application/json, text/plain, */*",
}


class Client(NamedTuple):
    """One browser or tool: what it says of itself, and the cookies it brings."""

    fixed: Headers
    cookie: str = ""
    browser: bool = True

    def headers(self, host: str, want: Want, referer: str) -> Headers:
        """The headers of one request, in order; the body's own are not among them."""
        if not self.browser:
            return (("Host", host), *self.fixed)
        own = [("Host", host), ("Proxy-Connection", "keep-alive"), *self.fixed, ("Accept", _ACCEPT[want])]
        if want in ("page", "form"):
            own.append(("Upgrade-Insecure-Requests", "1"))
        if want in ("data", "form"):
            own.append(("Origin", f"http://{host}"))
        own += [("Referer", referer)] if referer else []
        own += [("Cookie", self.cookie)] if self.cookie else []
        return tuple(own)


def browsers(rng: Random, count: int) -> list[Client]:
    """Visitors, each with the same program and cookies throughout."""
    return [Client(_program(rng), _cookies(rng)) for _ in range(count)]


def tools() -> list[Client]:
    """Programs that are not browsers."""
    return [Client(headers, browser=False) for headers in _TOOLS]


def _program(rng: Random) -> Headers:
    template = rng.choice((*_CHROME, *_FIREFOX))
    agent = template.format(rng.randint(125, 142))
    return (
        ("User-Agent", agent),
        ("Accept-Language", rng.choice(_LANGUAGES)),
        ("Accept-Encoding", "gzip, deflate"),
    )


def _cookies(rng: Random) -> str:
    session = base64.urlsafe_b64encode(rng.randbytes(24)).decode()
    jar = [
        f"session={session}",
        f"_ga=GA1.1.{rng.randrange(10**9)}.{rng.randrange(16 * 10**8, 18 * 10**8)}",
        f"csrftoken={rng.randbytes(16).hex()}",
        f"theme={rng.choice(('dark', 'light'))}",
        f"consent=analytics%3D{rng.randint(0, 1)}%26ads%3D0",
    ]
    return "; ".join(rng.sample(jar, rng.randint(0, len(jar))))
