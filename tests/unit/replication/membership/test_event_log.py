"""The log of membership: each change of a peer, once and with its reason; of a view who came, went, or why."""

from __future__ import annotations

from memrep.replication.membership.event_log import MembershipLog
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.membership.view import View
from memrep.replication.membership.view_id import make_vid
from memrep.replication.message import Heartbeat
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL

NOW = 10_000
VID = make_vid(9, 1)


def _view(
    *members: int, vid: int = VID, incs: dict[int, int] | None = None, full: tuple[int, ...] = ()
) -> View:
    """Of three nodes, all of which hold everything if it is not said who does."""
    return View(
        vid=vid,
        gen=9,
        members=dict.fromkeys(members, 7) | (incs or {}),
        full=frozenset(full or members),
        quorate=len(members) > 1,
    )


class _Told:
    """What node 1 of web1 to web3 tells, or of fewer."""

    def __init__(self, view: View, *, count: int = 3, full: bool = True) -> None:
        names = [f"web{n}" for n in range(1, count + 1)]
        self.lines: list[str] = []
        self.clock = Clock(1, NOW, WALL)
        self.state = ReplicaState(1, 7, count, view=view, promised=view.vid, full=full)
        membership = Membership(names, self.state, Timing(), self.clock)
        self.detector = membership.detector
        self.log = MembershipLog(membership, self.lines.append)

    def hears(self, node: int, reason: str = "", *, full: bool = True, inc: int = 7) -> None:
        peer = self.detector.peers[node]
        peer.opened_link(inc, self.clock.now)
        self.detector.heard(node, self.clock.now)
        peer.took(Heartbeat(VID, VID, full, reason, False, 0, 0, 0, WALL, 0b10, 0b10), self.clock.now, WALL, 1)

    def installs(
        self, before: View, troubles: list[str], *, was_full: bool = True, brought: int = 0
    ) -> list[str]:
        self.log.installed(before, was_full, troubles, brought)
        return self.lines

    def reports(self) -> list[str]:
        """What is told now and was not before."""
        self.lines.clear()
        self.log.report()
        return self.lines.copy()


# --- peers


def test_each_change_of_a_peer_is_told_once_with_its_reason_from_its_start_to_its_end() -> None:
    told = _Told(_view(1, 3))
    two = told.detector.peers[2]
    told.hears(3)
    assert told.reports() == ["web3 is serving"]
    assert told.reports() == [], "and of a peer that was down and still is nothing is told"
    two.opened_link(7, NOW)
    told.detector.heard(2, NOW)
    assert told.reports() == ["web2 is starting"]
    told.state.view = _view(1, 2, 3)
    assert told.reports() == ["web2 is joining: it fetches what it lacks"]
    told.hears(2, full=False)
    assert told.reports() == []
    told.hears(2)
    assert told.reports() == ["web2 is serving"]
    told.clock.turn(NOW + 700, WALL + 700)
    told.hears(3)
    assert told.reports() == ["web2 is silent: nothing heard for 700 ms"]
    told.clock.turn(NOW + 800, WALL + 800)
    assert told.reports() == [], "a longer silence is no news"
    two.ended("its port refuses", NOW + 800)
    assert told.reports() == ["web2 is down: its port refuses"]


def test_a_member_that_has_restarted_is_starting_until_it_is_in_a_view() -> None:
    told = _Told(_view(1, 2, 3))
    told.hears(3)
    told.hears(2, inc=8)
    assert told.reports() == ["web2 is starting", "web3 is serving"]
    told.state.view = _view(1, 2, 3, incs={2: 8})
    assert told.reports() == ["web2 is serving"]


def test_since_when_a_peer_has_been_as_it_is_can_be_asked_for() -> None:
    told = _Told(_view(1, 2, 3))
    told.hears(2)
    told.log.report()
    told.clock.turn(NOW + 300, WALL + 300)
    told.log.report()
    two = told.detector.peers[2]
    assert (two.state, two.since) == ("serving", NOW)


# --- views


def test_a_view_is_told_with_those_who_came_and_went_and_the_node_itself_is_neither() -> None:
    told = _Told(_view(1, 2))
    assert told.installs(_view(3, vid=64), ["a reason"]) == ["view 9: 2 of 3 nodes (joined: web2; left: web3)"]


def test_a_node_that_has_restarted_has_joined_and_not_left() -> None:
    told = _Told(_view(1, 2, 3, incs={2: 8}))
    assert told.installs(_view(1, 2, 3, vid=64), []) == ["view 9: 3 of 3 nodes (joined: web2)"]


def test_where_nobody_came_or_went_it_is_told_why_a_view_was_asked_for() -> None:
    troubles = ["it was stopped for 400 ms", "web2: it has closed its clients' connections"]
    assert _Told(_view(1, 2, 3)).installs(_view(1, 2, 3, vid=64), troubles) == [
        f"view 9: 3 of 3 nodes ({troubles[0]}; {troubles[1]})"
    ]
    assert _Told(_view(1, 2, 3)).installs(_view(1, 2, 3, vid=64), []) == ["view 9: 3 of 3 nodes"]


def test_a_view_without_a_majority_is_told_as_such() -> None:
    assert _Told(_view(1)).installs(_view(1, 2, vid=64), []) == [
        "view 9: 1 of 3 nodes, no majority (left: web2)"
    ]


def test_who_begins_without_somebody_is_warned_for_that_one_may_have_had_the_data() -> None:
    told = _Told(_view(1))
    told.hears(3)
    told.detector.peers[2].process.cannot_be_dialled("connection refused", refuses=True)
    lines = told.installs(View(), [], was_full=False)
    assert lines[1:] == [
        "begins with no data: this node had none",
        "begins without web2 (connection refused), web3 (it is not within reach);"
        " if it holds sessions they are not here",
    ]
    assert len(_Told(_view(1, 3)).installs(_view(1, vid=64), [])) == 1, "it has begun long ago"


def test_that_nobody_had_any_data_is_told_when_all_begin_and_never_again() -> None:
    assert _Told(_view(1, 2, 3)).installs(View(), [], was_full=False)[1:] == [
        "begins with no data: none of the 3 nodes had any"
    ]
    assert len(_Told(_view(1, 2, 3)).installs(_view(1, 2, vid=64), [])) == 1


def test_who_lacks_data_tells_from_whom_it_fetches_and_that_it_had_them_if_it_had() -> None:
    view = _view(1, 2, 3, full=(2, 3))
    newcomer, returned = _Told(view, full=False), _Told(view, full=False)
    assert newcomer.installs(View(), [], was_full=False)[1:] == ["fetches what it lacks from web2"]
    assert returned.installs(_view(1, vid=64), [])[1:] == [
        "lost touch with the others and closes its port; fetches what it lacks from web2"
    ]


def test_a_node_without_peers_says_nothing_of_views() -> None:
    assert _Told(_view(1), count=1).installs(View(), ["a reason"], was_full=False) == []


# --- why a view is asked for


def test_a_nodes_own_trouble_comes_first_then_that_of_those_it_hears() -> None:
    told = _Told(_view(1, 2, 3))
    told.hears(2)
    told.hears(3, "a frame was lost")
    assert told.log.troubles() == ["web3: a frame was lost"]
    told.state.need_view("it was stopped for 400 ms")
    assert told.log.troubles() == ["it was stopped for 400 ms", "web3: a frame was lost"]


def test_what_troubled_a_node_that_has_fallen_silent_is_no_reason_any_more() -> None:
    told = _Told(_view(1, 2, 3))
    told.hears(2, "a frame was lost")
    told.clock.turn(NOW + 600, WALL + 600)
    assert told.log.troubles() == []
