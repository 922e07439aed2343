"""PHP's habits at whole nodes: whose a lock is, what is a copy, what is new, and what is never said by half.

Requests are written as pecl-memcache sends them: "take the lock, or add it; read the session" in one go, later
the session and the release to each node, each over its own connection.
"""

from __future__ import annotations

import pytest

from memrep.php.lock_names import ORPHAN_MS
from memrep.php.options import PhpOptions
from memrep.php.policy import PhpPolicy
from memrep.replication.membership.timing import Timing
from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.harness.lone_node import lone_node

LOCK = b"s.lock"
SESSION = b"s"

#: The lock's timeout in these tests, s.
TIMEOUT_S = 15

ASK = b"incr s.lock 1\r\n"
ADD = b"add s.lock 768 15 1\r\n1\r\n"
READ = b"get s\r\n"
RELEASE = b"set s.lock 768 15 1\r\n0\r\n"

_DESTROY = b"delete s\r\ndelete s.lock\r\n"

#: The answers to one who gets a new lock for a session that does not exist.
GRANTED = b"NOT_FOUND\r\nSTORED\r\nVALUE s 0 0\r\n\r\nEND\r\n"


def _set(value: bytes, key: bytes = SESSION, exptime: int = 1440) -> bytes:
    return b"set %b 0 %d %d\r\n%b\r\n" % (key, exptime, len(value), value)


def _copy(value: bytes, exptime: int = 1440) -> bytes:
    """A write as it comes to every node but the one with the lock: the release is behind it."""
    return _set(value, exptime=exptime) + RELEASE


def _shown(value: bytes) -> bytes:
    return b"VALUE s 0 %d\r\n%b\r\nEND\r\n" % (len(value), value)


def _granted(cluster: Cluster, number: int, host: str = "") -> Client:
    """A client of this node that has just been granted the new lock."""
    client = cluster.client(number, host)
    assert client.send(ASK + ADD + READ) == GRANTED
    return client


def _values(cluster: Cluster, key: bytes = LOCK) -> set[bytes | None]:
    return {cluster.value(number, key) for number in cluster.nodes}


def _is_held(cluster: Cluster) -> bool:
    """Whether all nodes take the lock for held; they must agree."""
    held = {
        not node.store.is_miss(LOCK, cluster.now) and cluster.value(number, LOCK) != b"0"
        for number, node in cluster.nodes.items()
    }
    assert len(held) == 1
    return held.pop()


def _owners(cluster: Cluster) -> set[int]:
    """The node that each node believes the lock's owner is at; 0 for nobody."""
    holds = [node.store.values[LOCK].owner for node in cluster.nodes.values()]
    return {-1 if hold is None else hold.node for hold in holds}


# --- whose a lock is: released by its owner, by its owner's end, by its timeout


def test_the_owner_releases_its_lock_and_the_next_one_gets_it() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert not _is_held(cluster)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + _shown(b"")
    assert _is_held(cluster)


def test_the_end_of_the_owners_connection_releases_its_lock() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    owner.hang_up()
    assert not _is_held(cluster)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + _shown(b"")


def test_the_end_of_another_connection_does_not() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    for number in (1, 2):
        rival = cluster.client(number)
        rival.send(ASK + ADD + READ)
        rival.hang_up()
    assert _is_held(cluster)


def test_a_lock_ends_with_its_timeout() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert cluster.client(2).send(ASK + ADD + READ) == b"2\r\nNOT_STORED\r\nEND\r\n"
    cluster.advance(50)
    assert not _is_held(cluster)
    _granted(cluster, 2)


def test_who_lets_its_lock_time_out_does_not_release_its_successors_by_going() -> None:
    cluster = serving_cluster()
    late = _granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000)
    _granted(cluster, 2)
    late.hang_up()
    assert _is_held(cluster)


def test_who_lets_its_lock_time_out_does_not_release_its_successors_by_releasing() -> None:
    cluster = serving_cluster()
    late = _granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000)
    _granted(cluster, 2)
    assert late.send(RELEASE) == b"STORED\r\n"
    assert _is_held(cluster)


