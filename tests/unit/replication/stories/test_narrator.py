"""What is told: each thing once, in virtual time, and versions that a person reads."""

from __future__ import annotations

from memrep.replication.message import Ack, Heartbeat, LeaseGrant, Relay
from memrep.replication.wire import encode
from memrep.storage.version import ZERO
from tests.harness.cluster import serving_cluster
from tests.unit.replication.stories.narrator import Narrator
from tests.unit.replication.stories.stage import Stage


def _told(*commands: str) -> list[str]:
    stage = Stage()
    return [line for command in commands for line in stage.do(command)]


def test_heartbeats_leases_and_repeated_acknowledgements_are_not_told() -> None:
    assert _told("start 1 2 3", "wait 2000") == ["     0  1 2 3 are 1.1 serves"]


def test_a_heartbeat_is_told_where_it_says_something_new_if_that_is_asked_for() -> None:
    begun = "start 1 2", "tell heartbeats", "wait 500"
    assert _told(*begun) == ["     0  1 2 are 1.1 serves"]
    assert "   500  1>2 Heartbeat 1.1 hears 2 sent 0 leaves" in _told(*begun, "leave 1")
    assert not [line for line in _told(*begun, "tell nothing", "leave 1") if "Heartbeat" in line]


def test_of_what_is_relayed_only_what_is_told_otherwise_is() -> None:
    cluster = serving_cluster()
    narrator = Narrator(cluster)
    link = cluster.links[1, 3]
    narrator._links.add(link)
    beat = Heartbeat(1, 1, True, "", False, 0, 0, 0, 0)
    for inner in ([beat, LeaseGrant(1, 0)], [beat, Ack(64, 2, 0)], [Ack(64, 2, 0)]):
        cluster.arrives((1, 3), link, [Relay(2, 1, 7, b"".join(map(encode, inner)))])
    assert narrator.take() == ["   500  1>3 Relay 1>2: Ack 1.0 #2"]


def test_while_it_is_quiet_replies_are_told_at_once_and_states_at_the_end() -> None:
    told = _told("start 1 2", "client 1 set k v", "kill 2", "quietly wait 200")
    assert told[1:] == [
        "     0  client 1: STORED",
        "     0  1 is 2.1 serves",
        "     0  2 is down",
    ]


def test_a_version_tells_generation_time_and_node_and_no_version_is_nothing() -> None:
    told = _told("start 1 2", "later 7", "client 2 set k v", "client 2 set l w", "deliver", "show 1")
    assert told[-2:] == ["          'k'='v' 1:+7@2", "          'l'='w' 1:+7.1@2"]
    assert Narrator(serving_cluster(2)).version(ZERO) == "nothing"


def test_a_node_is_shown_with_what_others_lack_of_it_and_why_it_needs_a_view() -> None:
    told = _told("start 1 2", "client 1 add k v", "ask 1", "show 1")
    assert told[1:] == [
        "     0  1 is 1.1 serves, members 1 2, port open, lag 2:1, needs a view: the story asks for it",
        "          pending 'k'='v' 1:+0@1 from nothing",
    ]
