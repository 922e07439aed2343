"""Writes deploy/prometheus/dashboard.json, Grafana's page for a cluster: `python -m tests.dashboard`.

Rule: whoever is woken reads from the top to the bottom. Do users notice, and what is wrong: that has to be on
the first screen. Then what they do, whether there is room, whether nodes keep up with each other, and last what
the process takes. A panel says what is usual, and none is empty as long as all is well.

The file is made by Grafana's own library, so that it has the form that Grafana reads; it is for 10.1 and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

FILE: Final = Path(__file__).resolve().parents[1] / "deploy" / "prometheus" / "dashboard.json"

#: Which series a panel is about; the two are chosen at the top of the page.
PICKED: Final = 'job="$job",instance=~"$instance"'

_SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="$datasource")
_WIDTH: Final = 24


@attrs.frozen
class Panel:
    """A panel.

    Attributes:
        title: of it.
        text: what it shows, and what is usual.
        unit: one of Grafana's.
        queries: expressions, in which @ stands for `PICKED`, and what each series is called.
        kind: one of Grafana's.
        marks: from which figure on it is shown in which colour; the first one has none below.
        most: the end of its scale; None if it follows the figures.
        signed: whether its scale goes below 0.
    """

    title: str
    text: str
    unit: str
    queries: Sequence[tuple[str, str]]
    kind: str = "timeseries"
    marks: Sequence[tuple[float | None, str]] = ()
    most: float | None = None
    signed: bool = False


_GOOD, _ODD, _BAD = "green", "orange", "red"
_NONE_IS_GOOD: Final = ((None, _GOOD), (1, _BAD))
_NEARLY_FULL: Final = ((None, _GOOD), (0.8, _ODD), (0.9, _BAD))

#: By row; each row is as wide as the page.
ROWS: Final[dict[str, list[Panel]]] = {
    "Do users notice?": [
        Panel(
            "Nodes that do not serve",
            "0. Clients of such a node are refused and use another one. All of them: nobody can log in.",
            "none",
            [
                (
                    'max(memrep_nodes_configured{job="$job"}) - sum(memrep_ready{job="$job"})'
                    ' or count(up{job="$job"})',
                    "do not serve",
                )
            ],
            "stat",
            ((None, _GOOD), (1, _ODD), (2, _BAD)),
        ),
        Panel(
            "Sessions ended for want of room, 5 min",
            "0. Each is a user who was logged out: raise `memory` on all nodes.",
            "none",
            [('ceil(sum(increase(memrep_evictions_total{job="$job"}[5m])))', "ended")],
            "stat",
            _NONE_IS_GOOD,
        ),
        Panel(
            "Kinds of problems",
            "0. What they are stands below; `memrep status` on a node says what to do.",
            "none",
            [('count(max by (kind) (memrep_problems{job="$job"}) > 0) or vector(0)', "kinds")],
            "stat",
            _NONE_IS_GOOD,
        ),
        Panel(
            "Alarms",
            "0. Those of rules.yml that ring now; each has its chapter in docs/runbooks.md.",
            "none",
            [('count(ALERTS{job="$job",alertname=~"Memrep.+",alertstate="firing"}) or vector(0)', "ring")],
            "stat",
            _NONE_IS_GOOD,
        ),
    ],
    "What is wrong?": [
        Panel(
            "Who serves",
            "1: clients may come. 0: the node refuses them, or does not answer Prometheus.",
            "none",
            [("memrep_ready{@} or on (job, instance) up{@} * 0", "{{instance}}")],
            "state-timeline",
            ((None, _BAD), (1, _GOOD)),
            1,
        ),
        Panel(
            "Problems by kind",
            "All 0. The names are those of docs/operating.md.",
            "none",
            [('max by (kind) (memrep_problems{job="$job"})', "{{kind}}")],
        ),
    ],
    "What do clients do?": [
        Panel(
            "Commands",
            "Keys read or written in a second. With PHP over all nodes each of them has about as many.",
            "ops",
            [
                (
                    "sum by (instance) (rate(memrep_commands_total"
                    '{@,command=~"get|set|touch|delete|incr|decr"}[$__rate_interval]))',
                    "{{instance}}",
                )
            ],
        ),
        Panel(
            "Reads that found something",
            "Steady. It falls when sessions are lost, and when many visitors are new.",
            "percentunit",
            [
                (
                    "sum by (instance)"
                    ' (rate(memrep_commands_total{@,command="get",result="hit"}[$__rate_interval]))'
                    ' / sum by (instance) (rate(memrep_commands_total{@,command="get"}[$__rate_interval]))',
                    "{{instance}}",
                )
            ],
            most=1,
        ),
        Panel(
            "Clients",
            "Of those that there may be (-c). At 100 % more are sent away.",
            "percentunit",
            [("memrep_connections{@} / memrep_connections_limit{@}", "{{instance}}")],
            marks=_NEARLY_FULL,
            most=1,
        ),
        Panel(
            "Clients sent away or hung up on",
            "0 in a second: one too many, or one that does not read its replies.",
            "ops",
            [
                (
                    "sum by (instance) (rate(memrep_connections_refused_total{@}[$__rate_interval]))",
                    "{{instance}} full",
                ),
                (
                    "sum by (instance) (rate(memrep_slow_readers_total{@}[$__rate_interval]))",
                    "{{instance}} slow",
                ),
            ],
        ),
    ],
    "Is there room?": [
        Panel(
            "Memory for items",
            "Of -m. Close to 100 % live sessions are ended; the node with the least decides for all.",
            "percentunit",
            [("memrep_item_bytes{@} / memrep_memory_limit_bytes{@}", "{{instance}}")],
            marks=_NEARLY_FULL,
            most=1,
        ),
        Panel(
            "Items",
            "The same at all nodes that serve.",
            "short",
            [("memrep_items{@}", "{{instance}}")],
        ),
        Panel(
            "Items that end",
            "In a second: of themselves, or for want of room. The second is 0.",
            "ops",
            [
                ("sum by (instance) (rate(memrep_expired_total{@}[$__rate_interval]))", "{{instance}} run out"),
                (
                    "sum by (instance) (rate(memrep_evictions_total{@}[$__rate_interval]))",
                    "{{instance}} evicted",
                ),
            ],
        ),
        Panel(
            "Unused for the longest",
            "Where items are evicted: how long a visitor may rest before he is logged out.",
            "s",
            [("memrep_oldest_unused_seconds{@}", "{{instance}}")],
        ),
    ],
    "Do nodes keep up with each other?": [
        Panel(
            "Writes that wait for another node",
            "A few. Hundreds that stay: that node, or the way to it, is slow.",
            "short",
            [("memrep_peer_lag_writes{@}", "{{instance}}: {{peer}}")],
        ),
        Panel(
            "A write's way round",
            "On average. A few ms: each write waits for the slowest node, and longer while one is given up.",
            "s",
            [
                (
                    "rate(memrep_write_rounds_seconds_total{@}[$__rate_interval])"
                    " / (rate(memrep_write_rounds_total{@}[$__rate_interval]) > 0)",
                    "{{instance}}",
                )
            ],
        ),
        Panel(
            "Changes of view, 10 min",
            "0. A node that is restarted makes two, one that flaps many.",
            "none",
            [("increase(memrep_view_changes_total{@}[10m])", "{{instance}}")],
        ),
        Panel(
            "Clocks",
            "How far the others' clocks are ahead. A few ms; from 1 s on it is a problem.",
            "s",
            [("memrep_peer_clock_offset_seconds{@}", "{{instance}}: {{peer}}")],
            signed=True,
        ),
    ],
    "What does PHP do?": [
        Panel(
            "Locks and copies",
            "In a second: locks of sessions granted, and writes that came a second time and were recognised.",
            "ops",
            [
                ("sum(rate(memrep_php_locks_granted_total{@}[$__rate_interval]))", "granted"),
                ("sum(rate(memrep_php_copies_recognised_total{@}[$__rate_interval]))", "copies"),
            ],
        ),
        Panel(
            "Locks whose node died while it granted them",
            "0. In doubt: they end soon, unless their holder shows up. Ended, in a second.",
            "short",
            [
                ("sum(memrep_php_locks_in_doubt{@})", "in doubt"),
                ("sum(rate(memrep_php_locks_ended_total{@}[$__rate_interval]))", "ended"),
            ],
        ),
    ],
    "What does the process take?": [
        Panel(
            "CPU",
            "Of one core; a node uses no second one.",
            "percentunit",
            [("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")],
            most=1,
        ),
        Panel(
            "Resident memory",
            "Steady when the items are. The limit is that of the service (MemoryMax=); 0: there is none.",
            "bytes",
            [
                ("process_resident_memory_bytes{@}", "{{instance}}"),
                ("memrep_cgroup_limit_bytes{@}", "{{instance}} limit"),
            ],
        ),
        Panel(
            "Longest turn",
            "Since the start. In it nobody else was served; above 0.1 s something is wrong with the machine.",
            "s",
            [("memrep_longest_turn_seconds{@}", "{{instance}}")],
        ),
        Panel(
            "Up for",
            "A node that was restarted began with nothing and fetched everything.",
            "s",
            [("time() - memrep_start_time_seconds{@}", "{{instance}}")],
        ),
    ],
}


def expression(query: str) -> str:
    """The query as Grafana puts it."""
    return query.replace("@", PICKED)


def _kind(kind: str) -> stat.Panel | timeseries.Panel | statetimeline.Panel:
    """An empty panel of this kind."""
    if kind == "stat":
        return stat.Panel().graph_mode(common.BigValueGraphMode.NONE)
    if kind == "state-timeline":
        return statetimeline.Panel().show_value(common.VisibilityMode.NEVER)
    legend = VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return timeseries.Panel().legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(True))


def _panel(panel: Panel, width: int) -> Builder[model.Panel]:
    made = _kind(panel.kind).title(panel.title).description(panel.text).datasource(_SOURCE).unit(panel.unit)
    made = made.height(5 if panel.kind == "stat" else 7).span(width)
    if not panel.signed:
        made = made.min(0)
    if panel.most is not None:
        made = made.max(panel.most)
    if panel.marks:
        steps = [model.Threshold(value=value, color=colour) for value, colour in panel.marks]
        made = made.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    for number, (query, name) in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(expression(query)).legend_format(name).ref_id("ABC"[number])
        made = made.with_target(target.instant() if panel.kind == "stat" else target.range())
    return made


def _variables() -> list[Builder[model.VariableModel]]:
    job, instance = (
        build.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        for name, label, query in (
            ("job", "Cluster", "label_values(memrep_build_info, job)"),
            ("instance", "Node", 'label_values(memrep_build_info{job="$job"}, instance)'),
        )
    )
    source = build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    return [source, job, instance.multi(True).include_all(True).all_value(".+")]


def written() -> str:
    """The file as the panels are now."""
    page = (
        build.Dashboard("memrep")
        .uid("memrep")
        .description("A cluster of memrep; from the top: do users notice, what is wrong, and why.")
        .tags(["memrep"])
        .refresh("30s")
        .time("now-3h", "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
    )
    for title, panels in ROWS.items():
        page = page.with_row(build.Row(title))
        for panel in panels:
            page = page.with_panel(_panel(panel, _WIDTH // len(panels)))
    return JSONEncoder(sort_keys=True, indent=1).encode(page.build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")
