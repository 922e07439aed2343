"""Signs of life: an end that is proved needs a view at once, a missed node that is heard stops this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import pytest

from memrep.replication.frames import FrameStream
from memrep.replication.heartbeat import Heartbeats
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer_process import Liveness
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.membership.view_change import ViewChange
from memrep.replication.message import Heartbeat, Install, Propose, Relay, Vote
from memrep.replication.observer import ReplicationObserver
from memrep.replication.signs_of_life import SignsOfLife
from memrep.storage.entry import NEVER
from memrep.storage.version import ZERO, Clock

VID = 64
NOW = 10_000


class _Clients(ReplicationObserver):
    """Who has to know how often it turned out that clients may be waiting at a node that was cut off."""

    def __init__(self) -> None:
        self.told = 0

    def out_of_touch(self) -> None:
        self.told += 1


class _Node:
    """Node 1 of three, full, in a view with the others, whose leases it holds."""

    def __init__(self) -> None:
        view = View(vid=VID, gen=1, members={1: 7, 2: 7, 3: 7}, full=frozenset([1, 2, 3]), quorate=True)
        self.state = ReplicaState(1, 7, 3, view=view, promised=VID, full=True)
        self.clock = Clock(1, NOW, NOW)
        self.membership = Membership(["web1", "web2", "web3"], self.state, Timing(), self.clock)
        self.detector = self.membership.detector
        self.sent: list[object] = []
        self.clients = _Clients()
        self.heartbeats = Heartbeats(self.membership, FrameStream(self.state), lambda *sent: None)
        self.leases = Leases(self.state, self.detector, Timing())
        view_change = ViewChange(
            self.membership, self.vote, lambda node, message: self.sent.append(message), self.sent.append
        )
        self.signs = SignsOfLife(self.membership, self.leases, view_change, self.heartbeats, self.clients)
        for node, peer in self.detector.peers.items():
            peer.opened_link(7, NOW)
            self.detector.heard(node, NOW)
            peer.took(Heartbeat(VID, VID, True, "", False, 0, 0, 0, 0, 0b10, 0b10), NOW, NOW, 1)
            peer.stands_in(VID)
            peer.grant_lease(NOW + 400)
        self.leases.weigh()
        self.heartbeats.take()

    def vote(self, vid: int) -> Vote:
        return Vote(vid, 1, VID, True, [], 0, ZERO, 0)

    def after(self, ms: int) -> None:
        self.clock.turn(self.clock.now + ms, self.clock.wall + ms)

    def is_alone(self, before: Mapping[int, int] = MappingProxyType({1: 7, 2: 7, 3: 7})) -> None:
        """The others of the view before have fallen silent, and there is one without them."""
        self.after(700)
        self.state.install(Install(2 * VID, 1, {1: 7}, [1], False, [], ZERO))
        self.detector.installed(self.clock.now, before)
        self.leases.weigh()

    @property
    def asked(self) -> list[set[int]]:
        """The members of the views that it has proposed."""
        return [set(message.members) for message in self.sent if isinstance(message, Propose)]

    def liveness(self, node: int) -> Liveness:
        return self.detector.peers[node].process.liveness


# --- an end


@pytest.mark.parametrize("port_first", [True, False])
def test_a_peer_is_gone_when_its_link_is_closed_and_its_port_refuses_in_whichever_order(
    port_first: bool,
) -> None:
    node = _Node()
    signs: list[Callable[[], None]] = [
        partial(node.signs.refused, 3, "connection refused"),
        partial(node.signs.unlinked, 3),
    ]
    first, second = signs if port_first else reversed(signs)
    first()
    assert (node.liveness(3), node.asked) == (Liveness.ALIVE, []), "a firewall may break one of two links"
    second()
    assert node.liveness(3) is Liveness.GONE
    assert node.asked == [{1, 2}], "a view without it is asked for in this very turn"


def test_a_link_that_opens_again_takes_the_refusal_back() -> None:
    node = _Node()
    node.signs.refused(3, "connection refused")
    node.signs.dialled(3)
    node.signs.unlinked(3)
    assert (node.liveness(3), node.asked) == (Liveness.ALIVE, [])


def test_a_goodbye_needs_a_view_once_however_often_it_is_said() -> None:
    node = _Node()
    node.signs.took_leave(node.detector.peers[3])
    ended = node.detector.peers[3].process.gone_at
    node.after(50)
    node.signs.took_leave(node.detector.peers[3])
    assert node.asked == [{1, 2}]
    assert node.detector.peers[3].process.gone_at == ended


def test_a_lease_of_whose_process_has_ended_counts_no_more_in_the_same_turn() -> None:
    node = _Node()
    assert node.leases.serves_until == NOW + 400
    for number in (2, 3):
        node.signs.took_leave(node.detector.peers[number])
    assert node.leases.serves_until == 0


def test_a_refusal_that_is_seen_again_renews_a_death_and_that_nothing_answers_does_not() -> None:
    node = _Node()
    node.signs.took_leave(node.detector.peers[3])
    process = node.detector.peers[3].process
    node.after(100)
    node.signs.unreachable(3, "timed out")
    assert process.gone_at == NOW
    node.signs.unreachable(3, "connection refused", refuses=True)
    assert (process.gone_at, process.gone) == (NOW + 100, "it was stopped")


# --- a return


@pytest.mark.parametrize("sign", ["bytes", "link", "call", "relay"])
def test_the_first_sign_of_life_of_a_missed_node_stops_this_one_until_there_is_a_view(sign: str) -> None:
    node = _Node()
    node.is_alone()
    assert node.leases.serves_until == NEVER
    if sign == "bytes":
        node.signs.heard(3)
    elif sign == "link":
        node.signs.linked(3, 7)
    elif sign == "call":
        node.signs.called(3)
    else:
        assert node.signs.came_over_another(Relay(1, 3, 7, b"")) is node.detector.peers[3]
    assert node.state.met
    assert node.clients.told == 1, "who waits there may not hear of its end"
    assert node.leases.serves_until == 0
    assert node.state.view_change_reason == "web3 is heard again, and may have gone on"
    assert node.heartbeats.take() is not None, "it has to hear of this node soon"


@pytest.mark.parametrize("sign", ["link", "call", "relay"])
@pytest.mark.parametrize("other_is_missed", [True, False])
def test_who_was_dead_and_shows_life_may_have_met_those_that_are_missed(
    sign: str, other_is_missed: bool
) -> None:
    node = _Node()
    node.is_alone(before={1: 7, 2: 7})  # node 2 is silent, and missed
    node.detector.peers[3].process.closed_link()
    node.detector.ended(node.detector.peers[3], "it was stopped", node.clock.now - 50)
    if not other_is_missed:
        node.detector.ended(node.detector.peers[2], "it was stopped", node.clock.now)
    if sign == "link":
        node.signs.linked(3, 8)
    elif sign == "call":
        node.signs.called(3)
    else:
        assert node.signs.came_over_another(Relay(1, 3, 8, b"")) is node.detector.peers[3]
    assert node.state.met is other_is_missed, "a last survivor has nothing to fear from who starts anew"
    if sign != "call":  # by a call alone it is not known to live
        assert (3 in node.detector.missed.nodes) is other_is_missed


def test_a_call_of_a_peer_that_is_not_missed_is_no_sign_of_anything() -> None:
    node = _Node()
    node.after(50)
    node.signs.called(3)
    assert not node.state.met
    assert node.detector.peers[3].contact.heard == NOW


def test_what_comes_over_another_node_is_believed_of_no_former_process_and_of_no_stranger() -> None:
    node = _Node()
    for origin, inc in ((3, 6), (9, 7), (1, 7)):
        assert node.signs.came_over_another(Relay(1, origin, inc, b"")) is None


def test_who_has_spoken_since_the_votes_of_a_view_without_it_stops_this_node_when_it_begins() -> None:
    node = _Node()
    node.after(700)
    votes_at = node.clock.now
    node.after(10)
    node.signs.heard(3)
    assert not node.state.met, "no view is without it yet"
    node.state.install(Install(2 * VID, 1, {1: 7}, [1], False, [], ZERO))
    node.detector.installed(node.clock.now, {1: 7, 2: 7, 3: 7})
    node.signs.view_began(votes_at)
    assert node.state.met


def test_that_a_link_was_let_in_proves_a_life_while_it_stands_and_for_a_moment_after() -> None:
    node = _Node()
    process = node.detector.peers[3].process
    node.signs.let_in(3, stands=True)
    assert process.let_in == NEVER
    node.signs.let_in(3, stands=False)
    assert process.let_in == NOW + Timing().ignore
