"""Lost clients: whose clients are gone is said for all nodes, and from when on that is in doubt."""

from __future__ import annotations

import attrs
import pytest

from memrep.replication.membership.lost_clients import UNCERTAIN_MS, lost_clients, still_living
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer_process import TOOK_LEAVE
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.message import Install
from memrep.storage.version import ZERO, Clock, make

VID = 64
#: Both of this node's clocks when the others were heard last; it has just stamped something.
HEARD = 1_000_000


def _membership() -> Membership:
    """Node 1 of three in a view with the others; it looks at the clock 600 ms after it has heard them."""
    view = View(vid=VID, gen=1, members={1: 7, 2: 7, 3: 7}, full=frozenset([1, 2, 3]), quorate=True)
    clock = Clock(1, HEARD - 1_000, HEARD - 1_000)
    state = ReplicaState(1, 7, 3, view=view, promised=VID, full=True)
    membership = Membership(["web1", "web2", "web3"], state, Timing(), clock)
    while clock.now < HEARD:
        clock.turn(clock.now + 50, clock.wall + 50)
        clock.stamp(1)
    for node, peer in membership.detector.peers.items():
        peer.opened_link(7, clock.now)
        membership.detector.heard(node, clock.now)
    for _ in range(12):
        clock.turn(clock.now + 50, clock.wall + 50)
        clock.stamp(1)
    return membership


def _view(*full: int, members: tuple[int, ...] | None = None, alone: tuple[int, ...] = ()) -> Install:
    return Install(2 * VID, 1, dict.fromkeys(members or full, 7), list(full), True, [], ZERO, alone=list(alone))


def test_where_all_stay_nobody_has_lost_its_clients() -> None:
    assert lost_clients(_view(1, 2, 3), _membership()) == {}


@pytest.mark.parametrize(
    "view",
    [
        _view(1, 2),  # it is left out
        _view(1, 2, members=(1, 2, 3)),  # it closes its port, for it lacks data
        _view(1, 2, 3, alone=(3,)),  # it says that it has closed its connections
    ],
)
def test_who_is_left_out_or_lacks_data_or_has_closed_its_connections_has_lost_its_clients(
    view: Install,
) -> None:
    assert list(lost_clients(view, _membership())) == [3]


def test_a_member_that_has_restarted_has_lost_the_clients_that_it_had() -> None:
    view = attrs.evolve(_membership().state.view, members={1: 7, 2: 8, 3: 7})
    install = Install(2 * VID, 1, dict(view.members), [1, 2, 3], True, [], ZERO)
    assert list(lost_clients(install, _membership())) == [2]


def test_what_a_node_said_shortly_before_it_was_heard_last_is_in_doubt_and_nothing_older() -> None:
    doubtful = lost_clients(_view(1, 2), _membership())[3]
    assert HEARD - UNCERTAIN_MS - 50 <= doubtful <= HEARD - UNCERTAIN_MS + 1


def test_of_a_node_that_took_its_leave_nothing_is_in_doubt() -> None:
    membership = _membership()
    membership.detector.peers[3].ended(TOOK_LEAVE, HEARD)
    assert lost_clients(_view(1, 2), membership)[3] == membership.clock.hybrid + 1


def test_a_node_whose_clock_is_behind_dates_the_doubt_by_what_it_had_seen() -> None:
    """Its own wall clock says nothing of what others have stamped."""
    membership = _membership()
    ahead = make(1, (membership.clock.wall + 3_600_000) << 20)
    membership.clock.observe(ahead)
    assert lost_clients(_view(1, 2), membership)[3] <= HEARD


def test_only_the_same_process_that_is_not_known_to_be_gone_may_live_on() -> None:
    membership = _membership()
    assert still_living([1, 2, 3], membership) == [2, 3]
    membership.detector.peers[2].ended("its port refuses", HEARD)
    membership.detector.peers[3].opened_link(8, HEARD)
    assert still_living([2, 3], membership) == []
