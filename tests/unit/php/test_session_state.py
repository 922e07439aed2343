"""What a node's entries tell of a session and its lock, with what is still on its way."""

from __future__ import annotations

import pytest

from memrep.engine.keyspace import Keyspace
from memrep.engine.replicator import Alone
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import PECL_FLAGS
from memrep.php.options import PhpOptions
from memrep.php.session_state import SessionState
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.pending import Pending, PendingWrites
from memrep.storage.store import Store
from memrep.storage.version import ZERO, Clock
from tests.harness.lone_node import WALL

NOW = 1_000_000
SPAN = 15_000

SID, LOCK = b"s", b"s.lock"
SHOPS, SHOPS_LOCK = b"shop.s", b"shop.lock.s"


class World:
    """The entries of one node, and what is on its way to it."""

    def __init__(self) -> None:
        self.clock = Clock(1, NOW, WALL)
        index = self.index = LockIndex()
        self.store = Store(1 << 20, owned=index)
        self.writes = PendingWrites()
        keyspace = Keyspace(self.store, self.writes, Alone(self.store, self.clock), self.clock)
        self.sessions = SessionState(keyspace, index, PhpOptions())

    def entry(
        self, value: bytes | None, *, owner: Owner | None = None, flags: int = 0, ends: int = NEVER
    ) -> Entry:
        return Entry(self.clock.stamp(1), value, flags, ends, 0, owner)

    def lock(self, value: bytes | None = b"1", *, maybe: bool = False) -> Entry:
        return self.entry(value, owner=Owner(2, SPAN, maybe), flags=PECL_FLAGS, ends=NOW + SPAN)

    def put(self, key: bytes, entry: Entry) -> Entry:
        self.store.put(key, entry, self.clock.now)
        return entry

    def coming(self, key: bytes, entry: Entry) -> Entry:
        self.writes.pending[key] = Pending(entry, None, None)
        return entry


# --- the lock of a session


def test_the_lock_of_a_session_follows_from_its_name() -> None:
    sessions = World().sessions
    assert sessions.lock_of(SID) == LOCK
    assert sessions.lock_of(b"memc.sess.key.s") == b"memc.sess.key.lock.s"


def test_under_an_undeclared_prefix_only_a_lock_that_was_taken_tells_of_its_session() -> None:
    world = World()
    assert world.sessions.lock_of(SHOPS) == SHOPS + b".lock"
    world.put(SHOPS_LOCK, world.lock(maybe=True))
    assert world.sessions.lock_of(SHOPS) == SHOPS_LOCK


def test_under_an_undeclared_prefix_a_lock_that_is_on_its_way_tells_of_its_session_too() -> None:
    world = World()
    world.index.proposed(SHOPS_LOCK, world.lock(maybe=True))
    assert world.sessions.lock_of(SHOPS) == SHOPS_LOCK
    assert not world.sessions.may_be_session(SHOPS_LOCK), "what has been given up guards nothing"
    world.coming(SHOPS_LOCK, world.lock(maybe=True))
    assert world.sessions.may_be_session(SHOPS_LOCK)


# --- whether it is a session at all


def test_where_no_lock_was_ever_taken_there_is_no_session() -> None:
    assert not World().sessions.may_be_session(LOCK)


def test_a_number_of_the_same_name_is_no_lock() -> None:
    world = World()
    world.put(LOCK, world.entry(b"1", flags=PECL_FLAGS))
    assert not world.sessions.may_be_session(LOCK)


@pytest.mark.parametrize("value", [b"1", b"0", None], ids=["held", "released", "deleted"])
@pytest.mark.parametrize("way", ["put", "coming"])
def test_whatever_is_left_of_a_lock_tells_that_there_is_a_session_be_it_only_on_its_way(
    value: bytes | None, way: str
) -> None:
    world = World()
    getattr(world, way)(LOCK, world.lock(value))
    assert world.sessions.may_be_session(LOCK)


