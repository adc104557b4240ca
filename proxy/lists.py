"""List files as conditions of rules: plain domains and hosts files, and filter lists in Adblock syntax.

Plain lists need nothing. Adblock syntax (paths, wildcards, options such as `$third-party`, `@@` for what is not meant)
is read by the engine that Brave uses (adblock-rust, MPL-2.0) through its Python binding, the optional extra `adblock`.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from classifier.records import FlowRecord

_LOCAL: Final = frozenset(
    "localhost localhost.localdomain local broadcasthost ip6-localhost ip6-loopback ip6-localnet ip6-mcastprefix "
    "ip6-allnodes ip6-allrouters ip6-allhosts 0.0.0.0".split()
)
"""Names that hosts files define for the machine itself; no list means to block them."""
_ADBLOCK: Final = ("||", "@@", "|http", "[Adblock")
_TYPES: Final = {
    "document": "document", "iframe": "subdocument", "frame": "subdocument", "script": "script", "style": "stylesheet",
    "image": "image", "font": "font", "audio": "media", "video": "media", "object": "object", "empty": "xmlhttprequest",
}  # fmt: skip
"""Fetch destinations (https://fetch.spec.whatwg.org/#concept-request-destination) by their names in Adblock syntax."""


def domains(file: Path) -> Iterator[str]:
    """The names in a list: one a line, or a hosts file (several names behind an address). Raises ValueError."""
    for number, line in enumerate(_lines(file), 1):
        if line.startswith(_ADBLOCK):
            raise ValueError(f"{file}, line {number}: looks like Adblock syntax; name the file in adblock_list instead")
        words = [] if line.startswith("!") else line.partition("#")[0].lower().split()
        if len(words) > 1:
            words = words[1:] if _is_address(words[0]) else words[:1]
        names = (word.lstrip("*.").rstrip(".") for word in words)
        yield from (name for name in names if name and name not in _LOCAL)


class Adblock:
    """Filter lists in Adblock syntax. Raises ValueError when one cannot be read or the extra is not installed."""

    def __init__(self, files: Iterable[Path]) -> None:
        try:
            import adblock
        except ImportError:
            raise ValueError("Adblock syntax needs the extra: pip install 'sluice-proxy[adblock]'") from None
        rules, content = adblock.FilterSet(), sha256()
        for file in files:
            lines = _lines(file)
            rules.add_filters(lines)
            content.update("\n".join(lines).encode())
        self.digest = content.hexdigest()
        self._engine = adblock.Engine(rules)

    def lists(self, record: FlowRecord, *, every: bool) -> bool:
        """Whether the lists mean this flow, by any of its names or by `every` one.

        Before a request is seen only what rules say of the whole host can be known.
        """
        names = {name for name in (record.host, record.sni, record.qname) if name}
        return bool(names) and (all if every else any)(self._listed(record, name) for name in names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adblock) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def _listed(self, record: FlowRecord, name: str) -> bool:
        told = {key.lower(): value for key, value in record.request_headers}
        host = f"[{name}]" if ":" in name else name
        url = f"{record.scheme or 'https'}://{host}{record.path or '/'}"
        kind = _TYPES.get(told.get("sec-fetch-dest", ""), "other")
        return self._engine.check_network_urls(url, told.get("referer") or url, kind).matched


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text("utf-8-sig", errors="replace").splitlines()]
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None


def _is_address(word: str) -> bool:
    try:
        ip_address(word.partition("%")[0])
    except ValueError:
        return False
    return True