def test_the_full_timeout_starts_when_a_released_lock_is_taken() -> None:
    cluster = serving_cluster()
    assert _granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + _shown(b"")
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert _is_held(cluster)
    cluster.advance(50)
    assert not _is_held(cluster)


def test_the_full_timeout_starts_when_a_lock_is_taken_that_an_end_has_released() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    owner.hang_up()
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + _shown(b"")
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert _is_held(cluster)


def test_increments_of_a_held_lock_are_answered_and_change_nothing() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    before = [node.store.values[LOCK] for node in cluster.nodes.values()]
    rivals = [cluster.client(number) for number in (1, 2, 3)]
    for rival in rivals:
        assert [rival.send(ASK) for _ in range(3)] == [b"2\r\n"] * 3
    assert owner.send(b"incr s.lock 5\r\n") == b"6\r\n"
    assert [node.store.values[LOCK] for node in cluster.nodes.values()] == before


@pytest.mark.parametrize("number", [1, 2])
def test_a_release_by_another_connection_is_acknowledged_and_ignored(number: int) -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    stranger = cluster.client(number)
    assert stranger.send(RELEASE) == b"STORED\r\n"
    assert stranger.send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert _is_held(cluster)
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert not _is_held(cluster)


def test_a_late_release_does_not_prolong_the_life_of_a_released_lock() -> None:
    cluster = serving_cluster()
    assert _granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    before = [node.store.values[LOCK] for node in cluster.nodes.values()]
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert [node.store.values[LOCK] for node in cluster.nodes.values()] == before


def test_a_grant_to_a_client_that_went_meanwhile_is_released_at_once() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1))
    client = cluster.client(1)
    client.send(ASK + ADD + READ)
    client.hang_up()
    assert cluster.value(1, LOCK) is None
    cluster.release()
    cluster.advance(50)
    assert not _is_held(cluster)
    assert not any(node.replica.rounds.pending(LOCK) for node in cluster.nodes.values())


def test_a_lock_that_was_asked_for_and_given_up_before_it_was_free_is_not_taken() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    cluster.hold((3, 1))
    assert owner.send(RELEASE) == b""
    waits = cluster.client(2)
    assert waits.send(ASK + READ) == b""
    waits.hang_up()
    cluster.release()
    cluster.advance(50)
    assert not _is_held(cluster)


# --- the owner's node is gone


@pytest.mark.parametrize("written", [True, False])
def test_when_the_owners_node_is_gone_its_requests_release_counts_elsewhere(written: bool) -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    assert _is_held(cluster)
    assert _owners(cluster) == {0}
    elsewhere = cluster.client(2)
    assert elsewhere.send(_set(b"v") * written + RELEASE) == b"STORED\r\n" * (written + 1)
    assert not _is_held(cluster)


def test_when_the_owners_node_is_gone_an_earlier_requests_late_release_does_not_count() -> None:
    cluster = serving_cluster()
    first, copy = _granted(cluster, 1), cluster.client(2)
    assert first.send(_set(b"one")) == b"STORED\r\n"
    assert copy.send(_set(b"one")) == b""
    assert first.send(RELEASE) == b"STORED\r\n"
    second = cluster.client(1)
    assert second.send(ASK + READ) == b"1\r\n" + _shown(b"one")
    cluster.advance(100)
    cluster.kill(1)
    cluster.deliver()
    assert copy.send(RELEASE) == b"STORED\r\n" * 2
    assert _is_held(cluster)
    elsewhere = cluster.client(3)
    assert elsewhere.send(_set(b"two") + RELEASE) == b"STORED\r\n" * 2
    assert not _is_held(cluster)


