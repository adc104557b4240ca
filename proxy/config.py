"""`sluice.toml`: every key, its type and default, read into plain settings; all mistakes are reported at once.

    settings = load(Path("sluice.toml"), {"proxy": {"listen": "127.0.0.1:9000"}})

Options of the command line are laid over the file before it is checked, so that they win and are checked alike.
A mistake raises UserError with one clause for each: the key, what is wrong, and what is allowed.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.thresholds import BLOCK_AT, Action, Overrides, Thresholds
from proxy import values
from proxy.policy import Cause, Exemption, Match, Mode, Policy, Rule

DEFAULT_FILE = Path("sluice.toml")

Text = Annotated[tuple[str, ...], BeforeValidator(values.listed)]
HostList = Annotated[frozenset[str], PlainValidator(values.host_files)]
Labels = Annotated[frozenset[Any], PlainValidator(values.labels)]
Clients = Annotated[tuple[Any, ...], PlainValidator(values.networks)]
Path_ = Annotated[Path, PlainValidator(values.path)]


class Section(BaseModel):
    """A table of the file; an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Condition(Section):
    """What a rule or an exception is about; several conditions must all hold."""

    name: str = ""
    host: Text = ()
    host_list: HostList = frozenset()
    client: Clients = ()
    path: Text = ()
    method: Text = ()
    label: Labels = frozenset()
    threat: float = Field(0.0, ge=0, le=1)

    def match(self) -> Match:
        """The condition, compiled."""
        return values.match(
            hosts=(*self.host, *self.host_list) if self.host or self.host_list else None,
            clients=self.client,
            paths=self.path,
            methods=self.method,
            labels=self.label,
            threat=self.threat,
        )


class RuleTable(Condition):
    """One of `[[policy.rules]]`."""

    action: Action


class ExceptionTable(Condition):
    """One of `[[policy.exceptions]]`."""

    owner: str
    reason: str
    expires: Annotated[float | None, PlainValidator(values.moment)] = None


class ProxyTable(Section):
    """`[proxy]`."""

    listen: Annotated[values.Address, PlainValidator(values.address)] = values.Address("127.0.0.1", 8080)
    admin: Annotated[values.Address, PlainValidator(values.address)] = values.Address("127.0.0.1", 8081)
    mode: Mode | None = None
    workers: Annotated[int | Literal["auto"], PlainValidator(values.workers)] = 1
    upstream_ca: Path_ | None = None


class ModelTable(Section):
    """`[model]`. `registry` is a state directory whose releases are served; empty for our own."""

    device: Literal["auto", "cuda", "cpu"] = "auto"
    registry: Path_ | None = None
    channel: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = "stable"


class PolicyTable(Section):
    """`[policy]`. `mode` wins over `proxy.mode`."""

    mode: Mode | None = None
    rules: tuple[RuleTable, ...] = ()
    exceptions: tuple[ExceptionTable, ...] = ()
    thresholds: Annotated[Overrides, PlainValidator(values.thresholds)] = Field(default_factory=dict)
    budget: Annotated[str, PlainValidator(values.budget)] = BLOCK_AT
    do_not_decrypt: Text = ()
    on_failure: Annotated[Mapping[Cause, Action], PlainValidator(values.on_failure)] = Field(default_factory=dict)


class CaptureTable(Section):
    """`[capture]`: seconds and bytes that captures may take."""

    max_age: Annotated[float, PlainValidator(values.seconds)] = 14 * 86400.0
    max_bytes: Annotated[int, PlainValidator(values.size)] = 4 * 1024**3


class FinetuneTable(Section):
    """`[finetune]`, read by `sluice finetune`."""

    corpus: Path_ | None = None


class Settings(Section):
    """The whole file."""

    proxy: ProxyTable = ProxyTable()
    model: ModelTable = ModelTable()
    policy: PolicyTable = PolicyTable()
    capture: CaptureTable = CaptureTable()
    finetune: FinetuneTable = FinetuneTable()

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self.policy.mode or self.proxy.mode or "monitor"

    def build_policy(self, points: OperatingPoints) -> Policy:
        """The policy over a model's operating points."""
        table = self.policy
        return Policy(
            Thresholds(points, table.thresholds, block_at=table.budget),
            mode=self.mode,
            rules=[Rule(_name(rule, i, "rule"), rule.match(), rule.action) for i, rule in enumerate(table.rules, 1)],
            exemptions=[
                Exemption(_name(item, i, "exception"), item.match(), item.owner, item.reason, item.expires)
                for i, item in enumerate(table.exceptions, 1)
            ],
            on_failure=table.on_failure,
        )


def load(path: Path | None = None, options: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Read `path` (default: `sluice.toml` where there is one) with `options` laid over it. Raises UserError."""
    file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    content = {} if file is None else _read(file)
    for section, given in (options or {}).items():
        told = {key: value for key, value in given.items() if value is not None}
        if told and isinstance(content.setdefault(section, {}), dict):
            content[section] |= told
    try:
        return Settings.model_validate(content, context={"folder": file.parent if file else Path()})
    except ValidationError as error:
        mistakes = "; ".join(_explain(dict(mistake)) for mistake in error.errors(include_url=False))
        raise UserError(f"{file or 'options'}: {mistakes}") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not TOML: {error}") from None


def _explain(mistake: dict[str, Any]) -> str:
    """One clause for one mistake."""
    place = list(mistake["loc"])
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    kind, found = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key, {_nearest(place)}"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        return f"{key}: must be {mistake['ctx']['expected']}, not {found!r}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{key}: must be a table"
    said = mistake["msg"].removeprefix("Value error, ")
    said = said if kind == "value_error" else said.lower()
    return f"{key}: {said}, not {found!r}" if isinstance(found, str | int | float) else f"{key}: {said}"


def _nearest(place: list[Any]) -> str:
    """The valid key closest to the last part of `place`, else all that are valid there."""
    table: Any = Settings
    for part in place[:-1]:
        if isinstance(part, str):
            table = values.section_of(table.model_fields[part].annotation)
    known = list(table.model_fields)
    close = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _name(item: Condition, number: int, kind: str) -> str:
    return item.name or f"{kind} {number}"
