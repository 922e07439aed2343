"""Each problem is found where it is, not where it is not, and says what to do."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership import peer_process
from memrep.status import problems
from memrep.status.facts import (
    DOWN,
    JOINING,
    LEAVING,
    SERVING,
    SILENT,
    STARTING,
    WAITING,
    About,
    NodeStatus,
    Problem,
)
from memrep.status.problems import KINDS, find_problems
from tests.unit.status import clusters
from tests.unit.status.clusters import changed_about

NAMES: Final = clusters.NAMES[:3]
ONE, TWO, THREE = NAMES


def _node(name: str, **changes: Any) -> NodeStatus:
    return clusters.node(name, NAMES, **({"since_s": 3_600.0} | changes))


def _gone(name: str, state: str = DOWN, **changes: Any) -> NodeStatus:
    gone = {"state": state, "about": None, "hears": None, "clock_ms": None, "path": "", "member": False}
    return _node(name, **(gone | changes))


def _found(*nodes: NodeStatus) -> list[Problem]:
    there = {node.name: node for node in nodes}
    return find_problems(clusters.cluster(nodes=[there.get(name) or _node(name) for name in NAMES]))


def _only(*nodes: NodeStatus) -> Problem:
    (problem,) = _found(*nodes)
    return problem


def test_where_all_is_well_there_is_none() -> None:
    assert _found() == []


@pytest.mark.parametrize(
    ("why", "refusal", "advice"),
    [
        ("its port refuses", "", "systemctl start memrep` on 10.2.2.2"),
        ("it was stopped", "its port refuses", "systemctl start memrep` on 10.2.2.2"),
        ("it was stopped", "its port refuses", "`memrep resume` if it was drained"),
        ("never heard", "the name is not known", "let 10.2.2.2 resolve"),
        ("never heard", "it does not answer", "admits port 21211"),
    ],
)
def test_a_node_that_is_down_is_told_with_its_cause_and_a_cure(why: str, refusal: str, advice: str) -> None:
    problem = _only(_gone(TWO, why=why, refusal=refusal))
    assert (problem.kind, problem.nodes) == ("down", [TWO])
    assert problem.text.startswith(f"{TWO} is down for 1h: {why}")
    assert refusal in problem.text
    assert advice in problem.remedy


def test_a_goodbye_is_known_by_the_words_that_a_node_has_for_it() -> None:
    assert problems.TOOK_LEAVE == peer_process.TOOK_LEAVE


def test_a_node_that_is_silent_may_hang() -> None:
    problem = _only(_gone(TWO, SILENT, why="nothing is heard of it"))
    assert problem.kind == "down"
    assert "silent for 1h" in problem.text
    assert "its process may hang" in problem.remedy


def test_a_node_that_is_silent_may_be_one_that_the_firewall_of_the_asked_one_keeps_out() -> None:
    problem = _only(_gone(TWO, SILENT, why="nothing is heard of it"))
    assert "whether the firewall here admits port 21211 from there" in problem.remedy


def test_the_last_copy_is_critical_and_comes_first() -> None:
    first, *rest = _found(_gone(TWO), _gone(THREE))
    assert (first.kind, first.severity, first.nodes) == ("last-copy", "critical", [ONE])
    assert [(problem.kind, problem.severity) for problem in rest] == [("down", "critical")] * 2
    assert [problem.severity for problem in _found(_gone(TWO))] == ["warning"], "two others bear one more loss"


def test_who_is_turned_away_is_told_by_whom_and_why() -> None:
    cause = "--nodes differs: 10.3.3.3:11211 is missing in that of 10.2.2.2:11211"
    why = f"it turned this node away: {cause}"
    problem = _only(_gone(TWO, why=why, refusal=why))
    assert (problem.kind, problem.severity) == ("turned-away", "critical")
    assert problem.text == f"{TWO} will not have {ONE}: {cause}"


def test_a_node_that_is_gone_since_it_turned_another_away_is_to_be_started() -> None:
    why = "it turned this node away: --nodes differs"
    problem = _only(_gone(TWO, why=why, refusal="its port refuses"))
    assert problem.kind == "down"
    assert problem.text.endswith(f"{why}; now: its port refuses")
    assert problem.remedy.startswith("start it")


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        ("--nodes differs: x:1 is missing in that of y:1", "make `nodes` the same on all servers"),
        ("x:1 runs with --partition majority, y:1 with --partition available", "make `partition` the same"),
        ("x:1 runs with --failure-timeout 2, y:1 with --failure-timeout 3", "make `failure_timeout` the same"),
        ("the --secret-file of x:1 differs from that of y:1", "copy one secret file to all servers"),
        ("x:1 speaks version 4 of the nodes' protocol, y:1 version 5", "upgrade the older one first"),
        ("x:1 calls y:1, but has reached z:1; see where the address leads to, and --self", "which `self`"),
        ("what an older memrep says", "make `nodes`, `partition`, `failure_timeout` and the secret the same"),
    ],
)
def test_what_to_do_about_it_fits_the_cause(cause: str, remedy: str) -> None:
    why = f"it turned this node away: {cause}"
    for node in (_gone(TWO, why=why), _node(TWO, refusal=why)):
        problem = _only(node)
        assert problem.kind == "turned-away"
        assert remedy in problem.remedy


def test_the_cause_of_a_refusal_is_told_though_something_else_is_known_of_its_end() -> None:
    problem = _only(_gone(TWO, why="it was stopped", refusal="it turned this node away: --nodes differs"))
    assert problem.text == f"{TWO} will not have {ONE}: --nodes differs"


def test_who_has_not_said_whom_it_hears_is_judged_by_how_it_is_reached() -> None:
    assert _found(_node(TWO, hears=None)) == []
    problem = _only(_node(TWO, hears=None, path="one way"))
    assert (problem.kind, problem.nodes) == ("path", [ONE, TWO])


@pytest.mark.parametrize("state", [STARTING, JOINING, WAITING])
@pytest.mark.parametrize(("since", "lasting"), [(2.0, False), (60.0, True)])
def test_another_node_that_does_not_serve_is_one_when_it_lasts(state: str, since: float, lasting: bool) -> None:
    found = _found(_node(TWO, state=state, since_s=since, why="fetches"))
    assert [problem.kind for problem in found] == ["waits"] * lasting


@pytest.mark.parametrize(("state", "severity"), [(WAITING, "critical"), (JOINING, "warning")])
def test_why_the_node_that_is_asked_does_not_serve_is_told(state: str, severity: str) -> None:
    problem = _only(_node(ONE, state=state, why="10.2.2.2:11211 has given no lease"))
    assert (problem.kind, problem.severity) == ("not-serving", severity)
    assert "no lease" in problem.text


def test_a_node_that_is_stopped_on_purpose_is_none() -> None:
    assert _found(_node(ONE, state=LEAVING)) == []
    assert _found(_node(TWO, state=LEAVING)) == []


def test_a_detour_names_the_direction_that_fails_and_the_way_round() -> None:
    problem = _only(
        _node(TWO, hears=[THREE], path=f"via {THREE}", refusal="it does not answer"),
    )
    assert (problem.kind, problem.nodes) == ("path", [ONE, TWO])
    assert problem.text == (
        f"{ONE} does not reach {TWO} directly (it does not answer): the other direction works; "
        f"what it has to say goes via {THREE}"
    )
    assert "port 21211 from 10.1.1.1 to 10.2.2.2" in problem.remedy


def test_two_that_do_not_hear_each_other_are_one_problem() -> None:
    problem = _only(_node(ONE, hears=[THREE]), _node(TWO, hears=[THREE], path=f"via {THREE}"))
    assert problem.text.startswith(
        f"{ONE} and {TWO} do not reach each other directly; what it has to say goes via"
    )
    assert "port 21211 from 10.1.1.1 to 10.2.2.2, and port 21211 from 10.2.2.2 to 10.1.1.1" in problem.remedy


def test_a_link_between_two_others_that_fails_is_seen_from_a_third() -> None:
    problem = _only(_node(TWO, hears=[ONE]))
    assert problem.nodes == [THREE, TWO]


@pytest.mark.parametrize(
    ("about", "kind", "severity"),
    [
        ({"evicted": 1_204}, "evicting", "critical"),
        ({"group_used": 95, "group_limit": 100}, "cgroup", "warning"),
        ({"group_used": 85, "group_limit": 100, "group_full": True}, "cgroup", "warning"),
        ({"clients": 820}, "connections", "warning"),
        ({"clients": 1_024}, "connections", "critical"),
        ({"limit": 1 << 20}, "memory-differs", "warning"),
        ({"item_max": 1 << 10}, "item-size-differs", "warning"),
        ({"version": "1.1"}, "version", "warning"),
        ({"log_lost": 3}, "log", "warning"),
        ({"reload_refused": "it is no valid TOML"}, "reload-refused", "warning"),
        ({"disk": "No space left on device"}, "disk", "warning"),
        ({"old_store_silent": "10.0.0.1:11211: refused"}, "old-store", "critical"),
    ],
)
def test_what_a_node_says_of_itself_may_be_one(about: dict[str, Any], kind: str, severity: str) -> None:
    problem = _only(_node(TWO, about=changed_about(**about)))
    assert (problem.kind, problem.severity) == (kind, severity)
    assert TWO in problem.text + " ".join(problem.nodes)


@pytest.mark.parametrize(
    "about",
    [
        {"clients": 800},
        {"group_used": 89, "group_limit": 100},
        {"group_used": 89},
        {"used": 64 << 20},
    ],
)
def test_what_is_not_quite_one_is_none(about: dict[str, Any]) -> None:
    assert _found(_node(TWO, about=changed_about(**about))) == []


def test_the_odd_clock_out_is_named_though_it_is_that_of_the_node_that_is_asked() -> None:
    problem = _only(_node(TWO, clock_ms=-3_600_000), _node(THREE, clock_ms=-3_600_010))
    assert (problem.kind, problem.nodes) == ("clock", [ONE])
    assert "1h ahead of the others'" in problem.text


def test_a_clock_that_is_half_a_second_off_is_none() -> None:
    assert _found(_node(TWO, clock_ms=999)) == []


_ABOUTS = st.builds(
    About,
    limit=st.integers(0, 1 << 40),
    evicted=st.integers(0, 9),
    clients=st.integers(0, 9),
    clients_max=st.integers(0, 9),
    log_lost=st.integers(0, 2),
    reload_refused=st.sampled_from(["", "it is no valid TOML"]),
)
_STATES = st.sampled_from([STARTING, JOINING, WAITING, SERVING, LEAVING, SILENT, DOWN])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "state": _STATES,
                "about": st.none() | _ABOUTS,
                "since_s": st.none() | st.floats(0, 1e9),
                "hears": st.none() | st.lists(st.sampled_from(NAMES), unique=True),
                "clock_ms": st.none() | st.integers(-(10**9), 10**9),
                "why": st.sampled_from(["", "its port refuses", "it turned this node away: x"]),
                "member": st.booleans(),
            }
        ),
        min_size=3,
        max_size=3,
    )
)
def test_whatever_the_facts_are_each_problem_is_of_a_known_kind_and_can_be_acted_on(
    changes: list[dict[str, Any]],
) -> None:
    found = _found(*(_node(name, **change) for name, change in zip(NAMES, changes, strict=True)))
    for problem in found:
        assert problem.kind in KINDS
        assert problem.text and problem.remedy and problem.nodes
    severities = [problem.severity for problem in found]
    assert severities == sorted(severities)
