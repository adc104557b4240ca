"""Write docs/reference/ from the code: `make docs`, or `python docs/generate.py`.

The pages beside it explain; these list. What they say is read where it is enforced: keys from the pydantic models of
`proxy.config`, metrics from `proxy.metrics.Metrics`, commands from typer. A test writes them anew and compares.
"""

import enum
import types
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import typer.main
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, PlainValidator
from pydantic_core import PydanticUndefined

from classifier import cli
from proxy import config, values
from proxy.metrics import Metrics

OUTPUT: Final = Path(__file__).parent / "reference"
HEAD: Final = "<!-- Written by docs/generate.py (`make docs`); edit the code it is read from. -->\n\n"


def configuration() -> str:
    """Every table and key of `sluice.toml`."""
    lines = [
        "# Every key of `sluice.toml`",
        "",
        "What each is for, with examples: [configuration](../configuration.md). What is left out has its default.",
    ]
    for name, table in _tables():
        lines += ["", f"## `{name}`", "", "| key | value | default |", "|---|---|---|"]
        for key, field in table.model_fields.items():
            lines.append(f"| `{key}` | {_cell(_value(field.annotation, field.metadata))} | {_default(field)} |")
    return HEAD + "\n".join(lines) + "\n"


def metrics() -> str:
    """Every metric."""
    lines = [
        "# Every metric",
        "",
        "What the labels' values mean, and what to watch: [metrics](../metrics.md).",
        "",
        "| metric | type | labels | counts or holds |",
        "|---|---|---|---|",
    ]
    registry = CollectorRegistry()
    Metrics(registry)
    for metric in registry._collector_to_names:
        (family,) = metric.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # type: ignore[attr-defined]
        lines.append(f"| `{name}` | {family.type} | {labels} | {_cell(family.documentation)} |")
    return HEAD + "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its arguments and options."""
    lines = ["# Every command", "", "What each prints, with examples and exit codes: [commands](../commands.md)."]
    for name, command in _commands(typer.main.get_command(cli.build()), ()):
        lines += ["", f"## `sluice {name}`", "", _cell(" ".join((command.help or "").split()))]
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            lines += ["", "| parameter | value | default | |", "|---|---|---|---|", *rows]
    return HEAD + "\n".join(lines) + "\n"


def write(folder: Path = OUTPUT) -> None:
    """Write all pages."""
    folder.mkdir(exist_ok=True)
    for page in (configuration, metrics, commands):
        (folder / f"{page.__name__}.md").write_text(page())


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Tables of the file by the heading they have in it, with those inside them."""

    def inside(name: str, table: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
        yield name, table
        for key, field in table.model_fields.items():
            if (found := _table_of(field.annotation)) is not None:
                many = get_origin(field.annotation) is tuple
                whole = f"{name.strip('[]')}.{key}"
                yield from inside(f"[[{whole}]]" if many else f"[{whole}]", found)

    for section, field in config.Settings.model_fields.items():
        yield from inside(f"[{section}]", values.section_of(field.annotation))


def _table_of(annotation: Any) -> type[BaseModel] | None:
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _value(annotation: Any, metadata: Any = ()) -> str:
    """What may stand behind a key, in words; what a function of `values` reads, its docstring says."""
    if get_origin(annotation) is Annotated:
        return _value(annotation.__origin__, annotation.__metadata__)
    for item in metadata:
        if isinstance(item, PlainValidator):
            return (getdoc(item.func) or "").split("\n\n")[0].rstrip(".").replace("\n", " ")
    if get_origin(annotation) in (types.UnionType, Union):
        kinds = [kind for kind in get_args(annotation) if kind is not types.NoneType]
        return " or ".join(dict.fromkeys(_value(kind, metadata) for kind in kinds))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if _table_of(annotation) is not None:
        return "tables" if get_origin(annotation) is tuple else "a table"
    if get_origin(annotation) is tuple:
        return "text or a list of texts"
    if get_origin(annotation) is dict:
        return "a table"
    words = {str: "text", bool: "`true` or `false`", int: "a whole number", float: "a number"}
    return words.get(annotation, "see there") + _limits(metadata)


def _limits(metadata: Any) -> str:
    """Bounds of a number, length or pattern of a text."""
    every = [inner for item in metadata for inner in (item, *getattr(item, "metadata", ()))]
    names = ("ge", "le", "max_length", "pattern")
    found = {name: getattr(item, name) for item in every for name in names if getattr(item, name, None) is not None}
    if "ge" in found:
        return f" from {found['ge']}" + (f" to {found['le']}" if "le" in found else "")
    if "max_length" in found:
        return f" of at most {found['max_length']} characters"
    return f" that fits `{found['pattern']}`" if "pattern" in found else ""


def _default(field: Any) -> str:
    """A default as one would write it."""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "**must be given**"
    if isinstance(default, BaseModel):
        return "as listed there"
    return _shown(default)


def _shown(value: Any) -> str:
    if value is None or value in ("", (), frozenset(), {}):
        return ""
    if isinstance(value, frozenset):
        return ", ".join(f"`{item}`" for item in sorted(value))
    if isinstance(value, float):
        return f"`{int(value) if value.is_integer() else value}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _commands(child, (*words, name))
    else:
        yield " ".join(words), command


def _parameter(parameter: Any) -> str:
    """A row: what is written, what may stand there, what holds without it, and what it is for."""
    option = parameter.param_type_name == "option"
    names = (*parameter.opts, *parameter.secondary_opts) if option else (parameter.metavar or parameter.name.upper(),)
    shown = ", ".join(f"`{name}`" for name in names)
    help_ = _cell(parameter.help) + (f" (`${parameter.envvar}`)" if parameter.envvar else "")
    if getattr(parameter, "is_flag", False):
        return f"| {shown} | | | {help_} |"
    default = "required" if parameter.required else _shown(_plain(parameter.default))
    return f"| {shown} | {_kind(parameter)} | {default} | {help_} |"


def _kind(parameter: Any) -> str:
    """What may stand behind a parameter, in words."""
    kind = parameter.type_descriptor.annotation
    many = get_origin(kind) is list
    kind = get_args(kind)[0] if many else kind
    words = {str: "text", Path: "a path", int: "a whole number", float: "a number"}.get(kind, "")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        words = ", ".join(f"`{choice.value}`" for choice in kind)
    if get_origin(kind) is Literal:
        words = ", ".join(f"`{choice}`" for choice in get_args(kind))
    if parameter.min is not None:
        words += f" from {parameter.min:g}" + (f" to {parameter.max:g}" if parameter.max is not None else "")
    return f"{words}, several" if many else words


def _plain(value: Any) -> Any:
    """A default without types of Python."""
    if callable(value):
        return None
    if isinstance(value, list | tuple):
        return ", ".join(str(_plain(item)) for item in value)
    return value.value if isinstance(value, enum.Enum) else value


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    write()
