"""URLs and names made comparable, settled where sources contradict each other, split and weighted.

The rules and constants are those that the description of the trained-on table states; where it states none, the
docstring says so.
"""

import hashlib
import ipaddress
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from publicsuffixlist import PublicSuffixList

from classifier.importers.address import split
from classifier.records import FlowRecord

PRIORITY: Final = ("c2", "malware", "phishing", "dga", "cryptomining", "scam", "tracker")
"""Of several hostile labels of one URL the first counts."""
_MAIL: Final = re.compile(r"[\w.+%-]+(@|%40)(?=[\w-]+\.[a-z]{2,})", re.IGNORECASE)
_NAME: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE)
_DEFANGED: Final = ((re.compile(r"^hxxp", re.IGNORECASE), "http"), (re.compile(r"\[\.\]|\(\.\)|\[dot\]"), "."))
_SUFFIXES: Final = PublicSuffixList()
_LENGTHS: Final = (20, 30, 45, 70, 110)
"""Characters without scheme and `www.`: the steps that the weights of the trained-on table show."""


class Url(NamedTuple):
    """A row of the table before it is settled. `url` is as `normal` makes it."""

    url: str
    label: str
    original: str
    source: str
    repository: str
    licence: str


def normal(written: str) -> str:
    """A URL or name as the table holds it, empty for what is none.

    Defanged forms and `&amp;` are restored, the host lower-cased; the local part of an e-mail address becomes
    `user`. What carries a user name or password, and names without a dot, are refused.
    """
    url = written.strip().replace("&amp;", "&")
    for pattern, plain in _DEFANGED:
        url = pattern.sub(plain, url)
    scheme, mark, rest = url.rpartition("://") if re.match(r"[a-z]+://", url, re.IGNORECASE) else ("", "", url)
    if mark:  # of several `://` the first ends the scheme
        scheme, mark, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = split(f"//{authority}").host
    if "@" in authority or "." not in host.strip(".") or not _NAME.fullmatch(host) or any(c.isspace() for c in url):
        return ""
    return f"{scheme.lower()}{mark}{authority.lower()}{_MAIL.sub(r'user\1', rest[len(authority) :])}"


def of_flow(record: FlowRecord) -> str:
    """The URL of a request."""
    port = f":{record.port}" if record.port and record.port not in (80, 443) else ""
    return f"{record.scheme or 'http'}://{record.host}{port}{record.path}" if record.host else ""


def key(url: str) -> str:
    """What two forms of one URL share: no scheme, no `www.`, no lone `/`."""
    bare = url.partition("://")[2] or url
    bare = bare.removeprefix("www.")
    return bare.removesuffix("/") if bare.count("/") == 1 else bare


def domain(url: str) -> str:
    """The registered domain, private suffixes included; an address or a suffix stays as it is."""
    return _registered(split(url if "://" in url else f"//{url}").host)


@lru_cache(maxsize=100_000)
def _registered(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return _SUFFIXES.privatesuffix(host) or host


def settle(labels: Iterable[str]) -> str:
    """The label of a URL that sources call by all of these; empty where it is both harmless and hostile."""
    named = set(labels)
    if named <= {"benign", "tracker"}:
        return "tracker" if "tracker" in named else "benign"
    return "" if "benign" in named else min(named, key=PRIORITY.index)


def table(urls: Iterable[Url]) -> Iterator[dict[str, Any]]:
    """The rows of the table: of each URL the first row that has the settled label."""
    named = defaultdict[str, list[Url]](list)
    for url in urls:
        named[key(url.url)].append(url)
    settled = ((settle(url.label for url in same), same) for same in named.values())
    kept = [next(url for url in same if url.label == label) for label, same in settled if label]
    domains = [domain(url.url) for url in kept]
    sides = defaultdict[str, set[bool]](set)
    for url, name in zip(kept, domains, strict=True):
        sides[name].add(url.label in ("benign", "tracker"))
    for url, name, weight in zip(kept, domains, weights(kept), strict=True):
        yield {
            "url": url.url,
            "kind": kind(url.url),
            "label": url.label,
            "original_label": url.original,
            "source": url.source,
            "repository": url.repository,
            "licence": url.licence,
            "registered_domain": name,
            "split_hint": hint(name),
            "mixed_domain": len(sides[name]) == 2,
            "w_struct": weight,
        }


def kind(url: str) -> str:
    """`url` where there is a scheme or a path, else `domain`."""
    return "url" if "://" in url or "/" in url or "?" in url else "domain"


def weights(urls: list[Url]) -> list[float]:
    """For each row the weight that makes P(benign) the same in every stratum of its shape, clipped to 0.2…5.

    Strata: kind, path depth (to 4), query or none, length in the steps of `_LENGTHS`.
    """
    shapes = [_shape(url.url) for url in urls]
    benign = [url.label == "benign" for url in urls]
    share = sum(benign) / len(urls) if urls else 0.0
    total, harmless = Counter(shapes), Counter(shape for shape, good in zip(shapes, benign, strict=True) if good)
    found = []
    for shape, good in zip(shapes, benign, strict=True):
        inside = harmless[shape] / total[shape]
        found.append(min(5.0, max(0.2, share / inside if good else (1 - share) / (1 - inside))))
    return found


def _shape(url: str) -> tuple[str, int, bool, int]:
    bare = key(url)
    path, mark, _ = bare.partition("?")
    depth = len([part for part in path.split("/")[1:] if part])
    return kind(url), min(depth, 4), bool(mark), bisect_right(_LENGTHS, len(bare))


def hint(group: str) -> str:
    """5 % of the groups are for validation, chosen by a digest of their name."""
    return "val" if hashlib.sha256(group.encode()).digest()[0] < 13 else "train"
