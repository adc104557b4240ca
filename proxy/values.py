"""Values of `sluice.toml` that are more than a number or a word: each function reads one kind.

They are called by the validation in `config` and raise ValueError with what is allowed; the key is added there.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sized
from datetime import UTC, date, datetime, time
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, ValidationInfo

from classifier.records import LABELS, Kind, Label, Phase
from classifier.thresholds import BLOCK_AT, DEFAULT, THREAT, Action, Limits, rate
from proxy import lists
from proxy.policy import CAUSES, Cause

_SCOPES: Final = (DEFAULT, *(f"{kind}/{phase}" for kind in get_args(Kind) for phase in get_args(Phase)))
_TIME: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MODES: Final = ("regular", "upstream", "socks5", "reverse", "transparent", "wireguard", "local")
"""Those of mitmproxy's modes whose traffic is HTTP for the most part."""
_SIZE: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(value: Any) -> Address:
    """`HOST:PORT`, an IPv6 host in brackets."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:]+):(\d{1,5})", value) if isinstance(value, str) else None
    if found is None or int(found[2]) > 65535:
        raise ValueError("must be HOST:PORT")
    return Address(found[1].strip("[]"), int(found[2]))


def workers(value: Any) -> int | Literal["auto"]:
    """A number of processes, or `auto`."""
    if value == "auto":
        return "auto"
    if isinstance(value, str) and value.isascii() and value.isdigit():  # --workers 4
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("must be auto or a number from 1")


def modes(value: Any) -> tuple[str, ...]:
    """One or several of mitmproxy's modes: `regular`, `upstream:http://PROXY:PORT`, `socks5`, `reverse:URL`,
    `transparent`, `wireguard`, `local`; each but the last may end in `@PORT` or `@HOST:PORT`.
    """
    specs = listed(value)
    if not isinstance(specs, list) or not specs or not all(isinstance(spec, str) for spec in specs):
        raise ValueError(f"must be of {', '.join(MODES)}")
    from mitmproxy.proxy.mode_specs import ProxyMode

    for spec in specs:
        name = re.split("[:@]", spec)[0]
        if name not in MODES:
            raise ValueError(f"{name!r} is no mode, {nearest(name, MODES)}")
        try:
            parsed = ProxyMode.parse(spec)
        except ValueError as error:
            raise ValueError(f"{spec}: {error}") from None
        if getattr(parsed, "scheme", "http") not in ("http", "https"):
            raise ValueError(f"{spec}: must lead to http:// or https://")
    return tuple(specs)


def path(value: Any, info: ValidationInfo) -> Path | None:
    """A path, relative to the file that names it."""
    if not isinstance(value, str):
        raise ValueError("must be a path")
    return _beside(info, value) if value else None


def listed(value: Any) -> Any:
    """One text or a list of them."""
    return [value] if isinstance(value, str) else value


def filled[T: Sized](value: T) -> T:
    """A condition that says something; an empty one would fit everything, which nobody means."""
    if not len(value):
        raise ValueError("must not be empty; left out, it fits everything")
    return value


def host_files(value: Any, info: ValidationInfo) -> frozenset[str]:
    """One or several files with a domain a line (hosts files too); each means itself and what is under it."""
    return frozenset(f".{name}" for file in _files(value, info) for name in lists.domains(file))


def adblock_files(value: Any, info: ValidationInfo) -> lists.Adblock:
    """One or several filter lists in Adblock syntax."""
    return lists.Adblock(_files(value, info))


def labels(value: Any) -> frozenset[Label]:
    """One or several labels."""
    names = listed(value)
    if not isinstance(names, list):
        raise ValueError(f"must be of {', '.join(LABELS)}")
    if unknown := [name for name in names if name not in LABELS]:
        raise ValueError(f"{unknown[0]!r} is no label, {nearest(unknown[0], LABELS)}")
    return frozenset(Label(name) for name in names)


def label(value: Any) -> Label:
    """One label."""
    if not isinstance(value, str) or value not in LABELS:
        raise ValueError(f"must be a label, {nearest(value, LABELS)}")
    return Label(value)


def networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    """One or several networks."""
    try:
        return tuple(ip_network(item, strict=False) for item in listed(value))
    except (TypeError, ValueError):
        raise ValueError("must be an address or a network like 10.0.0.0/8") from None


def moment(value: Any) -> float:
    """A date (until its end, UTC) or a date with time, as Unix seconds."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if "T" in value or " " in value else date.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time.max, UTC).timestamp()
    raise ValueError("must be a date like 2030-12-31")


