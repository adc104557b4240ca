"""What fine-tuning reads of `sluice.toml`: `[finetune] corpus`, `[model] channel` and `[model] registry`.

The proxy checks the whole file when it starts; here other tables are none of our business.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from classifier.errors import UserError

DEFAULT: Final = Path("sluice.toml")


class Settings(msgspec.Struct, frozen=True):
    """`corpus` is None where none is set; `registry` is the state directory whose releases are served, None
    for the run's own; `channel` is what is improved upon and promoted.
    """

    corpus: Path | None
    channel: str
    registry: Path | None


class _Model(msgspec.Struct):
    channel: str = "stable"
    registry: str = ""


class _Finetune(msgspec.Struct, forbid_unknown_fields=True):
    corpus: str = ""


class _File(msgspec.Struct):
    model: _Model = msgspec.field(default_factory=_Model)
    finetune: _Finetune = msgspec.field(default_factory=_Finetune)


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
    return Settings(corpus, content.model.channel, registry)


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