def test_a_late_copys_stamp_is_that_of_the_write_so_the_release_behind_it_does_not_count_either() -> None:
    cluster = serving_cluster()
    first, copy = _granted(cluster, 1), cluster.client(2)
    assert first.send(_set(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + _shown(b"one")
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    assert copy.send(_set(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert _is_held(cluster)


def test_a_release_that_came_while_the_owners_node_was_dying_counts_when_it_is_gone() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.advance(500)
    elsewhere = cluster.client(2)
    assert elsewhere.send(_set(b"v") + RELEASE) == b"STORED\r\n" * 2
    assert _is_held(cluster)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert not _is_held(cluster)


def test_an_earlier_requests_release_is_not_remembered() -> None:
    cluster = serving_cluster()
    first, copy = _granted(cluster, 1), cluster.client(2)
    assert first.send(_set(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + _shown(b"one")
    cluster.advance(500)
    assert copy.send(_copy(b"one")) == b"STORED\r\n" * 2
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert _is_held(cluster)


def test_a_remembered_release_is_not_that_of_a_lock_taken_since() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + _shown(b"")
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert _is_held(cluster)


def test_a_grant_of_which_nobody_may_know_ends_after_a_second() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(ORPHAN_MS - 50)
    assert _is_held(cluster)
    cluster.advance(200)
    assert not _is_held(cluster)


def test_a_grant_that_was_on_its_way_when_its_node_died_ends_after_a_second() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1))
    cluster.client(1).send(ASK + ADD + READ)
    cluster.kill(1)
    cluster.deliver()
    assert _is_held(cluster)
    assert _owners(cluster) == {0}
    cluster.advance(ORPHAN_MS + 150)
    assert not _is_held(cluster)


def test_a_grant_that_must_have_been_told_outlives_its_node() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(TIMEOUT_S * 1000 - 600)
    assert _is_held(cluster)
    cluster.advance(100)
    assert not _is_held(cluster)


def test_a_released_lock_is_not_touched_by_the_death_of_its_last_owners_node() -> None:
    cluster = serving_cluster()
    assert _granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    before = [cluster.nodes[number].store.values[LOCK] for number in (2, 3)]
    cluster.kill(1)
    cluster.deliver()
    assert [node.store.values[LOCK] for node in cluster.nodes.values()] == before


def test_a_node_that_was_stopped_has_lost_its_clients_and_their_locks_are_nobodys() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    cluster.advance(500)
    cluster.freeze(1)
    cluster.advance(300)
    assert _owners(cluster) == {1}
    cluster.thaw(1)
    assert owner.closed
    cluster.advance(100)
    assert cluster.members(1) == [1, 2, 3]
    assert _is_held(cluster)
    assert _owners(cluster) == {0}
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert not _is_held(cluster)


def test_a_node_that_took_its_leave_has_told_of_every_grant() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    cluster.turn(1, lambda node: node.leave())
    cluster.deliver()
    cluster.kill(1)
    cluster.deliver()
    assert cluster.members(2) == [2, 3]
    assert _owners(cluster) == {0}
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert _is_held(cluster)
    cluster.advance(50)
    assert not _is_held(cluster)


def test_a_node_that_comes_back_from_the_lesser_side_has_lost_its_clients() -> None:
    cluster = serving_cluster()
    ways = [(3, 1), (3, 2), (1, 3), (2, 3)]
    cluster.hold(*ways)
    cluster.advance(1_000)
    assert cluster.members(3) == [3]
    cluster.client(3).insist(b"version\r\n")
    owner = _granted(cluster, 3)
    cluster.advance(500)
    for way in ways:
        cluster.lose(way)
    cluster.release()
    cluster.advance(1_000)
    assert cluster.members(1) == [1, 2, 3]
    assert owner.closed
    assert _is_held(cluster)
    assert _owners(cluster) == {0}
    assert cluster.client(1).send(RELEASE) == b"STORED\r\n"
    assert not _is_held(cluster)


def test_a_node_whose_port_had_to_close_for_want_of_a_majority_has_lost_its_clients() -> None:
    cluster = serving_cluster(strict=True)
    owner = _granted(cluster, 1)
    cluster.advance(500)
    ways = [(1, 2), (1, 3), (2, 1), (3, 1)]
    cluster.hold(*ways)
    cluster.advance(700)
    assert not cluster.nodes[1].open
    assert owner.closed
    cluster.release()
    cluster.advance(1_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _owners(cluster) == {0}
    assert _is_held(cluster)


def test_a_port_that_was_closed_for_a_moment_only_has_cost_the_locks_their_owners_all_the_same() -> None:
    cluster = serving_cluster(strict=True)
    owner = _granted(cluster, 1)
    cluster.hold((2, 1), (3, 1))
    while cluster.nodes[1].open:
        cluster.advance(50)
    assert owner.closed
    cluster.release()
    assert cluster.members(2) == [1, 2, 3]
    cluster.advance(200)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert _owners(cluster) == {0}


# --- other locks, other keys


SID = b"memc.sess.key.lock.abc"
_ADD_SID = b"add memc.sess.key.lock.abc 0 15 1\r\n1\r\n"
_DELETE_SID = b"delete memc.sess.key.lock.abc\r\n"


def test_php_memcacheds_lock_belongs_to_its_connection_too() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    assert owner.send(_ADD_SID) == b"STORED\r\n"
    for number in (1, 2, 3):
        stranger = cluster.client(number)
        assert stranger.send(_ADD_SID + _DELETE_SID) == b"NOT_STORED\r\nDELETED\r\n"
        stranger.hang_up()
    assert _values(cluster, SID) == {b"1"}
    assert owner.send(_DELETE_SID) == b"DELETED\r\n"
    assert _values(cluster, SID) == {None}
    assert owner.send(_DELETE_SID) == b"NOT_FOUND\r\n"


def test_the_end_of_the_connection_releases_php_memcacheds_lock() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    assert owner.send(_ADD_SID) == b"STORED\r\n"
    owner.hang_up()
    assert cluster.client(2).send(_ADD_SID) == b"STORED\r\n"


def test_which_prefixes_are_locks_can_be_told() -> None:
    cluster = serving_cluster(php_options=PhpOptions(prefixes=(b"shop.lock.",)))
    owner = cluster.client(1)
    assert owner.send(_ADD_SID + b"add shop.lock.abc 0 15 1\r\n1\r\n") == b"STORED\r\nSTORED\r\n"
    stranger = cluster.client(2)
    assert stranger.send(_DELETE_SID + b"delete shop.lock.abc\r\n") == b"DELETED\r\nDELETED\r\n"
    assert _values(cluster, SID) == {None}
    assert _values(cluster, b"shop.lock.abc") == {b"1"}


@pytest.mark.parametrize("key", [b"job", b"job.lock", b"lock.job", b"other.key.lock.job"])
def test_what_others_lock_with_add_keeps_memcacheds_plain_meaning(key: bytes) -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    add = b"add %b 0 15 1\r\n1\r\n" % key
    assert owner.send(add) == b"STORED\r\n"
    owner.hang_up()
    other = cluster.client(2)
    assert other.send(add) == b"NOT_STORED\r\n"
    assert other.send(b"incr %b 1\r\n" % key) == b"2\r\n"
    assert _values(cluster, key) == {b"2"}
    assert other.send(b"set %b 0 15 1\r\n0\r\n" % key) == b"STORED\r\n"
    assert _values(cluster, key) == {b"0"}
    assert other.send(b"delete %b\r\ndelete %b\r\n" % (key, key)) == b"DELETED\r\nNOT_FOUND\r\n"


def test_without_php_locks_and_copies_are_keys_like_any_other() -> None:
    cluster = serving_cluster(php_options=PhpOptions(on=False))
    owner = cluster.client(1)
    assert owner.send(ASK + ADD) == b"NOT_FOUND\r\nSTORED\r\n"
    assert owner.send(_set(b"one") + _set(b"two")) == b"STORED\r\n" * 2
    stranger = cluster.client(2)
    assert stranger.send(ASK) == b"2\r\n"
    assert stranger.send(_set(b"one")) == b"STORED\r\n"
    assert _values(cluster, SESSION) == {b"one"}
    assert stranger.send(RELEASE) == b"STORED\r\n"
    assert _values(cluster) == {b"0"}
    assert stranger.send(ASK) == b"1\r\n"
    owner.hang_up()
    stranger.hang_up()
    assert _values(cluster) == {b"1"}


# --- copies


def _two_requests(cluster: Cluster, first: bytes, second: bytes) -> None:
    """Two requests, one after the other, at node 1; their copies are still on their way."""
    owner = _granted(cluster, 1)
    assert owner.send(first + RELEASE) == b"STORED\r\n" * 2
    owner.hang_up()
    owner = cluster.client(1)
    assert owner.send(ASK + READ).startswith(b"1\r\n")
    assert owner.send(second + RELEASE) == b"STORED\r\n" * 2
    owner.hang_up()


def test_a_late_copy_of_a_set_is_answered_and_has_no_effect() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, _set(b"one"), _set(b"two"))
    for number in (2, 3):
        assert cluster.client(number).send(_copy(b"one")) == b"STORED\r\n" * 2
    assert _values(cluster, SESSION) == {b"two"}


def test_a_late_copy_of_a_delete_is_answered_and_has_no_effect() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert owner.send(_set(b"one") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    owner = cluster.client(1)
    assert owner.send(ASK + READ) == b"1\r\n" + _shown(b"")
    assert owner.send(_set(b"two") + RELEASE) == b"STORED\r\n" * 2
    for number in (2, 3):
        assert cluster.client(number).send(b"delete s\r\n" + RELEASE) == b"DELETED\r\nSTORED\r\n"
    assert _values(cluster, SESSION) == {b"two"}


def test_a_copy_of_a_delete_that_finds_nothing_says_so() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert owner.send(_set(b"one") + b"delete s\r\n") == b"STORED\r\nDELETED\r\n"
    assert cluster.client(2).send(_DESTROY) == b"NOT_FOUND\r\nDELETED\r\n"


def test_an_equal_write_of_a_later_request_is_executed_and_its_copies_are_known_in_turn() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, _set(b"one"), _set(b"two"))
    owner = cluster.client(1)
    owner.send(ASK + READ)
    assert owner.send(_set(b"one")) == b"STORED\r\n"
    assert _values(cluster, SESSION) == {b"one"}
    assert owner.send(_set(b"three") + RELEASE) == b"STORED\r\n" * 2
    late = cluster.client(2)
    for value in (b"one", b"two", b"one"):
        assert late.send(_copy(value)) == b"STORED\r\n" * 2
    assert _values(cluster, SESSION) == {b"three"}


def test_a_request_that_locks_at_another_node_may_write_what_was_written_before() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, _set(b"one"), _set(b"two"))
    owner = cluster.client(2)
    assert owner.send(ASK + READ) == b"1\r\n" + _shown(b"two")
    assert owner.send(_set(b"one")) == b"STORED\r\n"
    assert _values(cluster, SESSION) == {b"one"}


def test_a_copy_is_answered_only_after_the_write_that_it_is_a_copy_of() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    cluster.hold((3, 1))
    assert owner.send(_set(b"one")) == b""
    duplicates = [cluster.client(number) for number in (2, 3)]
    assert [copy.send(_copy(b"one")) for copy in duplicates] == [b"", b""]
    cluster.release()
    assert [client.take() for client in (owner, *duplicates)] == [b"STORED\r\n"] + [b"STORED\r\n" * 2] * 2
    assert _values(cluster, SESSION) == {b"one"}


def test_a_copy_is_answered_though_the_node_of_the_write_died() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    cluster.hold((3, 1))
    owner.send(_set(b"one"))
    copy = cluster.client(2)
    assert copy.send(_copy(b"one")) == b""
    cluster.kill(1)
    cluster.deliver()
    assert copy.take() == b"STORED\r\n" * 2
    assert _values(cluster, SESSION) == {b"one"}


def test_sets_of_keys_that_are_no_sessions_are_never_copies() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    for value in (b"one", b"two"):
        assert cluster.client(1).send(_set(value, b"page")) == b"STORED\r\n"
    assert cluster.client(2).send(_set(b"one", b"page")) == b"STORED\r\n"
    assert _values(cluster, b"page") == {b"one"}
    assert cluster.client(1).send(b"delete page\r\n") == b"DELETED\r\n"
    assert cluster.client(1).send(_set(b"two", b"page")) == b"STORED\r\n"
    assert cluster.client(2).send(b"delete page\r\n") == b"DELETED\r\n"
    assert _values(cluster, b"page") == {None}


def test_writes_of_what_lives_shortly_are_never_copies() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, _set(b"one", exptime=59), _set(b"two", exptime=59))
    assert cluster.client(2).send(_set(b"one", exptime=59)) == b"STORED\r\n"
    assert _values(cluster, SESSION) == {b"one"}


def test_writes_of_what_lives_for_ever_may_be_copies() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, _set(b"one", exptime=0), _set(b"two", exptime=0))
    assert cluster.client(2).send(_copy(b"one", 0)) == b"STORED\r\n" * 2
    assert _values(cluster, SESSION) == {b"two"}


def test_a_node_without_peers_takes_every_write_for_itself() -> None:
    client = lone_node().connect()
    assert client.receive(ASK + ADD + READ) == GRANTED
    for value in (b"one", b"two", b"one"):
        assert client.receive(_set(value)) == b"STORED\r\n"
        assert client.receive(READ) == _shown(value)


# --- the walk

_NOTHING = b"END\r\n"


def test_a_new_session_is_empty_to_who_begins_it_and_a_miss_to_everybody_else() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert owner.send(READ) == _NOTHING  # it knows that it has the lock; no session handler asks so late
    for number in cluster.nodes:
        assert cluster.client(number).send(READ) == _NOTHING
        assert cluster.client(number).send(ASK + ADD + READ).endswith(b"NOT_STORED\r\n" + _NOTHING)


def test_a_session_that_was_destroyed_is_new_again() -> None:
    cluster = serving_cluster()
    owner = _granted(cluster, 1)
    assert owner.send(_set(b"v") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    assert cluster.client(2).send(ASK + ADD + READ) == b"1\r\nNOT_STORED\r\n" + _shown(b"")


def test_a_new_session_is_empty_however_its_first_commands_are_cut() -> None:
    for pieces in ([ASK, ADD + READ], [ASK, ADD, READ], [ASK + ADD, READ], [ASK + ADD + READ[:3], READ[3:]]):
        client = serving_cluster().client(1)
        assert b"".join(client.send(piece) for piece in pieces) == GRANTED, pieces


@pytest.mark.parametrize("asks", [b"", ASK])
def test_who_waits_for_the_answers_between_its_commands_is_no_session_handler(asks: bytes) -> None:
    """As a site is that locks a job with the class Memcache: its lock outlives its connection."""
    cluster = serving_cluster()
    client = cluster.client(1)
    client.send(asks)
    client.send(ADD)
    cluster.advance(200)
    assert client.take().endswith(b"STORED\r\n") is bool(asks)
    assert client.send(READ) == _NOTHING
    client.hang_up()
    assert _is_held(cluster)
    assert cluster.client(2).send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert _values(cluster) == {None}


def test_only_a_lock_opens_the_session_of_its_own_name() -> None:
    client = serving_cluster().client(1)
    assert client.send(ASK + ADD + b"get t\r\n").endswith(b"STORED\r\nEND\r\n")


# --- all or nothing


def test_a_grant_is_withheld_until_the_session_is_shown() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(ASK) == b"NOT_FOUND\r\n"
    assert client.send(ADD) == b""
    assert _is_held(cluster)
    assert client.send(READ) == b"STORED\r\n" + _shown(b"")
    assert client.send(_set(b"v")) == b"STORED\r\n"


def test_who_has_to_wait_for_a_held_lock_is_told_so_at_once() -> None:
    cluster = serving_cluster()
    _granted(cluster, 1)
    assert cluster.client(2).send(ASK) == b"2\r\n"
    assert cluster.client(2).send(ADD) == b"NOT_STORED\r\n"


def test_php_memcacheds_lock_is_told_at_once_for_it_reads_later() -> None:
    assert serving_cluster().client(1).send(_ADD_SID) == b"STORED\r\n"


def test_who_does_not_read_on_is_told_after_a_moment() -> None:
    cluster = serving_cluster()
    telnet = cluster.client(1)
    assert telnet.send(ASK + ADD) == b"NOT_FOUND\r\n"
    cluster.advance(50)
    assert telnet.take() == b""
    cluster.advance(50)
    assert telnet.take() == b"STORED\r\n"
    assert telnet.send(READ) == b"END\r\n"


def _stuck() -> tuple[Cluster, Client]:
    """A client of node 1 that has the lock, but not the session: a write of that is on its way from node 3."""
    cluster = serving_cluster(timing=Timing(silence=10_000))
    client = cluster.client(1)
    assert client.send(ASK) == b"NOT_FOUND\r\n"
    cluster.hold((2, 3))
    cluster.client(3).send(_set(b"v"))
    assert client.send(ADD + READ) == b""
    cluster.hold((2, 1))
    assert cluster.value(1, LOCK) == b"1"
    return cluster, client


def test_a_grant_is_withheld_while_the_session_is_on_its_way() -> None:
    cluster, client = _stuck()
    cluster.advance(300)
    assert client.take() == b""
    cluster.release()
    assert client.take() == b"STORED\r\n" + _shown(b"v")


def test_a_connection_that_is_closed_before_the_session_is_shown_has_been_told_nothing() -> None:
    cluster, client = _stuck()
    cluster.advance(800)
    assert client.closed
    assert client.take() == b""
    cluster.release()
    cluster.advance(100)
    assert client.take() == b""
    assert not _is_held(cluster)


def test_a_node_that_was_stopped_says_nothing_of_what_it_withheld() -> None:
    cluster, client = _stuck()
    cluster.freeze(1)
    cluster.advance(300)
    cluster.thaw(1)
    assert client.closed
    assert client.take() == b""
    cluster.release()
    cluster.advance(100)
    assert client.take() == b""


def test_a_client_that_goes_before_the_session_is_shown_frees_the_lock() -> None:
    cluster, client = _stuck()
    client.hang_up()
    cluster.release()
    cluster.advance(50)
    assert client.take() == b""
    assert not _is_held(cluster)


# --- what was wrong once


def test_what_comes_over_the_connection_that_holds_php_memcacheds_lock_is_never_a_copy() -> None:
    cluster = serving_cluster()
    for number, value in ((1, b"one"), (2, b"two"), (2, b"one")):
        client = cluster.client(number)
        assert client.send(_ADD_SID + _set(value, b"memc.sess.key.abc")) == b"STORED\r\n" * 2
        assert client.send(_DELETE_SID) == b"DELETED\r\n"
    assert _values(cluster, b"memc.sess.key.abc") == {b"one"}


def test_a_delete_is_executed_though_copies_of_an_earlier_one_found_nothing_and_the_locks_node_died() -> None:
    cluster = serving_cluster()
    first = _granted(cluster, 1)
    assert first.send(_set(b"one") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    for number in (2, 3):
        assert cluster.client(number).send(b"delete s\r\n" + RELEASE) == b"NOT_FOUND\r\nSTORED\r\n"
    second = cluster.client(1)
    assert second.send(ASK + READ) == b"1\r\n" + _shown(b"")
    assert second.send(_set(b"two") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + _shown(b"two")
    cluster.kill(1)
    cluster.deliver()
    assert cluster.client(2).send(b"delete s\r\n") == b"DELETED\r\n"
    assert _values(cluster, SESSION) == {None}


def test_a_request_whose_connection_is_closed_for_lateness_keeps_its_lock_for_it_lives() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000))
    owner = _granted(cluster, 1)
    cluster.hold((2, 1), (3, 1))
    cluster.advance(450)
    owner.post(_set(b"v"))
    cluster.advance(800)
    assert owner.closed
    assert owner.take() == b""
    cluster.release()
    cluster.advance(200)
    assert _values(cluster, SESSION) == {None}  # it was not heard: the request writes it elsewhere now
    assert _is_held(cluster)


def test_a_connection_that_never_releases_what_it_locks_costs_a_bounded_amount() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    for i in range(100):
        client.send(b"add k%d.lock 768 1 1\r\n1\r\nget k%d\r\n" % (i, i))
    cluster.advance(10_000)
    assert len(cluster.nodes[1].store) == 0
    client.send(b"add last.lock 768 1 1\r\n1\r\nget last\r\n")
    policy = cluster.nodes[1]._policy
    assert isinstance(policy, PhpPolicy)
    assert len(policy._table.owners) <= 1


def test_what_only_looks_like_a_held_lock_is_answered_as_any_other_value() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    not_a_number = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
    assert client.send(b"add s.lock 768 15 5\r\nhello\r\nget s\r\n") == b"STORED\r\nEND\r\n"
    assert client.send(ASK) == not_a_number
    largest = b"%d" % (2**64 - 1)
    assert client.send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert client.send(ADD + READ) == b"STORED\r\n" + _shown(b"")
    assert cluster.client(2).send(b"incr s.lock " + largest + b"\r\n") == b"0\r\n"
