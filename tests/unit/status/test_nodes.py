"""Nodes picked and put into words: who hears whom, and which port is meant."""

from __future__ import annotations

import pytest

from memrep import addresses
from memrep.status.nodes import (
    LINK_PORT_OFFSET,
    asked_node,
    hears,
    host_of,
    in_touch,
    link_port_of,
    nodes_with_words,
    remedy_of_state,
    serving_nodes,
    short_names,
    state_in_words,
)
from tests.unit.status.clusters import IPV6, NAMES, cluster, gone, with_node


def test_links_have_the_port_that_nodes_use() -> None:
    assert LINK_PORT_OFFSET == addresses.LINK_PORT_OFFSET
    node = cluster().nodes[0]
    assert (host_of(node), link_port_of(node)) == ("10.1.1.1", "21211")
    node = cluster(names=IPV6).nodes[0]
    assert (host_of(node), link_port_of(node)) == ("[2001:db8::1]", "21211")


def test_a_name_without_a_port_makes_no_mistake() -> None:
    (node,) = cluster(1, names=["web1"]).nodes
    assert (host_of(node), link_port_of(node)) == ("web1", "of its links")


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (NAMES[:2], ["10.1.1.1", "10.2.2.2"]),
        (["10.1.1.1:11211", "10.2.2.1:11211"], ["10.1.1.1", "10.2.2.1"]),
        (["127.0.0.1:11211", "127.0.0.1:11212"], [":11211", ":11212"]),
        (["a:1", "a:2", "b:2"], ["a:1", "a:2", "b:2"]),
        (["web1.example.org:1", "web2.example.org:1"], ["web1", "web2"]),
        (["web1.a.example.org:1", "web1.b.example.org:1"], ["web1.a", "web1.b"]),
        (["example.org:1", "a.example.org:1"], ["example", "a.example"]),
        (["web1.example.org:1", "10.1.1.1:1"], ["web1.example.org", "10.1.1.1"]),
        (["web1.example.org:1"], ["web1.example.org"]),
    ],
)
def test_in_a_narrow_place_a_node_is_called_by_what_tells_it_from_the_others(
    names: list[str], short: list[str]
) -> None:
    assert list(short_names(cluster(len(names), names).nodes).values()) == short


def test_the_asked_node_is_found() -> None:
    status = cluster()
    assert asked_node(status) is status.nodes[0]
    assert asked_node(with_node(status, 1, asked=False)) is None


def test_who_serves_and_who_says_something() -> None:
    status = gone(with_node(cluster(), 2, state="joining"), 3)
    assert [node.name for node in serving_nodes(status)] == NAMES[:1]
    assert [node.name for node, _ in nodes_with_words(status)] == NAMES[:2]


def test_who_has_not_said_whom_it_hears_hears_all_as_far_as_is_known() -> None:
    one, other = with_node(cluster(2), 2, hears=None).nodes
    assert hears(other, one)
    assert in_touch(one, other)
    assert not in_touch(*with_node(cluster(2), 2, hears=[]).nodes)


def test_a_state_is_told_with_its_age_and_reason() -> None:
    joining, other = with_node(cluster(2), 1, state="joining", since_s=12, why="fetches").nodes
    assert state_in_words(joining) == "joining for 12 s (fetches)"
    assert state_in_words(with_node(cluster(1), 1, since_s=None).nodes[0]) == "serving"
    assert state_in_words(other) == "serving for 4d 4h"


def test_each_state_has_something_to_do() -> None:
    assert "wait" in remedy_of_state("joining")
    assert "systemctl start" in remedy_of_state("leaving")
    assert "memrep status" in remedy_of_state("waiting")
