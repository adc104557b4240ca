"""The dashboard is what its generator writes, is complete, and asks only what PromQL understands."""

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import promql_parser
import pytest

import dashboards

GENERATOR = dashboards.DEPLOY / "grafana/generate.py"


def test_the_committed_dashboard_is_what_the_generator_writes(tmp_path: Path) -> None:
    written = tmp_path / "sluice.json"
    _generator().write(written)
    assert written.read_text() == (dashboards.DEPLOY / "grafana/dashboards/sluice.json").read_text()


def test_every_panel_says_what_it_shows() -> None:
    for panel in dashboards.panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert panel["targets"], panel["title"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    every = dashboards.page()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for one, other in itertools.combinations(every, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"]
        assert apart or b["y"] + b["h"] <= a["y"], (one["title"], other["title"])
        assert a["x"] + a["w"] <= 24


@pytest.mark.parametrize("query", dashboards.queries(), ids=lambda query: query.where)
def test_every_query_is_promql_and_limited_to_the_chosen_instances(query: dashboards.Query) -> None:
    selectors = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append(str(node))
        return True

    promql_parser.walk(promql_parser.parse(query.expr), visit)
    assert selectors
    for selector in selectors:
        assert 'job=~".+"' in selector
        assert 'instance=~".+"' in selector


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
