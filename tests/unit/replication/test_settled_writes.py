"""Settled writes: what a view has decided is told when every member has it, not before, and once."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest

from memrep.replication.message import Install, Settled, describe
from memrep.replication.observer import ReplicationObserver
from memrep.replication.settled_writes import SettledWrites, Unfinished
from memrep.storage.entry import NEVER, Entry, RequestId
from memrep.storage.pending import Pending, PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock, Version, make

REQUEST: RequestId = (7, 1, 2)
ORIGIN, OTHER = make(1, 5), make(1, 6)
#: The version that the proposer has given to what it settled.
NEW = make(2, 9_999 << 20)


@attrs.define
class _Attempt:
    """Counts what it is told."""

    answered: int = 0
    lost: int = 0

    def committed(self) -> None:
        self.answered += 1

    def aborted(self) -> None:
        self.lost += 1


class _Listener(ReplicationObserver):
    def __init__(self) -> None:
        self.told: list[object] = []

    def accepted(self, key: bytes, request: RequestId) -> None:
        self.told.append((key, request))

    def yielded(self) -> None:
        self.told.append("yielded")


class _Member:
    """What node 1 of two has of a view."""

    def __init__(self) -> None:
        self.store = Store(64 << 20)
        self.writes = PendingWrites()
        self.clock = Clock(1, 1_000, 1_000)
        self.listener = _Listener()
        self.settled = SettledWrites(self.store, self.writes, self.clock, self.listener)

    def install(
        self,
        *origins: Version,
        keep: bool = True,
        cut: Iterable[Unfinished] = (),
        aborted: dict[Version, _Attempt] | None = None,
    ) -> None:
        """A view begins that has settled a write of `n` of each of these origins."""
        write = describe(b"n", Entry(NEW, b"1", 0, NEVER), None, False, 1_000, REQUEST)
        done = [Settled(write, origin) for origin in origins]
        view = Install(128, 2, {1: 1, 2: 2}, [1, 2], True, done, ZERO)
        self.settled.take_over(view, keep, away=[])
        self.settled.decide(cut, aborted or {}, view, keep)


def _own(attempt: _Attempt, *, plain: bool = False, key: bytes = b"n") -> Unfinished:
    return Unfinished(key, ORIGIN, plain, attempt)


def test_a_write_that_the_view_has_settled_is_answered_once_when_every_member_has_the_view() -> None:
    member, attempt = _Member(), _Attempt()
    member.install(ORIGIN, cut=[_own(attempt)])
    assert (attempt.answered, attempt.lost, len(member.settled)) == (0, 0, 1)
    member.settled.confirmed()
    member.settled.confirmed()
    assert (attempt.answered, attempt.lost, len(member.settled)) == (1, 0, 0)


def test_a_read_modify_write_that_the_view_has_not_settled_is_computed_again() -> None:
    """Also where another write of its key was settled: that was no base of its."""
    for origins in ((), (OTHER,)):
        member, attempt = _Member(), _Attempt()
        member.install(*origins, cut=[_own(attempt)])
        assert (attempt.answered, attempt.lost) == (0, 1)
        member.settled.confirmed()
        assert (attempt.answered, attempt.lost) == (0, 1)


def test_a_plain_write_that_a_settled_one_overwrote_took_place_and_is_answered() -> None:
    member, attempt = _Member(), _Attempt()
    member.install(OTHER, cut=[_own(attempt, plain=True)])
    member.settled.confirmed()
    assert (attempt.answered, attempt.lost) == (1, 0)


def test_a_plain_write_that_is_overtaken_in_the_store_took_place_and_one_that_nobody_has_did_not() -> None:
    member, over, lost = _Member(), _Attempt(), _Attempt()
    member.store.put(b"over", Entry(OTHER, b"2", 0, NEVER), 1_000)
    member.install(cut=[_own(over, plain=True, key=b"over"), _own(lost, plain=True, key=b"lost")])
    member.settled.confirmed()
    assert (over.answered, over.lost, lost.answered, lost.lost) == (1, 0, 0, 1)


@pytest.mark.parametrize(("origin", "answered"), [(ORIGIN, 1), (OTHER, 0)])
def test_an_aborted_write_that_a_view_has_settled_all_the_same_is_answered(
    origin: Version, answered: int
) -> None:
    member, attempt = _Member(), _Attempt()
    member.install(origin, aborted={ORIGIN: attempt})
    member.settled.confirmed()
    assert (attempt.answered, attempt.lost) == (answered, 0)


def test_a_node_whose_data_do_not_count_answers_nothing_and_shows_nothing_before_the_view_is_confirmed() -> (
    None
):
    member, attempt, aborted = _Member(), _Attempt(), _Attempt()
    member.install(ORIGIN, keep=False, cut=[_own(attempt)], aborted={ORIGIN: aborted})
    assert (attempt.answered, attempt.lost) == (0, 1)
    assert b"n" in member.writes.pending
    assert member.store.peek(b"n") is None
    member.settled.confirmed()
    assert member.writes.pending == {}
    entry = member.store.peek(b"n")
    assert entry is not None
    assert (entry.version, entry.value) == (NEW, b"1")
    assert (attempt.answered, aborted.answered, aborted.lost) == (0, 0, 0)


def test_what_has_displaced_a_settled_write_meanwhile_stays() -> None:
    member = _Member()
    member.install(ORIGIN, keep=False)
    newer = Pending(Entry(make(2, 10_000 << 20), b"2", 0, NEVER), None, None)
    member.writes.pending[b"n"] = newer
    member.settled.confirmed()
    assert member.writes.pending == {b"n": newer}
    assert member.store.peek(b"n") is None


def test_what_an_unconfirmed_view_left_unanswered_ends_with_one_in_which_this_nodes_data_do_not_count() -> None:
    member, attempt = _Member(), _Attempt()
    member.install(ORIGIN, cut=[_own(attempt)])
    member.install(keep=False)
    member.settled.confirmed()
    assert (attempt.answered, attempt.lost) == (0, 1)


def test_what_an_unconfirmed_view_left_unanswered_is_answered_in_the_next_one() -> None:
    member, attempt = _Member(), _Attempt()
    member.install(ORIGIN, cut=[_own(attempt)])
    member.install()
    member.settled.confirmed()
    assert (attempt.answered, attempt.lost) == (1, 0)


def test_the_clock_is_raised_above_what_was_settled_and_copies_of_it_are_known() -> None:
    member = _Member()
    member.install(ORIGIN)
    assert member.clock.stamp(2) > NEW
    assert member.listener.told == [(b"n", REQUEST)]
    member.install(keep=False)
    assert member.listener.told[1:] == ["yielded"]


def test_a_vote_carries_own_and_others_writes_with_their_bases_and_requests() -> None:
    member = _Member()
    member.writes.pending[b"a"] = Pending(Entry(ORIGIN, b"1", 3, NEVER), ZERO, _Attempt(), REQUEST)
    member.writes.pending[b"b"] = Pending(Entry(OTHER, None, 0, 1_500), None, None)
    one, other = member.settled.in_flight()
    assert (one.key, one.version, one.base, one.value, one.request_id) == (b"a", ORIGIN, ZERO, b"1", REQUEST)
    assert (other.key, other.version, other.base, other.value, other.ttl) == (b"b", OTHER, None, None, 500)
