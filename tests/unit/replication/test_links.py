"""Links: who calls is known by its greeting, the newest connection counts, and what came is taken in order."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from memrep.replication.handshake import NONCE_BYTES, Identity, Outgoing
from memrep.replication.links import Link, Links
from memrep.replication.membership.membership import Membership
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.message import Heartbeat
from memrep.replication.observer import ReplicationObserver
from memrep.replication.replica import Replica
from memrep.replication.wire import encode
from memrep.storage.entry import NEVER
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL

NOW = 10_000
NAMES = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
ONE = Identity(me=1, inc=11, nodes=NAMES)
TWO = Identity(me=2, inc=22, nodes=NAMES)


class _End:
    """Node 1's end of all links."""

    def __init__(self, spent: Callable[[], bool] = lambda: False) -> None:
        self.logged: list[str] = []
        self.clock = Clock(1, NOW, WALL)
        state = ReplicaState(ONE.me, ONE.inc, len(NAMES))
        self.replica = Replica(
            Membership(NAMES, state, Timing(), self.clock),
            Store(1 << 20),
            PendingWrites(),
            ReplicationObserver(),
            self.logged.append,
        )
        self.peer = self.replica.detector.peers[2]
        self.links = Links(ONE, self.replica, self.clock, bytes, self.logged.append, spent)

    def accept(self, host: str = "10.0.0.2") -> Link:
        return self.links.accept(f"{host}:40000")

    def greet(self, link: Link, behind: bytes = b"", caller: Identity = TWO) -> None:
        """Node 2 says who it is, and something behind that."""
        hello = Outgoing(caller, ONE.me, bytes(NONCE_BYTES)).receive(link.take())
        self.links.receive(link, hello + behind)


def _beat(at: int) -> bytes:
    return encode(Heartbeat(0, 0, False, "", False, at, 0, 0, 0, 0b10, 0b10))


def test_a_peer_is_linked_when_it_has_said_who_it_is_and_not_before() -> None:
    end = _End()
    link = end.accept()
    assert not end.peer.process.linked
    end.greet(link, _beat(1))
    assert (end.peer.process.linked, end.peer.process.inc) == (True, TWO.inc)
    assert end.peer.beat is not None
    end.links.closed(link)
    assert not end.peer.process.linked


def test_what_is_said_to_the_caller_is_said_once() -> None:
    link = _End().accept()
    assert link.take() != b""
    assert link.take() == b""


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\1\xc1", b"\xff" * 100])
def test_a_stranger_is_hung_up_on_and_complained_about_once(said: bytes) -> None:
    end = _End()
    for _ in range(3):
        link = end.accept("10.9.9.9")
        link.take()
        end.links.receive(link, said)
        assert link.closing
        assert link.take() != b"", "it hears why"
    (line,) = end.logged
    assert line == "turned away a node's link from 10.9.9.9: the greeting is not that of a memrep node"


def test_what_goes_wrong_with_a_peer_that_has_been_right_meanwhile_is_news_again() -> None:
    end = _End()
    for _ in range(2):
        end.links.receive(end.accept(), b"\xff" * 100)
        assert len(end.logged) == 1
    end.greet(end.accept())
    end.links.receive(end.accept(), b"\xff" * 100)
    assert len(end.logged) == 2


def test_a_peer_that_speaks_nonsense_loses_its_link_and_may_call_again() -> None:
    end = _End()
    link = end.accept()
    end.greet(link)
    assert end.peer.process.linked
    end.links.receive(link, b"\0\0\0\1\xc1")
    assert link.closing
    assert not end.peer.process.linked
    end.greet(end.accept(), _beat(2))
    assert end.peer.process.linked


def test_the_last_words_of_a_former_process_that_are_read_late_do_not_replace_its_successors_link() -> None:
    end = _End()
    former, latter = end.accept(), end.accept()
    end.greet(latter, _beat(1), attrs.evolve(TWO, inc=23))
    end.greet(former, _beat(2))
    assert (former.closing, latter.closing) == (True, False)
    end.links.closed(former)
    assert (end.peer.process.linked, end.peer.process.inc) == (True, 23)
    assert end.peer.beat is not None
    assert end.peer.beat.at == 1


def test_a_newer_connection_takes_the_place_of_the_one_before_and_its_end_is_no_end_of_the_peers() -> None:
    end = _End()
    former, latter = end.accept(), end.accept()
    end.greet(former)
    end.greet(latter)
    assert (former.closing, latter.closing) == (True, False)
    end.links.closed(former)
    assert end.peer.process.linked
    end.clock.turn(NOW + 100, WALL + 100)
    end.links.receive(former, _beat(1))
    assert (end.peer.beat, end.peer.contact.heard) == (None, NOW), "nobody listens to it any more"
    end.links.receive(latter, _beat(2))
    assert end.peer.beat is not None


def test_what_there_is_no_time_for_is_taken_later_in_its_order() -> None:
    end = _End(spent=lambda: True)
    link = end.accept()
    end.greet(link, _beat(1) + _beat(2) + _beat(3))
    taken = []
    while end.peer.beat is not None and link.unread:
        taken.append(end.peer.beat.at)
        end.links.go_on(link)
    assert [*taken, end.peer.beat and end.peer.beat.at] == [1, 2, 3]


def test_what_is_unread_of_a_link_that_was_replaced_is_never_taken() -> None:
    end = _End(spent=lambda: True)
    former, latter = end.accept(), end.accept()
    end.greet(former, _beat(1) + _beat(2))
    end.greet(latter, _beat(3), attrs.evolve(TWO, inc=23))
    end.links.go_on(former)
    assert not former.unread
    assert end.peer.beat is not None
    assert end.peer.beat.at == 3


@pytest.mark.parametrize("first", ["its link is closed", "its port refuses"])
def test_a_peer_is_gone_when_its_link_is_closed_and_its_port_refuses_and_not_before(
    first: str,
) -> None:
    """A firewall that answers with resets may break one of the two."""
    end = _End()
    link = end.accept()
    end.greet(link)
    acts = {
        "its link is closed": lambda: end.links.closed(link),
        "its port refuses": lambda: end.links.refused(2, "connection refused"),
    }
    acts.pop(first)()
    assert end.peer.process.gone == ""
    acts.popitem()[1]()
    assert end.peer.process.gone == "connection refused"


def test_who_has_let_this_node_in_is_known_to_live_while_that_link_stands_and_a_moment_longer() -> None:
    end = _End()
    end.links.let_in(2, stands=True)
    assert end.peer.process.let_in == NEVER
    end.links.let_in(2, stands=False)
    assert NOW < end.peer.process.let_in < NOW + 5_000