def thresholds(value: Any) -> dict[str, dict[str, Limits]]:
    """Tables by kind/phase or `default`: `flag` and `block` on the threat, or a table of both by label."""
    if not isinstance(value, Mapping):
        raise ValueError('must be a table like {"http/request" = {block = 0.95}}')
    result = {}
    for scope, table in value.items():
        if scope not in _SCOPES:
            raise ValueError(f"{scope}: no kind/phase, {nearest(scope, _SCOPES)}")
        if not isinstance(table, Mapping):
            raise ValueError(f"{scope}: must be a table of flag and block")
        own = {name: limit for name, limit in table.items() if name in Limits._fields}
        rest = {name: limit for name, limit in table.items() if name not in own}
        result[scope] = {name: _limits(name, limit) for name, limit in rest.items()}
        if own:
            result[scope][THREAT] = _limits(THREAT, own)
    return result


class Budget(NamedTuple):
    """Which share of harmless flows may be blocked; `point` names the shipped threshold that keeps it.

    `site`: the site's own traffic sets the threshold, as soon as there is enough of it (`proxy.budget`).
    """

    point: str = BLOCK_AT
    share: float = float(BLOCK_AT)
    site: bool = False


def budget(value: Any) -> Budget:
    """`{wrong_blocks = "1/10000"}`, perhaps with `from = "site"`."""
    if not isinstance(value, Mapping) or not {"wrong_blocks"} <= set(value) <= {"wrong_blocks", "from"}:
        raise ValueError('must be {wrong_blocks = "1/10000"}')
    if value.get("from", "model") not in ("model", "site"):
        raise ValueError("from must be model or site")
    try:
        share = float(Fraction(str(value["wrong_blocks"])))
    except (ValueError, ZeroDivisionError):
        raise ValueError("wrong_blocks must be a share like 1/10000") from None
    return Budget(rate(share), share, value.get("from") == "site")


def on_failure(value: Any) -> dict[Cause, Action]:
    """`allow` or `block` for every cause, or a table by cause (others are allowed)."""
    given = dict.fromkeys(CAUSES, value) if isinstance(value, str) else value
    if not isinstance(given, Mapping) or any(action not in ("allow", "block") for action in given.values()):
        raise ValueError("must be allow or block, or a table of those by cause")
    if unknown := [cause for cause in given if cause not in CAUSES]:
        raise ValueError(f"{unknown[0]}: no cause, {nearest(unknown[0], CAUSES)}")
    return dict(given)


def nearest(name: object, known: Iterable[str]) -> str:
    """The valid name closest to a mistaken one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"


def window(value: Any) -> float:
    """Seconds as for `seconds`, or `off`, which is 0."""
    return 0.0 if value == "off" else _measure(value, _TIME, "off, seconds or a text like 10m")


def seconds(value: Any) -> float:
    """Seconds, or a text like `14d`."""
    return _measure(value, _TIME, "seconds or a text like 12h or 14d")


def size(value: Any) -> int:
    """Bytes, or a text like `4GiB`."""
    short = re.sub(r"i?b$", "", value.strip().lower()) if isinstance(value, str) else value
    return int(_measure(short, _SIZE, "bytes or a text like 500MiB or 4GiB"))


def memory(value: Any) -> int:
    """Bytes as for `size`, or `off`, which is 0."""
    return 0 if value == "off" else size(value)


def section_of(annotation: Any) -> type[BaseModel]:
    """The table behind a field's type: itself, or what a tuple of tables holds."""
    return next(kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and _is_table(kind))


def _is_table(kind: type) -> bool:
    return issubclass(kind, BaseModel)


def _beside(info: ValidationInfo, name: str) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return Path(folder) / Path(name).expanduser()


def _files(value: Any, info: ValidationInfo) -> list[Path]:
    files = listed(value)
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise ValueError("must be a file or a list of files")
    return [_beside(info, file) for file in files]


def _limits(name: str, value: Any) -> Limits:
    if name != THREAT and name not in LABELS:
        raise ValueError(f"{name}: no label, {nearest(name, (*Limits._fields, THREAT, *LABELS))}")
    if not isinstance(value, Mapping) or not set(value) <= set(Limits._fields):
        raise ValueError(f"{name}: must be a table of flag and block")
    for limit in value.values():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
            raise ValueError(f"{name}: flag and block must be numbers from 0 to 1 (above 1 is never reached)")
    return Limits(**{key: float(limit) for key, limit in value.items()})


def _measure(value: Any, units: dict[str, int], allowed: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)", value.strip().lower()) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        raise ValueError(f"must be {allowed}")
    return float(found[1]) * units[found[2]]
