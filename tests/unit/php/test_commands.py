"""What PHP writes and releases: what is not the holder's, or comes late, is answered and changes nothing."""

from __future__ import annotations

import pytest

from memrep.replication.membership.timing import Timing
from tests.harness.cluster import Cluster, serving_cluster
from tests.harness.lone_node import lone_node
from tests.unit.php.story import (
    ADD,
    ADD_SID,
    ASK,
    DELETE_SID,
    GRANTED,
    LOCK,
    READ,
    RELEASE,
    SESSION,
    SID,
    TIMEOUT_S,
    copy_of,
    granted,
    is_held,
    set_to,
    shown,
    values,
)

_DESTROY = b"delete s\r\ndelete s.lock\r\n"


# --- releases


def test_the_owner_releases_its_lock_and_the_next_one_gets_it() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert not is_held(cluster)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + shown(b"")
    assert is_held(cluster)


def test_who_lets_its_lock_time_out_does_not_release_its_successors_by_releasing() -> None:
    cluster = serving_cluster()
    late = granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000)
    granted(cluster, 2)
    assert late.send(RELEASE) == b"STORED\r\n"
    assert is_held(cluster)


@pytest.mark.parametrize("number", [1, 2])
def test_a_release_by_another_connection_is_acknowledged_and_ignored(number: int) -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    stranger = cluster.client(number)
    assert stranger.send(RELEASE) == b"STORED\r\n"
    assert stranger.send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert is_held(cluster)
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert not is_held(cluster)


def test_a_late_release_does_not_prolong_the_life_of_a_released_lock() -> None:
    cluster = serving_cluster()
    assert granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    before = [node.store.values[LOCK] for node in cluster.nodes.values()]
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert [node.store.values[LOCK] for node in cluster.nodes.values()] == before


def test_php_memcacheds_lock_belongs_to_its_connection_too() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    assert owner.send(ADD_SID) == b"STORED\r\n"
    for number in (1, 2, 3):
        stranger = cluster.client(number)
        assert stranger.send(ADD_SID + DELETE_SID) == b"NOT_STORED\r\nDELETED\r\n"
        stranger.hang_up()
    assert values(cluster, SID) == {b"1"}
    assert owner.send(DELETE_SID) == b"DELETED\r\n"
    assert values(cluster, SID) == {None}
    assert owner.send(DELETE_SID) == b"NOT_FOUND\r\n"


# --- copies


def _two_requests(cluster: Cluster, first: bytes, second: bytes) -> None:
    """Two requests, one after the other, at node 1; their copies are still on their way."""
    owner = granted(cluster, 1)
    assert owner.send(first + RELEASE) == b"STORED\r\n" * 2
    owner.hang_up()
    owner = cluster.client(1)
    assert owner.send(ASK + READ).startswith(b"1\r\n")
    assert owner.send(second + RELEASE) == b"STORED\r\n" * 2
    owner.hang_up()


def test_a_late_copy_of_a_set_is_answered_and_has_no_effect() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, set_to(b"one"), set_to(b"two"))
    for number in (2, 3):
        assert cluster.client(number).send(copy_of(b"one")) == b"STORED\r\n" * 2
    assert values(cluster, SESSION) == {b"two"}


def test_a_late_copy_of_a_delete_is_answered_and_has_no_effect() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert owner.send(set_to(b"one") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    owner = cluster.client(1)
    assert owner.send(ASK + READ) == b"1\r\n" + shown(b"")
    assert owner.send(set_to(b"two") + RELEASE) == b"STORED\r\n" * 2
    for number in (2, 3):
        assert cluster.client(number).send(b"delete s\r\n" + RELEASE) == b"DELETED\r\nSTORED\r\n"
    assert values(cluster, SESSION) == {b"two"}


def test_a_copy_of_a_delete_that_finds_nothing_says_so() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert owner.send(set_to(b"one") + b"delete s\r\n") == b"STORED\r\nDELETED\r\n"
    assert cluster.client(2).send(_DESTROY) == b"NOT_FOUND\r\nDELETED\r\n"


def test_an_equal_write_of_a_later_request_is_executed_and_its_copies_are_known_in_turn() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, set_to(b"one"), set_to(b"two"))
    owner = cluster.client(1)
    owner.send(ASK + READ)
    assert owner.send(set_to(b"one")) == b"STORED\r\n"
    assert values(cluster, SESSION) == {b"one"}
    assert owner.send(set_to(b"three") + RELEASE) == b"STORED\r\n" * 2
    late = cluster.client(2)
    for value in (b"one", b"two", b"one"):
        assert late.send(copy_of(value)) == b"STORED\r\n" * 2
    assert values(cluster, SESSION) == {b"three"}


