"""`sluice.toml`: every key, its type and default, read into plain settings; all mistakes are reported at once.

    settings = load(Path("sluice.toml"), {"proxy": {"listen": "127.0.0.1:9000"}})

Options of the command line are laid over the file before it is checked, so that they win and are checked alike.
A mistake raises UserError with one clause for each: the key, what is wrong, and what is allowed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.records import Label
from classifier.thresholds import DEFAULT, THREAT, Action, Limits, Overrides, Thresholds
from proxy import lists, values
from proxy.evidence import FACTOR, MOST, Evidence
from proxy.policy import Cause, Exemption, Hosts, Match, Mode, Policy, Rule, Scope

DEFAULT_FILE = Path("sluice.toml")
FIXED = ("proxy", "model", "capture")
"""Tables that are read at start only."""
EXCEPTIONS = "exceptions.toml"
"""In a state directory: `[[policy.exceptions]]` that the console wrote."""

Text = Annotated[tuple[str, ...], BeforeValidator(values.listed)]
HostList = Annotated[frozenset[str], PlainValidator(values.host_files)]
AdblockList = Annotated[lists.Adblock | None, PlainValidator(values.adblock_files)]
Labels = Annotated[frozenset[Any], PlainValidator(values.labels)]
Clients = Annotated[tuple[Any, ...], PlainValidator(values.networks)]
Path_ = Annotated[Path, PlainValidator(values.path)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Section(BaseModel):
    """A table of the file; an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Place(Section):
    """Whose traffic is meant, and with whom; several conditions must all hold."""

    name: str = ""
    host: Text = ()
    host_list: HostList = frozenset()
    client: Clients = ()

    def match(self) -> Match:
        """The conditions, compiled."""
        told = self.model_fields_set & {"host", "host_list"}  # an empty list means nobody, not everybody
        return Match(hosts=Hosts((*self.host, *self.host_list)) if told else None, clients=self.client)

    _filled = field_validator("host", "client")(values.filled)


class ScopeTable(Place):
    """One of `[[policy.scopes]]`."""

    mode: Mode | None = None
    enforce_percent: Percent | None = None


class Condition(Place):
    """What a rule or an exception is about."""

    adblock_list: AdblockList = None
    path: Text = ()
    method: Text = ()
    label: Labels = frozenset()
    threat: float = Field(0.0, ge=0, le=1)

    def match(self) -> Match:
        """The conditions, compiled."""
        return replace(
            super().match(),
            filters=self.adblock_list,
            paths=self.path,
            methods=frozenset(method.upper() for method in self.method),
            labels=self.label,
            threat=self.threat,
        )

    _said = field_validator("path", "method", "label")(values.filled)


class RuleTable(Condition):
    """One of `[[policy.rules]]`."""

    action: Action


class ExceptionTable(Condition):
    """One of `[[policy.exceptions]]`."""

    owner: str
    reason: str
    expires: Annotated[float | None, PlainValidator(values.moment)] = None
    retire: bool = False

    def exemption(self, number: int = 0) -> Exemption:
        """The exception, compiled; `number` names one without a name."""
        name = _name(self, number, "exception")
        return Exemption(name, self.match(), self.owner, self.reason, self.expires, self.retire)


class EvidenceTable(Place):
    """One of `[[policy.evidence]]`: a list that counts for a label instead of deciding."""

    adblock_list: AdblockList = None
    label: Annotated[Label, PlainValidator(values.label)]
    factor: Annotated[float, Field(gt=1, le=MOST)] = FACTOR

    def match(self) -> Match:
        """The conditions, compiled."""
        return replace(super().match(), filters=self.adblock_list)

    @model_validator(mode="after")
    def _names(self) -> Self:
        if not self.model_fields_set & {"host", "host_list", "adblock_list"}:
            raise ValueError("needs host, host_list or adblock_list: evidence is about names")
        return self


class PinnedTable(Section):
    """`policy.pinned`: after `failures` of the last `of` handshakes a name passes unread for `expires` seconds."""

    failures: Annotated[int, Field(ge=0, le=100)] = 3
    of: Annotated[int, Field(ge=1, le=100)] = 5
    expires: Annotated[float, PlainValidator(values.seconds)] = 86400.0
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000


class ProxyTable(Section):
    """`[proxy]`."""

    listen: Annotated[values.Address, PlainValidator(values.address)] = values.Address("127.0.0.1", 8080)
    admin: Annotated[values.Address, PlainValidator(values.address)] = values.Address("127.0.0.1", 8081)
    mode: Mode | None = None
    workers: Annotated[int | Literal["auto"], PlainValidator(values.workers)] = 1
    recycle_after: Annotated[float, PlainValidator(values.window)] = 0.0
    recycle_at: Annotated[int, PlainValidator(values.memory)] = 2 * 1024**3
    upstream_ca: Path_ | None = None
    modes: Annotated[tuple[str, ...], PlainValidator(values.modes)] = ("regular",)
    heartbeat: Annotated[float, PlainValidator(values.window)] = 60.0


class ModelTable(Section):
    """`[model]`. `registry` is a state directory whose releases are served; empty for our own.

    `cache` verdicts are remembered for a minute; 0 scores every record.
    """

    device: Literal["auto", "cuda", "cpu"] = "auto"
    batching: Literal["auto", "on", "off"] = "auto"
    registry: Path_ | None = None
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = "stable"
    canary_percent: Annotated[float, Field(ge=0, le=100)] = 10.0
    cache: Annotated[int, Field(ge=0, le=1_000_000)] = 4096