# --- in whose tenure


def test_nobody_has_a_tenure_where_the_lock_is_free_or_gone() -> None:
    world = World()
    assert world.sessions.tenure(LOCK) == (0, None)
    world.put(LOCK, world.lock(b"0"))
    assert world.sessions.tenure(LOCK) == (0, None)
    world.put(LOCK, world.lock(b"1"))
    world.clock.turn(NOW + SPAN, WALL + SPAN)
    assert world.sessions.tenure(LOCK) == (0, None)


def test_a_grant_on_its_way_has_the_tenure_before_the_one_that_is_here() -> None:
    world = World()
    here = world.put(LOCK, world.lock())
    assert world.sessions.tenure(LOCK) == (here.cas_unique, here.owner)
    coming = world.coming(LOCK, world.lock())
    assert world.sessions.tenure(LOCK) == (coming.cas_unique, coming.owner)


def test_while_a_release_is_on_its_way_the_tenure_is_that_of_the_grant() -> None:
    world = World()
    here = world.put(LOCK, world.lock())
    world.coming(LOCK, world.lock(b"0"))
    assert world.sessions.tenure(LOCK) == (here.cas_unique, here.owner)


def test_of_a_released_lock_the_last_change_is_known_even_if_it_was_deleted() -> None:
    world = World()
    assert world.sessions.last_change(LOCK) == 0
    deleted = world.put(LOCK, world.lock(None))
    assert world.sessions.last_change(LOCK) == deleted.cas_unique


# --- what a session is


def test_a_session_shows_its_value_and_flags_and_nothing_else() -> None:
    world = World()
    world.put(SID, world.entry(b"x", flags=2))
    assert world.sessions.shows(SID, 2, b"x")
    assert not world.sessions.shows(SID, 0, b"x")
    assert not world.sessions.shows(SID, 2, b"y")
    assert not world.sessions.shows(SID, 2, None)


@pytest.mark.parametrize("left", ["nothing", "a tombstone", "what has run out"])
def test_no_session_is_shown_as_none(left: str) -> None:
    world = World()
    if left == "a tombstone":
        world.put(SID, world.entry(None))
    elif left == "what has run out":
        world.put(SID, world.entry(b"x", ends=NOW + 1))
        world.clock.turn(NOW + 1, WALL + 1)
    assert world.sessions.shows(SID, 0, None)
    assert not world.sessions.shows(SID, 0, b"x")


def test_nothing_is_certain_of_a_session_that_is_being_written() -> None:
    world = World()
    world.put(SID, world.entry(b"x"))
    world.coming(SID, world.entry(b"x"))
    assert not world.sessions.shows(SID, 0, b"x")


# --- whether an incr may take a lock


@pytest.mark.parametrize(("value", "takes"), [(b"0", True), (b"1", False)])
def test_an_incr_takes_a_free_lock_of_pecls(value: bytes, takes: bool) -> None:
    world = World()
    world.put(LOCK, world.lock(value))
    assert world.sessions.may_grant(LOCK, None) is takes


def test_an_incr_takes_no_number_that_pecl_has_not_stored() -> None:
    world = World()
    world.put(LOCK, world.entry(b"0"))
    assert not world.sessions.may_grant(LOCK, None)


@pytest.mark.parametrize(("initial", "takes"), [(None, False), (b"1", True), (b"0", False)])
def test_where_there_is_no_lock_an_incr_takes_what_it_makes(initial: bytes | None, takes: bool) -> None:
    made = None if initial is None else Entry(ZERO, initial, 0, NOW + SPAN)
    assert World().sessions.may_grant(LOCK, made) is takes


def test_what_is_on_its_way_to_a_lock_may_free_it() -> None:
    world = World()
    world.put(LOCK, world.lock())
    world.coming(LOCK, world.lock(b"0"))
    assert world.sessions.may_grant(LOCK, None)
