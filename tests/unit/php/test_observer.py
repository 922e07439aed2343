"""What replication tells PHP's policy: whose writes will come again as copies, which locks may be nobody's."""

from __future__ import annotations

import pytest

from memrep.php.dedup import fingerprint_of
from memrep.php.lock_index import LockIndex
from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS, PECL_FLAGS
from memrep.php.observer import PhpObserver
from memrep.storage.entry import Entry, RequestId
from memrep.storage.owner import Owner
from memrep.storage.store import Store
from memrep.storage.version import Clock, milliseconds

NOW = 1_000_000

SESSION = b"s"
WRITTEN = fingerprint_of(0, 1440, b"v")
TENURE = 7

REQUEST: RequestId = (WRITTEN, 1, TENURE)


@pytest.fixture
def observer() -> PhpObserver:
    index = LockIndex()
    return PhpObserver(Store(1 << 20, owned=index), index, Clock(1, NOW, NOW))


def _lock(observer: PhpObserver, value: bytes = b"1", flags: int = PECL_FLAGS, *, node: int = 0) -> Entry:
    """A lock that somebody holds, or has released; nobody knows who, if no node is named."""
    entry = Entry(observer.clock.stamp(1), value, flags, NOW + 15_000, 0, Owner(node, 15_000))
    observer.store.put(b"s.lock", entry, NOW)
    return entry


def test_a_write_that_another_node_has_accepted_is_known_when_its_copy_comes_and_only_once(
    observer: PhpObserver,
) -> None:
    assert observer.duplicates.tenure_of(SESSION, WRITTEN) == 0
    observer.accepted(SESSION, REQUEST)
    assert observer.duplicates.tenure_of(SESSION, WRITTEN) == TENURE
    observer.duplicates.came(SESSION, WRITTEN, TENURE)
    assert observer.duplicates.tenure_of(SESSION, WRITTEN) == 0


def test_who_has_given_way_to_another_side_takes_nothing_for_a_copy(observer: PhpObserver) -> None:
    """What was written on its own side is gone: the same write has to be executed now."""
    observer.accepted(SESSION, REQUEST)
    observer.yielded()
    assert observer.duplicates.tenure_of(SESSION, WRITTEN) == 0
    assert not observer.duplicates.is_written(SESSION, TENURE)


@pytest.mark.parametrize(("heard_after_ms", "in_doubt"), [(-1, True), (0, True), (1, False)])
def test_a_grant_is_in_doubt_unless_its_node_was_heard_after_it(
    observer: PhpObserver, heard_after_ms: int, in_doubt: bool
) -> None:
    entry = _lock(observer, node=2)
    disowned = observer.store.disown([2])
    observer.owners_lost(disowned, {2: milliseconds(entry.version) + heard_after_ms}, (), ())
    assert (b"s.lock" in observer.uncertain.ends) is in_doubt


@pytest.mark.parametrize(("value", "in_doubt"), [(b"1", True), (b"0", False)])
def test_a_lock_that_was_in_flight_is_in_doubt_if_it_is_held(
    observer: PhpObserver, value: bytes, in_doubt: bool
) -> None:
    entry = _lock(observer, value)
    observer.settled_for_lost(b"s.lock", entry, ())
    assert (b"s.lock" in observer.uncertain.ends) is in_doubt


@pytest.mark.parametrize(("flags", "span"), [(PECL_FLAGS, ORPHAN_MS), (0, PATIENT_MS)])
def test_who_is_away_prolongs_the_doubt_about_a_lock_in_flight_if_php_may_be_waiting_there(
    observer: PhpObserver, flags: int, span: int
) -> None:
    entry = _lock(observer, flags=flags)
    observer.settled_for_lost(b"s.lock", entry, [3])
    assert observer.uncertain.ends == {b"s.lock": (entry.cas_unique, NOW + span)}


def test_to_be_out_of_touch_raises_no_doubts(observer: PhpObserver) -> None:
    _lock(observer, flags=0)
    observer.out_of_touch()
    assert observer.uncertain.ends == {}
