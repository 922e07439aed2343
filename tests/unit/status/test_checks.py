"""The checks: each finds what contradicts its claim, and nothing where all is well."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest

from memrep.status.checks import CHECKS, report
from memrep.status.facts import JOINING, LEAVING, STARTING, WAITING, Problem, Status
from memrep.status.findings import Finding
from memrep.status.problems import KINDS, find_problems
from memrep.status.safe_to_stop import SAFE_TO_STOP
from tests.unit.status.clusters import CLUSTERS, NAMES, changed_about, cluster, gone, with_node


def _found(name: str, status: Status) -> list[Finding]:
    findings = list(CHECKS[name].find(status))
    assert all(finding.check == name and finding.text and finding.remedy for finding in findings)
    return findings


def _as_told(status: Status) -> Status:
    """A cluster with what a node finds wrong with it."""
    return msgspec.structs.replace(status, problems=find_problems(status))


def _told(name: str, status: Status) -> list[tuple[str, str]]:
    return [(finding.severity, finding.text) for finding in _found(name, status)]


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_nothing_where_all_is_well(name: str) -> None:
    assert _found(name, cluster(3)) == []


@pytest.mark.parametrize("name", [name for name in CHECKS if name != SAFE_TO_STOP])
def test_one_node_by_itself_is_well(name: str) -> None:
    assert _found(name, cluster(1)) == []


@pytest.mark.parametrize("state", [STARTING, JOINING, WAITING, LEAVING])
def test_serving_fails_whatever_else_the_asked_node_does(state: str) -> None:
    status = with_node(cluster(), 1, state=state, since_s=12, why="for a reason")
    assert _told("serving", status) == [
        ("critical", f"{NAMES[0]} lets no clients in: it is {state} for 12 s (for a reason)")
    ]


def test_serving_asks_for_nobody_else() -> None:
    assert _found("serving", gone(cluster(), 2)) == []


#: What each kind of problem makes fail.
FAILS: Final = {
    "down": "peers", "turned-away": "peers", "waits": "peers", "path": "paths", "evicting": "memory",
    "memory-differs": "memory", "item-size-differs": "memory", "cgroup": "cgroup", "clock": "clock",
    "connections": "connections", "version": "versions", "log": "log", "last-copy": "last-copy",
    "reload-refused": "config", "old-store": "old-store", "data-differs": "digests", "disk": "disk",
}  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "not-serving"])
def test_each_kind_of_problem_fails_one_check_with_its_own_words(kind: str) -> None:
    problem = Problem(kind, "warning", NAMES[:1], "a text", "a remedy")
    for name in CHECKS:
        found = _found(name, cluster(problems=[problem]))
        assert found == [Finding(name, "warning", "a text", "a remedy")] * (name == FAILS[kind])


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("peers", gone(cluster(), 3)),
        ("peers", with_node(cluster(), 3, state=WAITING, since_s=60.0)),
        ("paths", with_node(cluster(), 2, hears=[NAMES[2]], path=f"via {NAMES[2]}")),
        ("paths", with_node(cluster(), 2, hears=None, path="one way")),
        ("memory", with_node(cluster(), 1, about=changed_about(evicted=1))),
        ("memory", with_node(cluster(), 2, about=changed_about(limit=32 << 20))),
        ("cgroup", with_node(cluster(), 2, about=changed_about(group_used=90, group_limit=100))),
        ("clock", with_node(cluster(), 2, clock_ms=-1_000)),
        ("connections", with_node(cluster(), 2, about=changed_about(clients=80, clients_max=100))),
        ("versions", with_node(cluster(), 2, about=changed_about(version="1.3.0"))),
        ("log", with_node(cluster(), 2, about=changed_about(log_lost=1))),
        ("config", with_node(cluster(), 2, about=changed_about(reload_refused="no TOML"))),
        ("disk", with_node(cluster(), 2, about=changed_about(disk="disk is full"))),
        ("last-copy", gone(gone(cluster(), 2), 3)),
    ],
)
def test_what_a_node_finds_wrong_with_a_cluster_fails_its_check(name: str, status: Status) -> None:
    assert _found(name, _as_told(status))


def test_a_minority_is_critical_only_where_it_refuses_clients() -> None:
    assert [severity for severity, _ in _told("majority", cluster(majority=False))] == ["warning"]
    assert [severity for severity, _ in _told("majority", cluster(majority=False, strict=True))] == ["critical"]
    assert "no view yet" in _told("majority", cluster(majority=False, view=0))[0][1]


def test_stopping_is_asked_for_by_name_only() -> None:
    only = cluster(1)
    assert report(only).result == "ok"
    assert report(only, [SAFE_TO_STOP]).result == "critical"


def test_the_verdict_has_the_figures_of_the_asked_node() -> None:
    found = report(cluster())
    assert found.lines() == (
        "MEMREP OK - 3 of 3 nodes serve | items=100212 bytes=63963136B;;;0;67108864 "
        "clients=212;;;0;1024 ops=3120"
    )
    assert report(with_node(cluster(), 1, about=None)).figures == ""


def test_the_verdict_names_the_worst_finding_and_how_many_there_are_besides() -> None:
    found = report(_as_told(gone(gone(cluster(), 2), 3)))
    assert found.result == "critical"
    assert found.text.startswith(f"1 of 3 nodes serve; peers: {NAMES[1]} is down")
    assert found.text.endswith(" (and 2 more)")
    warned = report(_as_told(gone(cluster(), 3)))
    assert (warned.result, [finding.check for finding in warned.findings]) == ("warning", ["peers"])


def test_who_names_checks_gets_those() -> None:
    status = _as_told(gone(cluster(), 3))
    assert report(status, ["serving", "clock"]).text == (
        "the asked node serves, clocks are less than a second apart"
    )
    assert report(status, ["peers"]).result == "warning"


@pytest.mark.parametrize("name", CLUSTERS)
def test_each_cluster_can_be_reported(name: str) -> None:
    assert report(CLUSTERS[name][0], list(CHECKS)).lines()
