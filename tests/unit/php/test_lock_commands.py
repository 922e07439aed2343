"""Taking a lock: whose it is from when to when, who is a session handler, and what is never told by half."""

from __future__ import annotations

import pytest

from memrep.php.options import PhpOptions
from memrep.replication.membership.timing import Timing
from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.unit.php.story import (
    ADD,
    ADD_SID,
    ASK,
    DELETE_SID,
    GRANTED,
    LOCK,
    READ,
    RELEASE,
    SID,
    TIMEOUT_S,
    granted,
    is_held,
    set_to,
    shown,
    values,
)

_NOTHING = b"END\r\n"


def test_a_lock_ends_with_its_timeout() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert cluster.client(2).send(ASK + ADD + READ) == b"2\r\nNOT_STORED\r\nEND\r\n"
    cluster.advance(50)
    assert not is_held(cluster)
    granted(cluster, 2)


def test_the_full_timeout_starts_when_a_released_lock_is_taken() -> None:
    cluster = serving_cluster()
    assert granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + shown(b"")
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert is_held(cluster)
    cluster.advance(50)
    assert not is_held(cluster)


def test_the_full_timeout_starts_when_a_lock_is_taken_that_an_end_has_released() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    owner.hang_up()
    cluster.advance(TIMEOUT_S * 1000 - 1_000)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + shown(b"")
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert is_held(cluster)


def test_increments_of_a_held_lock_are_answered_and_change_nothing() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    before = [node.store.values[LOCK] for node in cluster.nodes.values()]
    rivals = [cluster.client(number) for number in (1, 2, 3)]
    for rival in rivals:
        assert [rival.send(ASK) for _ in range(3)] == [b"2\r\n"] * 3
    assert owner.send(b"incr s.lock 5\r\n") == b"6\r\n"
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
    assert not is_held(cluster)
    assert not any(node.replica.rounds.pending(LOCK) for node in cluster.nodes.values())


def test_a_lock_that_was_asked_for_and_given_up_before_it_was_free_is_not_taken() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    cluster.hold((3, 1))
    assert owner.send(RELEASE) == b"STORED\r\n"
    waits = cluster.client(2)
    assert waits.send(ASK + READ) == b""
    waits.hang_up()
    cluster.release()
    cluster.advance(50)
    assert not is_held(cluster)


@pytest.mark.parametrize(
    ("take", "release", "done", "again", "yes"),
    [
        (ASK + ADD + READ, RELEASE, b"STORED\r\n", ASK + READ, b"1\r\n"),
        (ADD_SID, DELETE_SID, b"DELETED\r\n", ADD_SID, b"STORED\r\n"),
    ],
    ids=["pecl", "php-memcached"],
)
def test_a_release_is_answered_at_once_and_who_asks_for_the_lock_waits_for_it(
    take: bytes, release: bytes, done: bytes, again: bytes, yes: bytes
) -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    owner.send(take)
    cluster.hold((3, 1))
    assert owner.send(release) == done
    rivals = [cluster.client(number) for number in (1, 2)]
    assert [one.send(again) for one in rivals] == [b"", b""]
    cluster.release()
    assert sum(one.take().startswith(yes) for one in rivals) == 1


def test_a_release_is_under_way_when_it_is_answered_and_survives_the_node_that_has_answered() -> None:
    cluster = serving_cluster()
    assert granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    cluster.kill(1)
    cluster.advance(1_000)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + shown(b"")


def test_a_release_of_what_is_not_proved_to_be_phps_is_answered_when_all_nodes_have_it() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(b"set other.key.lock.job 0 15 1\r\n1\r\n") == b"STORED\r\n"
    cluster.hold((3, 1))
    assert client.send(b"delete other.key.lock.job\r\n") == b""
    cluster.release()
    assert client.take() == b"DELETED\r\n"