class PolicyTable(Section):
    """`[policy]`. `mode` wins over `proxy.mode`."""

    mode: Mode | None = None
    enforce_percent: Percent = 100.0
    scopes: tuple[ScopeTable, ...] = ()
    rules: tuple[RuleTable, ...] = ()
    exceptions: tuple[ExceptionTable, ...] = ()
    evidence: tuple[EvidenceTable, ...] = ()
    thresholds: Annotated[Overrides, PlainValidator(values.thresholds)] = Field(default_factory=dict)
    budget: Annotated[values.Budget, PlainValidator(values.budget)] = values.Budget()
    do_not_decrypt: Text = ()
    pinned: PinnedTable = PinnedTable()
    on_failure: Annotated[Mapping[Cause, Action], PlainValidator(values.on_failure)] = Field(default_factory=dict)
    continue_once: Annotated[float, PlainValidator(values.window)] = 0.0
    never_continue: Labels = frozenset({Label.MALWARE, Label.C2})
    contact: Annotated[str, Field(max_length=200)] = ""


class CaptureTable(Section):
    """`[capture]`: seconds and bytes that captures may take."""

    max_age: Annotated[float, PlainValidator(values.seconds)] = 14 * 86400.0
    max_bytes: Annotated[int, PlainValidator(values.size)] = 4 * 1024**3


class FinetuneTable(Section):
    """`[finetune]`, read by `sluice finetune`."""

    corpus: Path_ | None = None
    lists: dict[Label, Path_] = {}


class Settings(Section):
    """The whole file."""

    proxy: ProxyTable = ProxyTable()
    model: ModelTable = ModelTable()
    policy: PolicyTable = PolicyTable()
    capture: CaptureTable = CaptureTable()
    finetune: FinetuneTable = FinetuneTable()

    _told: Mode | None = PrivateAttr(None)
    """What `--mode` says."""

    @property
    def mode(self) -> Mode:
        """The mode in force where no scope says otherwise."""
        return self.policy.mode or self.proxy.mode or "monitor"

    @property
    def cause(self) -> str:
        """What sets `mode`."""
        if self._told:
            return "--mode"
        return "policy.mode" if self.policy.mode else "proxy.mode" if self.proxy.mode else "the default"

    @property
    def uniform(self) -> bool:
        """Whether all traffic is under one mode: `--mode monitor` holds everywhere, whatever the scopes say."""
        whole = not self.policy.scopes and (self.policy.enforce_percent >= 100 or self.mode == "monitor")
        return whole or self._told == "monitor"

    def build_policy(
        self, points: OperatingPoints, more: Sequence[Exemption] = (), site: Mapping[str, float] | None = None
    ) -> Policy:
        """The policy over a model's operating points; `more` exceptions come after those of the file.

        `site` are block thresholds by kind/phase that were measured here; those of the file win over them.
        """
        table = self.policy
        measured = {scope: {THREAT: Limits(block=value)} for scope, value in (site or {}).items()}
        measured = {} if DEFAULT in table.thresholds else measured
        scopes = () if self._told == "monitor" else table.scopes
        return Policy(
            Thresholds(points, {**measured, **table.thresholds}, block_at=table.budget.point),
            mode=self.mode,
            cause=self.cause,
            percent=table.enforce_percent,
            scopes=[
                Scope(_name(item, i, "scope"), item.match(), item.mode, item.enforce_percent)
                for i, item in enumerate(scopes, 1)
            ],
            rules=[Rule(_name(rule, i, "rule"), rule.match(), rule.action) for i, rule in enumerate(table.rules, 1)],
            exemptions=[*(item.exemption(i) for i, item in enumerate(table.exceptions, 1)), *more],
            evidence=[
                Evidence(_name(item, i, "evidence"), item.match(), item.label, item.factor)
                for i, item in enumerate(table.evidence, 1)
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
        settings = Settings.model_validate(content, context={"folder": file.parent if file else Path()})
    except ValidationError as error:
        raise UserError(f"{file or 'options'}: {mistakes(error)}") from None
    if (options or {}).get("policy", {}).get("mode"):
        settings._told = settings.policy.mode
    return settings


def exceptions(state: Path) -> list[Exemption]:
    """The exceptions that were made while the proxy ran: `exceptions.toml` in the state directory. Raises UserError."""
    file = state / EXCEPTIONS
    if not file.exists():
        return []
    return [table.exemption(number) for number, table in enumerate(load(file).policy.exceptions, 1)]


def mistakes(error: ValidationError, table: type[BaseModel] = Settings) -> str:
    """A clause for each mistake, by its key in `table`."""
    return "; ".join(_explain(dict(mistake), table) for mistake in error.errors(include_url=False))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not TOML: {error}") from None


def _explain(mistake: dict[str, Any], table: type[BaseModel]) -> str:
    """One clause for one mistake."""
    place = list(mistake["loc"])
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    kind, found = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return f"{key}: unknown key, {_nearest(place, table)}"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "literal_error":
        return f"{key}: must be {mistake['ctx']['expected']}, not {found!r}"
    if kind in ("model_type", "model_attributes_type"):
        return f"{key}: must be a table"
    said = mistake["msg"].removeprefix("Value error, ")
    said = said if kind == "value_error" else said.lower()
    return f"{key}: {said}, not {found!r}" if isinstance(found, str | int | float) else f"{key}: {said}"


def _nearest(place: list[Any], table: type[BaseModel]) -> str:
    """The valid key closest to the last part of `place`, else all that are valid there."""
    for part in place[:-1]:
        if isinstance(part, str):
            table = values.section_of(table.model_fields[part].annotation)
    return values.nearest(place[-1], table.model_fields)


def _name(item: Place, number: int, kind: str) -> str:
    return item.name or f"{kind} {number}"
