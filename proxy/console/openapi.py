"""The JSON API described (OpenAPI 3.1): one row an operation, schemas from the very types that are sent.

`python -m proxy.console.openapi` prints it; docs/openapi.json is that, and a test compares.
"""

import json
from typing import Any, Final, NamedTuple

import msgspec

from classifier.review import Item
from proxy.console.changes import Comparison
from proxy.console.exceptions import Allowed, Wish
from proxy.console.learning import Run
from proxy.console.overview import Overview
from proxy.console.releases import Shown
from proxy.console.rollouts import Rollout
from proxy.console.traffic import Found, Query

PREFIX: Final = "/api/v1"


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says a flow is; `weight` 0 to 1 says how sure."""

    label: str
    weight: float = 1.0


class Says(msgspec.Struct, frozen=True, kw_only=True):
    """A word that was taken down."""

    flow: str
    label: str
    weight: float


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The latest fine-tuning run; null where there was none."""

    run: Run | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The latest comparison of two releases; null where they were not compared."""

    work: Comparison | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong."""

    error: str


class Operation(NamedTuple):
    """One operation. `name` is its handler's in `api`; `takes` and `gives` are the types of the bodies."""

    method: str
    path: str
    name: str
    summary: str
    gives: Any
    takes: Any = None
    code: int = 200


OPERATIONS: Final = (
    Operation("GET", "/status", "status", "Traffic, verdicts, what was not inspected, the release", Overview),
    Operation("GET", "/flows", "flows", "The flow log, newest first", Found),
    Operation("GET", "/events/{event}", "event", "Why a flow was flagged or blocked (sluice explain)", dict[str, Any]),
    Operation("GET", "/review", "queue", "Flows that wait for a word, users' reports first", list[Item]),
    Operation("PUT", "/labels/{flow}", "label", "Say what a flow or an event is (sluice label)", Says, Word),
    Operation("DELETE", "/labels/{flow}", "unlabel", "Take a word back", Says),
    Operation("GET", "/exceptions", "exceptions", "Exceptions, those of the configuration first", list[Allowed]),
    Operation("POST", "/exceptions", "allow", "Make an exception", Allowed, Wish, 201),
    Operation("DELETE", "/exceptions/{name}", "forbid", "Remove an exception", Allowed),
    Operation("GET", "/releases", "models", "Releases with their gates, newest first (sluice model ls)", list[Shown]),
    Operation("GET", "/releases/{release}", "model", "One release (sluice model show)", Shown),
    Operation("POST", "/releases/{release}/promote", "promote", "Put it in service (sluice model promote)", Shown),
    Operation("POST", "/rollback", "rollback", "Put the release before in service (sluice model rollback)", Shown),
    Operation("GET", "/trials", "trials", "What is on trial, and how it does", list[Rollout]),
    Operation(
        "POST",
        "/releases/{release}/try/{channel}",
        "attempt",
        "Put it on trial: shadow or canary (sluice model promote --channel)",
        list[Rollout],
    ),
    Operation("POST", "/trials/{channel}/withdraw", "withdraw", "End a trial (sluice model withdraw)", list[Rollout]),
    Operation("GET", "/releases/{release}/diff", "difference", "What it would change, as last compared", Compared),
    Operation(
        "POST",
        "/releases/{release}/diff",
        "compare",
        "Compare it on the captured flows (sluice model diff)",
        Compared,
        None,
        202,
    ),
    Operation("GET", "/finetune", "learning", "The latest fine-tuning run: progress and outcome", Started),
    Operation("GET", "/finetune/runs", "runs", "How fine-tuning runs ended, the latest first", list[Run]),
    Operation("POST", "/finetune", "learn", "Start fine-tuning (sluice finetune run)", Started, None, 202),
)


def document() -> dict[str, Any]:
    """The whole document."""
    types = list({kind: None for operation in OPERATIONS for kind in (operation.gives, operation.takes) if kind})
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    known = dict(zip(map(repr, [*types, Problem]), schemas, strict=True))
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"{PREFIX}{operation.path}", {})[operation.method.lower()] = _described(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice", "version": "1", "description": "What the console does, for programs."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "from `sluice console token`"}
            },
        },
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    if parameters := _parameters(operation):
        told["parameters"] = parameters
    if operation.takes:
        told["requestBody"] = {"required": True, "content": _content(schemas[repr(operation.takes)])}
    failed = {"description": "What went wrong", "content": _content(schemas[repr(Problem)])}
    told["responses"] = {
        str(operation.code): {"description": "Done", "content": _content(schemas[repr(operation.gives)])},
        "401": failed,
        "4XX": failed,
    }
    return told


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    named = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    found = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named]
    if operation.name == "event":
        told = "also say which spans carried the score (takes a second)"
        found.append({"name": "spans", "in": "query", "description": told, "schema": {"type": "boolean"}})
    if operation.name in ("difference", "compare"):
        told = "the release to compare with; by default the one in service"
        found.append({"name": "before", "in": "query", "description": told, "schema": {"type": "string"}})
    if operation.name == "flows":
        (schema,), components = msgspec.json.schema_components([Query])
        fields = components[schema["$ref"].rpartition("/")[2]]["properties"]
        found += [{"name": name, "in": "query", "schema": fields[name]} for name in fields]
    return found


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
