"""The documentation says what is there: every command, option, key, metric and path, and nothing that is not."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from classifier import cli
from classifier.importers import jsonl
from classifier.records import LABELS, FlowRecord
from needs import ROOT
from proxy import config, metrics, staff, values
from proxy.policy import CAUSES

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SLUICE = (".venv/bin/sluice", "sluice")


@cache
def commands() -> dict[str, Any]:
    """Every command that can be run, by its words: `model ls`."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                yield from walk(child, (*words, name))
        else:
            yield " ".join(words), command

    return dict(walk(typer.main.get_command(cli.build()), ()))


def options(command: Any) -> dict[str, Any]:
    """A command's parameters by option, `--no-promote` too."""
    return {
        name: parameter
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }


def sections() -> dict[str, str]:
    """docs/commands.md by command."""
    parts = re.split(r"^### `sluice (.+)`$", (DOCS / "commands.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_section_and_no_other() -> None:
    assert sections().keys() == commands().keys()


@pytest.mark.parametrize("name", commands())
def test_a_command_and_its_options_have_help_and_are_documented(name: str) -> None:
    command, section = commands()[name], sections()[name]
    assert command.help
    assert all(parameter.help for parameter in command.params), [p.name for p in command.params if not p.help]
    table = "".join(line for line in section.splitlines() if line.startswith("| `--"))
    assert set(re.findall(r"`(--[a-z-]+)", table)) == options(command).keys()
    assert f"```sh\nsluice {name}" in section, "an example"


def test_every_command_with_a_state_takes_it_from_the_environment_too() -> None:
    stateful = {name: options(command).get("--state") for name, command in commands().items()}
    assert {name for name, option in stateful.items() if option and option.envvar != "SLUICE_STATE"} == set()


def keys(table: type[BaseModel], prefix: str = "") -> set[str]:
    return {f"{prefix}{name}" for name in table.model_fields}


def test_every_key_of_the_configuration_is_documented_and_no_other() -> None:
    text = (DOCS / "configuration.md").read_text()
    sections = {name: values.section_of(field.annotation) for name, field in config.Settings.model_fields.items()}
    known = {key for name, table in sections.items() for key in keys(table, f"{name}.")}
    told = set(re.findall(rf"^\| `((?:{'|'.join(sections)})\.\w+)` \|", text, re.MULTILINE))
    assert told == known
    conditions = set(re.findall(r"^\| `(\w+)` \| (?:both|rule|exception) \|", text, re.MULTILINE))
    assert conditions == keys(config.RuleTable) | keys(config.ExceptionTable)
    scopes = re.findall(r"^\| (.+?) \| scope \|", text, re.MULTILINE)
    assert {name for cell in scopes for name in re.findall(r"`(\w+)`", cell)} == keys(config.ScopeTable)
    evidence = re.findall(r"^\| (.+?) \| evidence \|", text, re.MULTILINE)
    assert {name for cell in evidence for name in re.findall(r"`(\w+)`", cell)} == keys(config.EvidenceTable)
    pinned = text.partition("| key of `policy.pinned` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", pinned, re.MULTILINE)) == keys(config.PinnedTable)
    assert all(f"`{cause}`" in text for cause in CAUSES)


def test_the_defaults_that_are_written_out_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text(blocks(DOCS / "configuration.md", "toml")[0])
    written, default = config.load(tmp_path / "sluice.toml"), config.load(None)
    assert written.policy.mode == default.mode
    failures = dict.fromkeys(CAUSES, "allow")
    plain = default.policy.model_copy(update={"mode": default.mode, "on_failure": failures})
    assert written == default.model_copy(update={"policy": plain})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_configuration_is_accepted(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blocklist.txt").write_text("bad.example\n")
    for text in blocks(page, "toml"):
        (tmp_path / "sluice.toml").write_text(text)
        config.load(tmp_path / "sluice.toml")


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    registry = CollectorRegistry()
    metrics.Metrics(registry)
    staff.Staff(registry)
    known = {}
    for metric in registry._collector_to_names:
        (family,) = metric.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        known[name] = (family.type, frozenset(metric._labelnames))  # type: ignore[attr-defined]
    rows = re.findall(r"^\| `(sluice_\w+)` \| (\w+) \| (.*?) \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    told = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert told == known


def test_every_value_of_a_metrics_label_is_documented() -> None:
    text = (DOCS / "metrics.md").read_text()
    closed = (*metrics.COVERAGES, *metrics.REASONS, *metrics.RESULTS, *CAUSES, metrics.UNKNOWN)
    closed += (*metrics.BEATS, *metrics.BUTTONS, *metrics.OUTCOMES, *metrics.MODE_CAUSES, *staff.CAUSES)
    assert [value for value in closed if f"`{value}`" not in text] == []


def test_every_alert_is_documented_and_no_other() -> None:
    alerts = re.findall(r"alert: (\w+)", (ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert re.findall(r"^\| `(Sluice\w+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE) == alerts


def test_every_field_and_label_of_the_interchange_is_documented() -> None:
    text = (DOCS / "interchange.md").read_text()
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == {*FlowRecord.__struct_fields__, *LABELS}


def test_the_examples_of_the_interchange_are_records() -> None:
    (examples,) = blocks(DOCS / "interchange.md", "jsonl")
    assert all(isinstance(found, FlowRecord) for found in jsonl.parse(examples.encode().splitlines(), "docs"))


def test_every_path_of_the_readmes_tree_exists() -> None:
    tree = next(block for block in blocks(ROOT / "README.md", "text") if block.startswith("proxy/"))
    missing = [path for path in branches(tree) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_examples_use_only_what_there_is(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in shell(page):
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, line
        for word in words:
            if word.startswith(("docs/", "scripts/", "deploy/")):
                assert (ROOT / word).exists(), line
        if words[0] in SLUICE:
            check(words[1:], line)


def check(words: list[str], line: str) -> None:
    """A command line names a command and options that exist."""
    if words == ["--version"] or words[-1] == "--help":
        return
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in commands()), None)
    assert name, line
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= options(commands()[name]).keys(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def shell(page: Path) -> Iterator[str]:
    """Commands of a page, continued lines joined."""
    for block in blocks(page, "sh"):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("#"))
    for block in blocks(page, "console"):
        yield from (line[2:] for line in block.replace("\\\n", " ").splitlines() if line.startswith("$ .venv"))


def branches(tree: str) -> Iterator[Path]:
    """The paths of a tree that is indented by two spaces; what follows a name is a comment."""
    above: list[str] = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [line.split()[0]]
        yield Path(*above)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
