"""Write dashboards/sluice.json: `make dashboards`, or `python deploy/grafana/generate.py`.

The dashboard is code so that a test can regenerate it, parse every query and find data behind each of them. Rules
of the file: one panel is one call; every query is limited to the chosen jobs and instances by `only`; a share is
never a division by nothing, since every counter exists from the first scrape on.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final, Literal, NamedTuple

from grafana_foundation_sdk.builders import common as visual
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueTextMode, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption

OUTPUT: Final = Path(__file__).parent / "dashboards" / "sluice.json"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
Unit = Literal["reqps", "ops", "s", "Bps", "percentunit", "short", "none"]


class Query(NamedTuple):
    """A PromQL expression and the legend of the series it returns."""

    expr: str
    legend: str = ""


def only(metric: str, matchers: str = "") -> str:
    """A selector of `metric` for the jobs and instances chosen on top of the page."""
    return f'{metric}{{job=~"$job", instance=~"$instance"{", " + matchers if matchers else ""}}}'


def rate(metric: str, matchers: str = "") -> str:
    """Events a second over the interval Grafana deems right for the scrape interval."""
    return f"rate({only(metric, matchers)}[$__rate_interval])"


def share(part: str, whole: str) -> str:
    """A ratio that is 0, not absent or NaN, where nothing happened."""
    return f"sum({part}) / (sum({whole}) > 0) or sum({part})"


def quantile(q: float) -> Query:
    """A quantile of the time to score one record."""
    buckets = f"sum by (le) ({rate('sluice_score_seconds_bucket')})"
    return Query(f"histogram_quantile({q}, {buckets})", f"p{q * 100:g}")


def number(title: str, why: str, query: Query, unit: Unit = "none", *, name: bool = False) -> stat.Panel:
    """A single figure, or with `name` the name of the series that is present."""
    return (
        stat.Panel()
        .title(title)
        .description(why)
        .datasource(SOURCE)
        .unit(unit)
        .reduce_options(visual.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(BigValueTextMode.NAME if name else BigValueTextMode.VALUE)
        .with_target(_target(query, "A"))
        .height(4)
        .span(6)
    )


def chart(
    title: str, why: str, queries: Sequence[Query], unit: Unit, *, stacked: bool = False, width: int = 8
) -> timeseries.Panel:
    """Lines over time, one for each series."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(why)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(20 if stacked else 0)
        .stacking(visual.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
        .legend(
            visual.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .height(8)
        .span(width)
    )
    for letter, query in zip("ABCDEF", queries, strict=False):
        panel.with_target(_target(query, letter))
    return panel


def build() -> dashboard.Dashboard:
    """The whole page, rows from what an operator asks first to what they ask last."""
    page = (
        dashboard.Dashboard("Sluice")
        .uid("sluice-overview")
        .description("What the proxy judged, how fast, what it did not see, and which model judged.")
        .tags(["sluice"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("job", "Job", "label_values(sluice_model_info, job)"))
        .with_variable(_choice("instance", "Instance", 'label_values(sluice_model_info{job=~"$job"}, instance)'))
    )
    numbers = count(1)
    for title, panels in (
        ("Now", _now()),
        ("Decisions", _decisions()),
        ("Scoring", _scoring()),
        ("Coverage", _coverage()),
        ("Model and captures", _model()),
        ("Trials and people", _trials()),
        ("Heartbeat", _heartbeat()),
        ("Drift and workers", _drift()),
    ):
        page.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            page.with_panel(panel.id(next(numbers)))
    return page


def write(path: Path = OUTPUT) -> None:
    """Write the dashboard as Grafana's provisioning reads it."""
    path.write_text(JSONEncoder(sort_keys=True, indent=2).encode(build().build()) + "\n")


Panels = Sequence[stat.Panel | timeseries.Panel]


def _now() -> Panels:
    blocked = rate("sluice_flows_total", 'action="block"')
    return (
        number(
            "Flows",
            "Flows that ended, a second, inspected or not.",
            Query(f"sum({rate('sluice_flows_closed_total')})"),
            "reqps",
        ),
        number(
            "Block decisions",
            "Share of decisions that say block, enforced or only noted in monitor mode.",
            Query(share(blocked, rate("sluice_flows_total"))),
            "percentunit",
        ),
        number(
            "Release",
            "The release that judges. More than one: instances disagree, or a roll-out is under way.",
            Query(f"{only('sluice_model_info')} == 1", "{{release}}"),
            name=True,
        ),
        number(
            "Runs on",
            "The execution provider that onnxruntime really uses.",
            Query(f"{only('sluice_execution_provider_info')} == 1", "{{provider}}"),
            name=True,
        ),
    )


def _decisions() -> Panels:
    decided = rate("sluice_flows_total")
    return (
        chart(
            "By action",
            "Decisions a second. `not enforced` is what monitor mode would have done.",
            [Query(f"sum by (action, enforced) ({decided})", "{{action}}, enforced {{enforced}}")],
            "ops",
            stacked=True,
        ),
        chart(
            "By phase",
            "How early decisions fall: a flow may be judged at connect, request, response and end.",
            [Query(f"sum by (phase) ({decided})", "{{phase}}")],
            "ops",
            stacked=True,
        ),
        chart(
            "Verdicts other than benign",
            "What the model says it saw, whatever was done about it.",
            [Query(f"sum by (label) ({rate('sluice_flows_total', 'label!="benign"')})", "{{label}}")],
            "ops",
            stacked=True,
        ),
    )


def _scoring() -> Panels:
    return (
        chart(
            "Time to score",
            "From a record to its verdict, features included.",
            [quantile(0.5), quantile(0.95), quantile(0.99)],
            "s",
        ),
        chart(
            "Records scored",
            "Scorings a second.",
            [Query(f"sum by (instance) ({rate('sluice_score_seconds_count')})", "{{instance}}")],
            "ops",
        ),
        chart(
            "Failures",
            "Flows without a verdict, by cause. The policy's on_failure decided what happened to them.",
            [Query(f"sum by (cause) ({rate('sluice_failures_total')})", "{{cause}}")],
            "ops",
            stacked=True,
        ),
    )


def _coverage() -> Panels:
    closed = rate("sluice_flows_closed_total")
    return (
        chart(
            "Flows by coverage",
            "How much of each flow the filter saw.",
            [Query(f"sum by (coverage) ({closed})", "{{coverage}}")],
            "reqps",
            stacked=True,
        ),
        chart(
            "Not inspected, by reason",
            "Flows that were passed on, wholly or in part, without being looked at.",
            [Query(f"sum by (reason) ({rate('sluice_uninspected_flows_total')})", "{{reason}}")],
            "reqps",
            stacked=True,
        ),
        chart(
            "Bytes not inspected, by reason",
            "Bytes that went through without being looked at.",
            [Query(f"sum by (reason) ({rate('sluice_uninspected_bytes_total')})", "{{reason}}")],
            "Bps",
            stacked=True,
        ),
    )


def _model() -> Panels:
    return (
        chart(
            "Release in service",
            "1 while a release judges.",
            [Query(f"max by (release) ({only('sluice_model_info')})", "{{release}}")],
            "short",
        ),
        chart(
            "Swaps",
            "Attempts to put another release in service. `refused` did not prove itself, `failed` could not be tried.",
            [Query(f"sum by (result) (increase({only('sluice_model_swaps_total')}[$__rate_interval]))", "{{result}}")],
            "short",
        ),
        chart(
            "Captures and events lost",
            "Rows that found the capture queue full or could not be written: judged, but nothing is learned from them. "
            "Events that could not be written: decisions that `sluice explain` cannot explain.",
            [
                Query(f"sum({rate('sluice_capture_dropped_total')})", "captures, queue full"),
                Query(f"sum({rate('sluice_capture_errors_total')})", "captures, write failed"),
                Query(f"sum({rate('sluice_journal_errors_total')})", "events, write failed"),
            ],
            "ops",
        ),
    )


def _trials() -> Panels:
    pressed = rate("sluice_block_page_total", 'result="done"')
    return (
        chart(
            "Canary against the rest",
            "Share of decisions that block, where the canary decides and where the release in service does.",
            [
                Query(_blocked("canary"), "canary"),
                Query(_blocked("control"), "release in service"),
            ],
            "percentunit",
        ),
        chart(
            "Shadow against the release in service",
            "Decisions a second on which the shadow says something else, by what each of them says.",
            [Query(f"sum by (action, shadow) ({rate('sluice_shadow_flows_total')})", "{{action}}, shadow {{shadow}}")],
            "ops",
            stacked=True,
        ),
        chart(
            "Buttons of the block page",
            "Mistakes that users reported and blocks that they went past.",
            [Query(f"sum by (button) ({pressed})", "{{button}}")],
            "ops",
            stacked=True,
        ),
    )


def _blocked(group: str) -> str:
    return share(
        rate("sluice_canary_flows_total", f'group="{group}", action="block"'),
        rate("sluice_canary_flows_total", f'group="{group}"'),
    )


def _heartbeat() -> Panels:
    rounds = f"increase({only('sluice_heartbeat_total')}[$__rate_interval])"
    return (
        chart(
            "Heartbeat",
            "Rounds of known attacks that the proxy sent through itself; `missed` means that real ones pass as well.",
            [Query(f"sum by (result) ({rounds})", "{{result}}")],
            "short",
            width=6,
        ),
        number(
            "Last good heartbeat",
            "How long ago every known attack was caught.",
            Query(f"time() - max({only('sluice_heartbeat_timestamp_seconds')})"),
            "s",
        ),
        number(
            "Certificate runs out in",
            "Time left until clients no longer accept the proxy's certificate authority.",
            Query(f"min({only('sluice_ca_expiry_timestamp_seconds')}) - time()"),
            "s",
        ),
        number(
            "Canaries sent home",
            "Releases on trial that the proxy withdrew by itself within a day.",
            Query(f"sum(increase({only('sluice_canary_withdrawn_total')}[1d]))"),
        ),
    )


def _drift() -> Panels:
    return (
        chart(
            "Drift",
            "Population stability index against what the release was made for: 0.1 is worth a look, 0.25 a move. "
            "Nothing is shown where too few flows are known.",
            [Query(f"max by (phase, of) ({only('sluice_drift_psi')})", "{{phase}}, {{of}}")],
            "short",
        ),
        chart(
            "Verdicts remembered",
            "Share of verdicts that were known from the minute before.",
            [Query(share(rate("sluice_verdict_cache_total", 'result="hit"'), rate("sluice_verdict_cache_total")))],
            "percentunit",
        ),
        chart(
            "Workers",
            "Processes that serve, and those that were replaced, by cause: `died`, could not `start`, `hung`, or were "
            "due for their `age` or `memory`.",
            [
                Query(f"sum by (instance) ({only('sluice_workers')})", "{{instance}}"),
                Query(
                    f"sum by (cause) (increase({only('sluice_worker_restarts_total')}[$__rate_interval]))", "{{cause}}"
                ),
            ],
            "short",
        ),
    )


def _target(query: Query, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter)


def _choice(name: str, label: str, values: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(values)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


if __name__ == "__main__":
    write()