def test_what_only_looks_like_a_held_lock_is_answered_as_any_other_value() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    not_a_number = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
    assert client.send(b"add s.lock 768 15 5\r\nhello\r\nget s\r\n") == b"STORED\r\nEND\r\n"
    assert client.send(ASK) == not_a_number
    largest = b"%d" % (2**64 - 1)
    assert client.send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert client.send(ADD + READ) == b"STORED\r\n" + shown(b"")
    assert cluster.client(2).send(b"incr s.lock " + largest + b"\r\n") == b"0\r\n"


# --- other locks, other keys


def test_which_prefixes_are_locks_can_be_told() -> None:
    cluster = serving_cluster(php_options=PhpOptions(prefixes=(b"shop.lock.",)))
    owner = cluster.client(1)
    assert owner.send(ADD_SID + b"add shop.lock.abc 0 15 1\r\n1\r\n") == b"STORED\r\nSTORED\r\n"
    stranger = cluster.client(2)
    assert stranger.send(DELETE_SID + b"delete shop.lock.abc\r\n") == b"DELETED\r\nDELETED\r\n"
    assert values(cluster, SID) == {None}
    assert values(cluster, b"shop.lock.abc") == {b"1"}


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
    assert values(cluster, key) == {b"2"}
    assert other.send(b"set %b 0 15 1\r\n0\r\n" % key) == b"STORED\r\n"
    assert values(cluster, key) == {b"0"}
    assert other.send(b"delete %b\r\ndelete %b\r\n" % (key, key)) == b"DELETED\r\nNOT_FOUND\r\n"


# --- the walk


def test_a_new_session_is_empty_to_who_begins_it_and_a_miss_to_everybody_else() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert owner.send(READ) == _NOTHING  # it knows that it has the lock; no session handler asks so late
    for number in cluster.nodes:
        assert cluster.client(number).send(READ) == _NOTHING
        assert cluster.client(number).send(ASK + ADD + READ).endswith(b"NOT_STORED\r\n" + _NOTHING)


def test_a_session_that_was_destroyed_is_new_again() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert owner.send(set_to(b"v") + b"delete s\r\n" + RELEASE) == b"STORED\r\nDELETED\r\nSTORED\r\n"
    assert cluster.client(2).send(ASK + ADD + READ) == b"1\r\nNOT_STORED\r\n" + shown(b"")


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
    assert is_held(cluster)
    assert cluster.client(2).send(b"delete s.lock\r\n") == b"DELETED\r\n"
    assert values(cluster) == {None}


def test_only_a_lock_opens_the_session_of_its_own_name() -> None:
    client = serving_cluster().client(1)
    assert client.send(ASK + ADD + b"get t\r\n").endswith(b"STORED\r\nEND\r\n")


# --- all or nothing


def test_a_grant_is_withheld_until_the_session_is_shown() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(ASK) == b"NOT_FOUND\r\n"
    assert client.send(ADD) == b""
    assert is_held(cluster)
    assert client.send(READ) == b"STORED\r\n" + shown(b"")
    assert client.send(set_to(b"v")) == b"STORED\r\n"


def test_who_has_to_wait_for_a_held_lock_is_told_so_at_once() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    assert cluster.client(2).send(ASK) == b"2\r\n"
    assert cluster.client(2).send(ADD) == b"NOT_STORED\r\n"


def test_php_memcacheds_lock_is_told_at_once_for_it_reads_later() -> None:
    assert serving_cluster().client(1).send(ADD_SID) == b"STORED\r\n"


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
    cluster.client(3).send(set_to(b"v"))
    assert client.send(ADD + READ) == b""
    cluster.hold((2, 1))
    assert cluster.value(1, LOCK) == b"1"
    return cluster, client


def test_a_grant_is_withheld_while_the_session_is_on_its_way() -> None:
    cluster, client = _stuck()
    cluster.advance(300)
    assert client.take() == b""
    cluster.release()
    assert client.take() == b"STORED\r\n" + shown(b"v")


def test_a_connection_that_is_closed_before_the_session_is_shown_has_been_told_nothing() -> None:
    cluster, client = _stuck()
    cluster.advance(800)
    assert client.closed
    assert client.take() == b""
    cluster.release()
    cluster.advance(100)
    assert client.take() == b""
    assert not is_held(cluster)


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
    assert not is_held(cluster)
