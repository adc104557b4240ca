"""Exploit checks: the requests of nuclei, afrog and xray templates, their variables filled in.

Values are made from the variable's name and the template's path: the same each time, and no two templates alike.
Hosts are reserved names (RFC 2606). Nothing of a template is run.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

from classifier.importers import BadLine
from classifier.records import FlowRecord, text
from classifier.training.datasets.files import File, Found
from classifier.training.datasets.manifest import Source
from classifier.training.datasets.requests import parse, record

_HOST: Final = "www.example.org"
_VARIABLE: Final = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}|§([^§]+)§")
_STEPS: Final = ("http", "requests", "rules")


def template(file: File, _: Source) -> Iterator[Found | BadLine]:
    """The requests of one template; `original` is its id, name and tags. Raises ValueError for what is no template."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        whole = YAML(typ="safe", pure=True).load(text(file.data))
    except (YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"is no YAML ({str(error).splitlines()[0] if str(error) else type(error).__name__})") from None
    if not isinstance(whole, dict) or not whole.keys() & set(_STEPS):
        return  # a check of another protocol, or a workflow
    original = _called(whole)
    for number, step in enumerate(_steps(whole), 1):
        try:
            yield from (Found(original, request) for request in _requests(step, file.path))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield BadLine(f"{file.path}#{number}", f"no request ({type(error).__name__}: {error})")


def _called(whole: dict[str, Any]) -> str:
    info = whole.get("info") or whole.get("detail") or {}
    told = (whole.get("id"), whole.get("name"), info.get("name"), info.get("tags")) if isinstance(info, dict) else ()
    return " ".join(str(part) for part in told if part)


def _steps(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """nuclei: a list under `http` or `requests`; afrog and xray: `rules`, a list or by name, each with `request`."""
    for name in _STEPS:
        steps = whole.get(name) or ()
        for step in steps.values() if isinstance(steps, dict) else steps:
            yield step.get("request", step)


def _requests(step: dict[str, Any], seed: str) -> Iterator[FlowRecord]:
    raw = step.get("raw") or ()
    for written in [raw] if isinstance(raw, str) else raw:
        # an annotation of nuclei (`@timeout: 10s`) may stand before the request line
        lines = [line for line in _filled(written, step, seed).strip().split("\n") if not line.startswith("@")]
        yield parse("\n".join(line.rstrip("\r") for line in lines))
    paths = step.get("path") or ()
    headers = tuple((str(name), _filled(str(value), step, seed)) for name, value in (step.get("headers") or {}).items())
    body = _filled(str(step.get("body") or ""), step, seed).encode()
    for path in [paths] if isinstance(paths, str) else paths:
        known = headers if any(name.lower() == "host" for name, _ in headers) else (("Host", _HOST), *headers)
        yield record(str(step.get("method") or "GET").upper(), _filled(path, step, seed), known, body)


def _filled(written: str, step: dict[str, Any], seed: str) -> str:
    payloads = step.get("payloads") or step.get("set") or {}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        listed = payloads.get(name) if isinstance(payloads, dict) else None
        return str(listed[0]) if isinstance(listed, list) and listed else _made(name, seed)

    return _VARIABLE.sub(value, written)


def _made(name: str, seed: str) -> str:
    """A value for a variable: an address where its name asks for one, else eight characters."""
    lower = name.lower()
    if lower in ("baseurl", "rooturl", "path"):
        return ""
    if lower in ("hostname", "host"):
        return _HOST
    made = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:8]
    if "interactsh" in lower or "oob" in lower or "reverse" in lower:
        return f"{made}.example.net"
    return str(int(made, 16)) if re.search("int|num|port", lower) else made
