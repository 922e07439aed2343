"""Whether the asked node may be stopped: each reason that speaks against it, and none where there is none."""

from __future__ import annotations

import pytest

from memrep.status.facts import JOINING, SILENT, WAITING, Status
from memrep.status.safe_to_stop import reasons_to_wait
from tests.unit.status.clusters import NAMES, cluster, gone, with_node


def _reasons(status: Status) -> list[str]:
    findings = list(reasons_to_wait(status))
    assert all(finding.severity == "critical" and finding.remedy for finding in findings)
    return [finding.text for finding in findings]


@pytest.mark.parametrize("status", [cluster(2), cluster(3), cluster(7), cluster(3, strict=True)])
def test_a_node_whose_others_all_serve_may_be_stopped(status: Status) -> None:
    assert _reasons(status) == []


def test_the_only_node_may_not() -> None:
    assert _reasons(cluster(1)) == [f"{NAMES[0]} is the only node"]


@pytest.mark.parametrize(
    "status",
    [
        gone(cluster(2), 2),
        gone(gone(cluster(3), 2), 3, SILENT),
        with_node(cluster(2), 2, state=WAITING),
        with_node(cluster(2), 2, member=False),
    ],
)
def test_a_node_without_which_nobody_serves_may_not(status: Status) -> None:
    assert _reasons(status) == [f"no other node serves: without {NAMES[0]} users are logged out"]


def test_a_node_without_which_there_is_no_majority_may_not_if_one_is_demanded() -> None:
    two_left = gone(cluster(3, strict=True), 3)
    assert _reasons(two_left) == [f"without {NAMES[0]} 1 of 3 nodes are no majority, and would serve nobody"]
    assert _reasons(gone(cluster(3), 3)) == []
    assert _reasons(gone(cluster(5, strict=True), 3)) == []
    assert len(_reasons(gone(gone(cluster(5, strict=True), 3), 2))) == 1


def test_a_node_through_which_alone_two_others_reach_each_other_may_not() -> None:
    cut = with_node(cluster(3), 2, hears=[NAMES[0]])
    assert _reasons(cut) == [f"{NAMES[1]} and {NAMES[2]} reach each other only through {NAMES[0]}"]


def test_a_node_on_a_detour_for_which_there_is_another_one_may_be_stopped() -> None:
    assert _reasons(with_node(cluster(4), 2, hears=[NAMES[0], NAMES[3]])) == []
    third_is_cut_off = with_node(cluster(4), 2, hears=[NAMES[0]])
    assert len(_reasons(third_is_cut_off)) == 2


def test_who_has_not_said_whom_it_hears_forbids_nothing() -> None:
    assert _reasons(with_node(cluster(3), 2, hears=None)) == []


def test_a_node_from_which_another_one_may_be_fetching_may_not() -> None:
    joining = with_node(cluster(3), 3, state=JOINING)
    assert _reasons(joining) == [f"{NAMES[2]} is joining, and may be fetching from {NAMES[0]}"]


def test_all_reasons_are_told_at_once() -> None:
    assert len(_reasons(with_node(cluster(2), 2, state=JOINING))) == 2
