"""Who hears whom: pair by pair, and in words."""

from __future__ import annotations

from memrep.page.hearing import BOTH, NEITHER, ONE_WAY, UNKNOWN, detours, in_words, links
from memrep.status.facts import Status
from memrep.status.nodes import short_names
from tests.unit.status.clusters import NAMES, cluster, gone, with_node

ONE, TWO, THREE = NAMES[:3]

#: The first does not reach the second, and goes over the third.
CUT = with_node(cluster(3), 2, hears=[THREE], path=f"via {THREE}")


def _kinds(status: Status) -> list[str]:
    return [link.kind for link in links(status)]


def _said(status: Status) -> list[str]:
    return in_words(links(status), detours(status), short_names(status.nodes))


def test_all_hear_each_other() -> None:
    assert _kinds(cluster(3)) == [BOTH] * 3
    assert _said(cluster(3)) == ["All nodes that are there hear each other directly."]
    assert _said(cluster(2)) == ["The two nodes that are there hear each other directly."]


def test_one_direction_is_cut_and_gone_round() -> None:
    assert _kinds(CUT) == [ONE_WAY, BOTH, BOTH]
    (link, _, _) = links(CUT)
    assert (link.speaker.name, link.hearer.name) == (TWO, ONE)
    (way,) = detours(CUT)
    assert (way.speaker.name, way.via.name, way.hearer.name) == (ONE, THREE, TWO)
    assert _said(CUT) == [
        "10.2.2.2 does not hear 10.1.1.1; the other direction works.",
        "What 10.1.1.1 says to 10.2.2.2 goes over 10.3.3.3.",
        "All others hear each other.",
    ]


def test_the_other_direction_is_told_the_other_way_round() -> None:
    (link, _, _) = links(with_node(cluster(3), 1, hears=[THREE]))
    assert (link.speaker.name, link.hearer.name) == (ONE, TWO)


def test_both_directions_are_cut() -> None:
    status = with_node(with_node(cluster(2), 1, hears=[]), 2, hears=[])
    assert _kinds(status) == [NEITHER]
    assert _said(status) == ["10.1.1.1 and 10.2.2.2 do not hear each other."]


def test_who_has_not_said_whom_it_hears_is_asked_about_in_vain() -> None:
    status = with_node(cluster(3), 3, hears=None)
    assert _kinds(status) == [BOTH, UNKNOWN, UNKNOWN]
    assert _said(status)[0] == "10.3.3.3 has not said yet whom it hears."
    assert (
        _said(with_node(status, 2, hears=None))[-1] == "10.2.2.2 and 10.3.3.3 have not said yet whom they hear."
    )


def test_a_node_that_is_gone_has_no_links() -> None:
    assert _kinds(gone(cluster(3), 3)) == [BOTH]
    assert _kinds(cluster(1)) == []
    assert _said(cluster(1)) == ["There is nobody else to hear."]
    assert _said(gone(cluster(2), 2)) == ["There is nobody else to hear."]


def test_a_way_over_somebody_unknown_is_not_drawn() -> None:
    assert detours(with_node(cluster(3), 2, path="via 10.9.9.9:1")) == []
    assert detours(with_node(cluster(3), 2, path="one way")) == []
