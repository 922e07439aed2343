"""The seam to replication: who is alone commits at once, as replication does in a view of one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.replicator import Alone, Replicator
from memrep.replication.frames import FrameStream
from memrep.replication.membership.state import ReplicaState
from memrep.replication.membership.view import View
from memrep.replication.observer import ReplicationObserver
from memrep.replication.rounds import Rounds
from memrep.storage.entry import NEVER, Entry
from memrep.storage.pending import PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, Version, logical
from tests.harness.engine_fixture import NOW, Rig
from tests.harness.lone_node import WALL


def _rounds(store: Store, clock: Clock, *members: int) -> Rounds:
    """Replication in a view of these members, this node being the first of three."""
    state = ReplicaState(1, 7, 3, view=View(vid=64, gen=1, members=dict.fromkeys(members, 7)), promised=64)
    stream = FrameStream(state)
    stream.reset()
    return Rounds(state, stream, store, PendingWrites(), clock, ReplicationObserver())


def _alone(store: Store, clock: Clock) -> Replicator:
    return Alone(store, clock)


def _in_a_view_of_one(store: Store, clock: Clock) -> Replicator:
    return _rounds(store, clock, 1)


def _entry(value: bytes | None) -> Entry:
    return Entry(ZERO, value, 0, NEVER)


each_that_is_alone = pytest.mark.parametrize("make", [_alone, _in_a_view_of_one])


@each_that_is_alone
@given(
    st.lists(st.tuples(st.binary(max_size=3) | st.none(), st.integers(0, 500), st.integers(-1 << 20, 1 << 20))),
    st.integers(0, 1 << 57),
)
def test_each_write_is_committed_at_once_and_stands_over_those_before_it_whatever_the_clocks_do(
    make: Callable[[Store, Clock], Replicator], writes: list[tuple[bytes | None, int, int]], seen: int
) -> None:
    store, clock = Store(1 << 20), Clock(1, NOW, WALL)
    carrier = make(store, clock)
    clock.observe_logical(seen)
    versions: list[Version] = []
    for value, ms, jump in writes:
        clock.turn(clock.now + ms, clock.wall + ms + jump)
        entry = _entry(value)
        assert carrier.commit(b"k", entry)
        assert store.peek(b"k") is entry
        versions.append(entry.version)
    assert all(one < next_ for one, next_ in pairwise(versions))
    assert all(logical(version) > seen for version in versions)


def test_where_others_must_hold_a_write_nothing_is_committed_before_its_round() -> None:
    """The engine asks for the round then, with the same entry."""
    store, clock = Store(1 << 20), Clock(1, NOW, WALL)
    carrier = _rounds(store, clock, 1, 2)
    entry = _entry(b"v")
    assert not carrier.commit(b"k", entry)
    assert (store.peek(b"k"), entry.version) == (None, ZERO)
    ticket = Future()
    carrier.propose(b"k", entry, None, ticket)
    assert entry.version > ZERO
    assert (store.peek(b"k"), ticket.settled) == (None, False)


@pytest.mark.parametrize(
    "command",
    [
        lambda engine: engine.set(b"a", 0, NEVER, b"2"),
        lambda engine: engine.add(b"b", 0, NEVER, b"2"),
        lambda engine: engine.cas(b"a", 0, NEVER, b"2", 1),
        lambda engine: engine.append(b"a", b"2"),
        lambda engine: engine.incr(b"a", 1),
        lambda engine: engine.touch(b"a", 10),
        lambda engine: engine.delete(b"a"),
        lambda engine: engine.flush.now(),
        lambda engine: engine.get(b"a"),
    ],
)
def test_to_who_is_alone_no_command_ever_hands_out_a_ticket(command: Callable[[Engine], object]) -> None:
    rig = Rig().holding(b"1")
    assert not isinstance(command(rig.engine), Future)
    assert not rig.writes.pending
