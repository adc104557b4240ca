"""What fine-tuning reads of `sluice.toml`: `[finetune] corpus` and `lists`, `[model] channel` and `registry`, and of
`[policy]` the thresholds and the budget that a candidate will be served under.

The proxy checks the whole file when it starts; here other tables are none of our business.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.errors import UserError
from classifier.records import Label
from classifier.thresholds import THREAT, Limits, Overrides
from finetune import budget

DEFAULT: Final = Path("sluice.toml")


class Settings(msgspec.Struct, frozen=True):
    """`corpus` is None where none is set; `registry` is the state directory whose releases are served, None
    for the run's own; `channel` is what is improved upon and promoted. `budget` is the share of harmless flows that
    may be blocked, `lists` are lists of domains by what they list, `canary_percent` is a canary's share of the clients.
    """

    corpus: Path | None
    channel: str
    registry: Path | None
    thresholds: Overrides = msgspec.field(default_factory=dict)
    budget: float = budget.USUAL
    lists: dict[Label, Path] = msgspec.field(default_factory=dict)
    canary_percent: float = 10.0


class _Model(msgspec.Struct):
    channel: str = "stable"
    registry: str = ""
    canary_percent: float = 10.0


class _Finetune(msgspec.Struct, forbid_unknown_fields=True):
    corpus: str = ""
    lists: dict[Label, str] = msgspec.field(default_factory=dict)


class _Limits(msgspec.Struct):
    flag: float | None = None
    block: float | None = None


class _Budget(msgspec.Struct):
    wrong_blocks: str = "1/10000"


class _Policy(msgspec.Struct):
    thresholds: dict[str, dict[str, float | _Limits]] = msgspec.field(default_factory=dict)
    budget: _Budget = msgspec.field(default_factory=_Budget)


class _File(msgspec.Struct):
    model: _Model = msgspec.field(default_factory=_Model)
    finetune: _Finetune = msgspec.field(default_factory=_Finetune)
    policy: _Policy = msgspec.field(default_factory=_Policy)


def load(path: Path | None) -> Settings:
    """Read `path`, by default `sluice.toml` where there is one; relative paths are relative to the file.

    Raises UserError that names file and key.
    """
    file = path or (DEFAULT if DEFAULT.exists() else None)
    content = _File() if file is None else _checked(file)
    folder = file.parent if file else Path()
    corpus = folder / content.finetune.corpus if content.finetune.corpus else None
    if corpus and not corpus.is_dir():
        raise UserError(f"{file}: finetune.corpus: {corpus} is not a folder; leave it out to replay synthetic traffic")
    registry = folder / content.model.registry if content.model.registry else None
    try:
        wrong = budget.read(content.policy.budget.wrong_blocks)
    except UserError as error:
        raise UserError(f"{file}: policy.budget: {error}") from None
    lists = {label: folder / name for label, name in content.finetune.lists.items()}
    return Settings(
        corpus,
        content.model.channel,
        registry,
        _overrides(content.policy),
        wrong,
        lists,
        content.model.canary_percent,
    )


def _overrides(policy: _Policy) -> Overrides:
    """As `proxy.values.thresholds` reads them: `flag` and `block` are about the threat, tables about a label."""
    found: dict[str, dict[str, Limits]] = {}
    for scope, table in policy.thresholds.items():
        found[scope] = {name: Limits(own.flag, own.block) for name, own in table.items() if isinstance(own, _Limits)}
        own = {name: value for name, value in table.items() if not isinstance(value, _Limits)}
        if own:
            found[scope][THREAT] = Limits(own.get("flag"), own.get("block"))
    return found


def _checked(file: Path) -> _File:
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        return msgspec.convert(content, _File)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise UserError(f"{file}: {error}") from None
