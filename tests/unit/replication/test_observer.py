"""What replication tells: each thing once, after the store has been changed, and by default to nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.timing import Timing
from memrep.replication.message import Frame, Install, Settled, describe
from memrep.replication.observer import Disowned, ReplicationObserver
from memrep.replication.replica import Replica
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.owner import Owner
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, make
from tests.harness.lone_node import WALL

NOW = 10_000
VID = 64
NAMES = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
MINE, THEIRS = Owner(1, 15_000), Owner(3, 15_000)
REQUEST: RequestId = (1, 2, 3)


class _Listener(ReplicationObserver):
    """Writes down what it is told, and whose the entry of "k" was in the store by then."""

    def __init__(self, store: Store) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.owner: Owner | None = None
        self._store = store

    def accepted(self, key: bytes, request: RequestId) -> None:
        self.heard.append(("accepted", key, request))

    def owners_lost(
        self, disowned: Disowned, lost: Mapping[int, int], silent: Collection[int], away: Collection[int]
    ) -> None:
        self._look()
        owners = [(key, owner) for key, _, owner in disowned]
        self.heard.append(("owners lost", owners, lost, list(silent), list(away)))

    def settled_for_lost(self, key: bytes, entry: Entry, away: Collection[int]) -> None:
        self._look()
        assert self._store.peek(key) is entry
        self.heard.append(("settled for lost", key, list(away)))

    def out_of_touch(self) -> None:
        self.heard.append(("out of touch",))

    def yielded(self) -> None:
        self.heard.append(("yielded",))

    def _look(self) -> None:
        entry = self._store.peek(b"k")
        self.owner = None if entry is None else entry.owner


class _Node:
    """Node 1 of three in a view with the others; it is told by the listener what replication tells."""

    def __init__(self, observer: ReplicationObserver | None = None) -> None:
        self.store = Store(1 << 20)
        self.writes = PendingWrites()
        self.listener = _Listener(self.store)
        self.replica = Replica(
            NAMES,
            ReplicaState(1, 7, 3),
            self.store,
            self.writes,
            Clock(1, NOW, WALL),
            observer or self.listener,
            Timing(),
            lambda line: None,
        )
        self.install(_view(VID))

    def install(self, view: Install) -> None:
        self.replica.receive(2, view)
        list(self.replica.take())

    @property
    def heard(self) -> list[tuple[object, ...]]:
        return self.listener.heard


def _view(
    vid: int,
    *settled: Settled,
    members: tuple[int, ...] = (1, 2, 3),
    full: tuple[int, ...] | None = None,
    lost: dict[int, int] | None = None,
    silent: tuple[int, ...] = (),
) -> Install:
    return Install(
        vid,
        1,
        dict.fromkeys(members, 7),
        list(members if full is None else full),
        True,
        list(settled),
        ZERO,
        lost=lost or {},
        silent=list(silent),
    )


def _entry(owner: Owner | None = None, number: int = 1) -> Entry:
    return Entry(make(1, number), b"v", 0, NEVER, 0, owner)


def _in_flight(owner: Owner | None) -> Settled:
    return Settled(describe(b"k", _entry(owner, 99), None, False, NOW), make(1, 9))


def test_a_write_of_another_node_is_told_when_it_is_accepted_and_not_again_when_it_is_committed() -> None:
    node = _Node()
    node.replica.receive(2, Frame(VID, 1, [describe(b"k", _entry(), None, False, NOW, REQUEST)]))
    assert node.heard == [("accepted", b"k", REQUEST)]
    assert node.writes.pending[b"k"].request_id == REQUEST, "and it is known to whoever settles it"


def test_of_writes_without_a_request_and_of_this_nodes_own_nothing_is_told() -> None:
    node = _Node()

    class _Deaf:
        def committed(self) -> None: ...
        def aborted(self) -> None: ...

    node.replica.receive(2, Frame(VID, 1, [describe(b"k", _entry(), None, False, NOW)]))
    node.replica.rounds.propose(b"mine", _entry(), None, _Deaf(), REQUEST)
    assert node.heard == []


@pytest.mark.parametrize("members", [(1, 2), (1, 2, 3)])
def test_who_has_lost_its_clients_owns_nothing_any_more_when_that_is_told(members: tuple[int, ...]) -> None:
    node = _Node()
    node.store.put(b"k", _entry(THEIRS), NOW)
    node.store.put(b"mine", _entry(MINE), NOW)
    node.install(_view(2 * VID, members=members, lost={3: 1_000}, silent=(3,)))
    away = [] if 3 in members else [3]
    assert [one for one in node.heard if one[0] == "owners lost"] == [
        ("owners lost", [(b"k", THEIRS)], {3: 1_000}, [3], away)
    ]
    assert node.listener.owner == Owner(0, 15_000)
    assert node.heard.count(("out of touch",)) == len(away)


@pytest.mark.parametrize(
    ("owner", "full", "told"),
    [
        (THEIRS, (1, 2), True),  # it is no member any more
        (Owner(2, 15_000), (1, 2), False),
        (None, (1, 2), False),
        (Owner(2, 15_000), (1,), True),  # its data did not count: it has hung up on its clients
    ],
)
def test_a_settled_write_whose_owner_has_lost_its_clients_is_told_of_as_nobodys(
    owner: Owner | None, full: tuple[int, ...], told: bool
) -> None:
    node = _Node()
    node.install(_view(2 * VID, _in_flight(owner), members=(1, 2), full=full))
    assert node.heard == [("settled for lost", b"k", [])] * told
    entry = node.store.peek(b"k")
    assert entry is not None
    assert entry.owner == (Owner(0, 15_000) if told else owner)


def test_whose_data_give_way_is_told_so_and_of_no_settled_write() -> None:
    node = _Node()
    node.install(_view(2 * VID, _in_flight(THEIRS), members=(1, 2), full=(2,)))
    assert node.heard == [("yielded",)]


def test_that_this_node_was_stopped_is_told_at_once() -> None:
    node = _Node()
    node.replica.was_stopped(700)
    assert node.heard == [("out of touch",)]


def test_a_view_in_which_everybody_stays_tells_nothing() -> None:
    node = _Node()
    node.install(_view(2 * VID))
    assert node.heard == []


def test_who_takes_no_interest_changes_nothing_of_what_replication_does() -> None:
    nodes = [_Node(), _Node(ReplicationObserver())]
    for node in nodes:
        node.store.put(b"k", _entry(THEIRS), NOW)
        node.replica.receive(2, Frame(VID, 1, [describe(b"j", _entry(number=5), None, False, NOW, REQUEST)]))
        node.install(_view(2 * VID, _in_flight(THEIRS), members=(1, 2), lost={3: 1_000}, silent=(3,)))
        node.replica.was_stopped(700)
        node.install(_view(3 * VID, members=(1, 2), full=(2,)))
    told, untold = ({key: node.store.peek(key) for key in (b"j", b"k")} for node in nodes)
    assert told == untold
    everything = {"accepted", "owners lost", "settled for lost", "out of touch", "yielded"}
    assert {one[0] for one in nodes[0].heard} == everything
