"""The queries of the dashboards, rules and alerts in deploy/, and the names of the metrics they read."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser
from ruamel.yaml import YAML

DEPLOY: Final = Path(__file__).resolve().parents[1] / "deploy"
RULES: Final = (DEPLOY / "prometheus/rules.yml", DEPLOY / "prometheus/alerts.yml")
INTERVAL: Final = "5s"


class Query(NamedTuple):
    """Where a PromQL expression stands, and the expression as Grafana would send it."""

    where: str
    expr: str


def page() -> dict[str, Any]:
    """The dashboard as it is provisioned."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/sluice.json").read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, without the rows that head them."""
    return [panel for panel in page()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Every query of the dashboard with its variables filled in: all jobs, all instances, `INTERVAL` to look back."""
    return [
        Query(f"{panel['title']} {target['refId']}", _fill(target["expr"]))
        for panel in panels()
        for target in panel["targets"]
    ]


def rules() -> list[Query]:
    """Every expression of the recording rules and alerts."""
    return [Query(rule.get("record") or rule["alert"], rule["expr"]) for rule in _entries()]


def alerts() -> list[dict[str, Any]]:
    """Every alert as it is written."""
    return [rule for rule in _entries() if "alert" in rule]


def metrics(expr: str) -> set[str]:
    """The series names that an expression selects. Raises ValueError where it is not PromQL."""
    names: set[str] = set()

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return names


def own() -> set[str]:
    """The metrics of the proxy that deploy/ reads: neither recorded by a rule nor made by Prometheus."""
    every = set().union(*(metrics(query.expr) for query in (*queries(), *rules())))
    return {name for name in every if name != "up" and ":" not in name}


def _entries() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in YAML(typ="safe").load(path)["groups"] for rule in group["rules"]]


def _fill(expr: str) -> str:
    return expr.replace("$__rate_interval", INTERVAL).replace("$job", ".+").replace("$instance", ".+")