def test_a_request_that_locks_at_another_node_may_write_what_was_written_before() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, set_to(b"one"), set_to(b"two"))
    owner = cluster.client(2)
    assert owner.send(ASK + READ) == b"1\r\n" + shown(b"two")
    assert owner.send(set_to(b"one")) == b"STORED\r\n"
    assert values(cluster, SESSION) == {b"one"}


def test_a_copy_is_answered_only_after_the_write_that_it_is_a_copy_of() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    cluster.hold((3, 1))
    assert owner.send(set_to(b"one")) == b""
    duplicates = [cluster.client(number) for number in (2, 3)]
    assert [copy.send(copy_of(b"one")) for copy in duplicates] == [b"", b""]
    cluster.release()
    assert [client.take() for client in (owner, *duplicates)] == [b"STORED\r\n"] + [b"STORED\r\n" * 2] * 2
    assert values(cluster, SESSION) == {b"one"}


def test_a_copy_is_answered_though_the_node_of_the_write_died() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    cluster.hold((3, 1))
    owner.send(set_to(b"one"))
    copy = cluster.client(2)
    assert copy.send(copy_of(b"one")) == b""
    cluster.kill(1)
    cluster.deliver()
    assert copy.take() == b"STORED\r\n" * 2
    assert values(cluster, SESSION) == {b"one"}


def test_sets_of_keys_that_are_no_sessions_are_never_copies() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    for value in (b"one", b"two"):
        assert cluster.client(1).send(set_to(value, b"page")) == b"STORED\r\n"
    assert cluster.client(2).send(set_to(b"one", b"page")) == b"STORED\r\n"
    assert values(cluster, b"page") == {b"one"}
    assert cluster.client(1).send(b"delete page\r\n") == b"DELETED\r\n"
    assert cluster.client(1).send(set_to(b"two", b"page")) == b"STORED\r\n"
    assert cluster.client(2).send(b"delete page\r\n") == b"DELETED\r\n"
    assert values(cluster, b"page") == {None}


def test_writes_of_what_lives_shortly_are_never_copies() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, set_to(b"one", exptime=59), set_to(b"two", exptime=59))
    assert cluster.client(2).send(set_to(b"one", exptime=59)) == b"STORED\r\n"
    assert values(cluster, SESSION) == {b"one"}


def test_writes_of_what_lives_for_ever_may_be_copies() -> None:
    cluster = serving_cluster()
    _two_requests(cluster, set_to(b"one", exptime=0), set_to(b"two", exptime=0))
    assert cluster.client(2).send(copy_of(b"one", 0)) == b"STORED\r\n" * 2
    assert values(cluster, SESSION) == {b"two"}


def test_a_node_without_peers_takes_every_write_for_itself() -> None:
    client = lone_node().connect()
    assert client.receive(ASK + ADD + READ) == GRANTED
    for value in (b"one", b"two", b"one"):
        assert client.receive(set_to(value)) == b"STORED\r\n"
        assert client.receive(READ) == shown(value)


# --- what was wrong once


def test_what_comes_over_the_connection_that_holds_php_memcacheds_lock_is_never_a_copy() -> None:
    cluster = serving_cluster()
    for number, value in ((1, b"one"), (2, b"two"), (2, b"one")):
        client = cluster.client(number)
        assert client.send(ADD_SID + set_to(value, b"memc.sess.key.abc")) == b"STORED\r\n" * 2
        assert client.send(DELETE_SID) == b"DELETED\r\n"
    assert values(cluster, b"memc.sess.key.abc") == {b"one"}


def test_a_delete_is_executed_though_copies_of_an_earlier_one_found_nothing_and_the_locks_node_died() -> None:
    cluster = serving_cluster()
    first = granted(cluster, 1)
    assert first.send(set_to(b"one") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    for number in (2, 3):
        assert cluster.client(number).send(b"delete s\r\n" + RELEASE) == b"NOT_FOUND\r\nSTORED\r\n"
    second = cluster.client(1)
    assert second.send(ASK + READ) == b"1\r\n" + shown(b"")
    assert second.send(set_to(b"two") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + shown(b"two")
    cluster.kill(1)
    cluster.deliver()
    assert cluster.client(2).send(b"delete s\r\n") == b"DELETED\r\n"
    assert values(cluster, SESSION) == {None}


def test_a_request_whose_connection_is_closed_for_lateness_keeps_its_lock_for_it_lives() -> None:
    cluster = serving_cluster(timing=Timing(silence=10_000))
    owner = granted(cluster, 1)
    cluster.hold((2, 1), (3, 1))
    cluster.advance(450)
    owner.post(set_to(b"v"))
    cluster.advance(800)
    assert owner.closed
    assert owner.take() == b""
    cluster.release()
    cluster.advance(200)
    assert values(cluster, SESSION) == {None}  # it was not heard: the request writes it elsewhere now
    assert is_held(cluster)
