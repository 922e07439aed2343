"""The table: what each state looks like (golden/), and that no line is ever too long.

`python -m tests.unit.status.test_table` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import memrep
from memrep.status.facts import About, NodeStatus, Problem, Status
from memrep.status.table import PROBLEMS_MAX, render
from tests.unit.status.clusters import (
    CLUSTERS,
    DETOUR,
    LONGEST,
    NAMES,
    OLD,
    changed_about,
    cluster,
    gone,
    node,
    with_node,
)

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_looks_as_in_its_golden_file(name: str) -> None:
    status, wide = CLUSTERS[name]
    assert f"{render(status, wide=wide)}\n" == (GOLDEN / f"{name}.txt").read_text()


def test_the_readme_shows_a_cluster_as_it_looks() -> None:
    readme = (Path(memrep.__file__).parents[1] / "README.md").read_text()
    assert textwrap.indent((GOLDEN / "readme.txt").read_text(), "    ") in readme


def test_each_golden_file_is_of_a_cluster() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == CLUSTERS.keys()


@pytest.mark.parametrize("name", [name for name, (_, wide) in CLUSTERS.items() if not wide])
def test_no_cluster_is_wider_than_80_columns(name: str) -> None:
    assert max(map(len, render(CLUSTERS[name][0]).splitlines())) <= 80


def test_problems_stand_before_the_nodes_if_one_of_them_cannot_wait() -> None:
    urgent, can_wait = cluster(problems=[DETOUR, OLD]), cluster(problems=[OLD])
    assert render(urgent).splitlines()[1].startswith("! ")
    assert render(can_wait).splitlines()[1].startswith(" NODE ")
    assert render(can_wait).splitlines()[-1] == f"  {OLD.remedy}"


def test_what_each_problem_asks_for_stands_below_it() -> None:
    lines = render(cluster(problems=[DETOUR])).splitlines()
    assert lines[1:3] == [f"! {DETOUR.text}", f"  {DETOUR.remedy}"]


def test_there_may_be_more_problems_than_are_shown() -> None:
    status = cluster(problems=[OLD] * (PROBLEMS_MAX + 2))
    assert "! and 2 more; `memrep status -w wide` shows all" in render(status)
    assert " more" not in render(status, wide=True)


def test_that_there_are_more_fits_into_any_width() -> None:
    assert all(len(line) <= 40 for line in render(cluster(problems=[OLD] * (PROBLEMS_MAX + 2)), 40).split("\n"))


def test_what_is_unknown_is_a_dash() -> None:
    row = render(gone(cluster(2), 2)).splitlines()[-2]
    assert row.split() == [NAMES[1], "down", "3", "min", "-", "-", "-", "-", "-", "-", "-"]


def test_the_asked_node_is_marked() -> None:
    rows = render(cluster()).splitlines()[2:]
    assert [row[0] for row in rows] == ["*", " ", " "]


def test_versions_are_told_if_they_differ_and_when_all_is_told() -> None:
    same = cluster()
    assert "1.2.0" not in render(same)
    assert "1.2.0" in render(same, wide=True)
    differ = with_node(same, 3, about=changed_about(version="1.3.0"))
    assert f"versions: 1.2.0 ({NAMES[0]}, {NAMES[1]}), 1.3.0 ({NAMES[2]})" in " ".join(render(differ).split())


def test_a_node_on_the_way_is_called_by_what_tells_it_from_the_others() -> None:
    assert "via 10.3.3.3\n" in render(with_node(cluster(), 2, path=f"via {NAMES[2]}")) + "\n"
    one_host = [f"127.0.0.1:{port}" for port in (11211, 11212, 11213)]
    assert "via :11213" in render(with_node(cluster(names=one_host), 2, path=f"via {one_host[2]}"))
    mixed = ["a:1", "a:2", "b:2"]
    assert "via b:2" in render(with_node(cluster(names=mixed), 2, path="via b:2"))
    assert "via c:9" in render(with_node(cluster(), 2, path="via c:9"))


def test_why_a_node_does_not_serve_stands_below_it() -> None:
    lines = render(with_node(cluster(), 2, state="waiting", why="a view is being formed")).splitlines()
    assert lines[4] == "    a view is being formed"


def test_what_a_node_says_cannot_write_to_the_terminal() -> None:
    evil = "\x1b]0;x\x07\r\n"
    status = with_node(cluster(), 2, name=f"{evil}{NAMES[1]}", state=evil, why=f"because {evil}", path=evil)
    problem = Problem(kind="down", severity="warning", nodes=[], text=evil, remedy=evil)
    told = render(msgspec.structs.replace(status, problems=[problem]))
    assert all(line.isprintable() for line in told.splitlines())


numbers = st.one_of(st.integers(0, 5_000), st.integers())
ages = st.one_of(st.none(), st.floats(0, 1e6), st.floats())
texts = st.one_of(st.text(max_size=30), st.text(alphabet="ab :.[]", max_size=300))
abouts = st.builds(
    About,
    version=texts,
    state=texts,
    items=numbers,
    used=numbers,
    limit=numbers,
    clients=numbers,
    clients_max=numbers,
    ops=numbers,
    evicted=numbers,
    group_used=numbers,
    group_limit=numbers,
)
nodes = st.builds(
    NodeStatus,
    name=texts,
    asked=st.booleans(),
    state=texts,
    since_s=ages,
    why=texts,
    about=st.one_of(st.none(), abouts),
    lag=numbers,
    clock_ms=st.one_of(st.none(), numbers),
    path=texts,
    refusal=texts,
)
problems = st.builds(Problem, severity=st.sampled_from(["critical", "warning"]), text=texts, remedy=texts)
statuses = st.builds(
    Status,
    view=numbers,
    nodes=st.lists(nodes, max_size=7),
    problems=st.lists(problems, max_size=20),
)


@given(statuses)
def test_no_line_is_wider_than_80_columns_whatever_nodes_say(status: Status) -> None:
    told = render(status)
    assert all(len(line) <= 80 for line in told.split("\n"))
    assert all(line.isprintable() for line in told.split("\n"))
    render(status, wide=True)


@given(statuses, st.integers(40, 200))
def test_a_line_may_be_given_another_width(status: Status, width: int) -> None:
    assert all(len(line) <= width for line in render(status, width).split("\n"))


possible_nodes = st.builds(
    lambda name, lag, clock, **facts: node(
        name, LONGEST, lag=lag, clock_ms=clock, about=changed_about(**facts), since_s=float(lag)
    ),
    st.sampled_from(LONGEST),
    st.integers(0, 1 << 30),
    st.integers(-(1 << 30), 1 << 30),
    items=st.integers(0, 1 << 40),
    used=st.integers(0, 1 << 44),
    limit=st.integers(0, 1 << 44),
    clients=st.integers(0, 1 << 20),
    ops=st.integers(0, 1 << 30),
)


@given(st.lists(possible_nodes, min_size=1, max_size=7))
def test_ip_addresses_are_shown_whole_whatever_the_figures(rows: list[NodeStatus]) -> None:
    lines = render(cluster(nodes=rows)).splitlines()[2:]
    assert [line[1:].split()[0] for line in lines] == [row.name for row in rows]


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for golden, (shown, in_full) in CLUSTERS.items():
        (GOLDEN / f"{golden}.txt").write_text(f"{render(shown, wide=in_full)}\n")
