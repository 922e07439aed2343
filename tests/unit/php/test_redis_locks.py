"""phpredis' locks: one request at a time through whatever nodes, and none is left behind by who is gone."""

from __future__ import annotations

import pytest

from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS
from memrep.php.options import PhpOptions
from memrep.protocol.negotiation import REDIS
from tests.harness.cluster import Client, Cluster, serving_cluster
from tests.harness.lone_node import lone_node

LOCK = b"PHPREDIS_SESSION:abc_LOCK"
ME, OTHER = b"web1|71", b"web2|72"
PX_MS = 30_000
OK, NIL, ONE, ZERO = b"+OK\r\n", b"$-1\r\n", b":1\r\n", b":0\r\n"
RELEASE = b"b70c2384248f88e6b75b9f89241a180f856ad852"


def said(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def take(who: bytes = ME, px: int = PX_MS, key: bytes = LOCK) -> bytes:
    return said(b"SET", key, who, b"NX", *([b"PX", b"%d" % px] if px else []))


def release(who: bytes = ME, key: bytes = LOCK) -> bytes:
    return said(b"EVALSHA", RELEASE, b"1", key, who)


def php(cluster: Cluster, number: int) -> Client:
    """A request of phpredis', at this node."""
    return cluster.client(number, port=REDIS)


def holding(cluster: Cluster, number: int, px: int = PX_MS) -> Client:
    """One that has the lock."""
    holder = php(cluster, number)
    assert holder.send(take(px=px)) == OK
    return holder


def is_free(cluster: Cluster) -> bool:
    """Whether nobody has the lock, at any node."""
    shown = {node.store.is_miss(LOCK, cluster.now) for node in cluster.nodes.values()}
    assert len(shown) == 1
    return shown.pop()


# --- one at a time


def test_of_two_nodes_that_are_asked_at_once_one_grants() -> None:
    cluster = serving_cluster()
    one, other = php(cluster, 1), php(cluster, 2)
    one.post(take(ME))
    other.post(take(OTHER))
    cluster.deliver()
    cluster.advance(200)
    assert sorted([one.take(), other.take()]) == [NIL, OK]


def test_a_lock_shows_who_has_it_and_until_when() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    assert php(cluster, 2).send(said(b"GET", LOCK)) == b"$7\r\nweb1|71\r\n"
    assert php(cluster, 3).send(said(b"PTTL", LOCK)) == b":%d\r\n" % PX_MS


def test_a_lock_is_freed_by_its_value_and_by_no_other() -> None:
    cluster = serving_cluster()
    holder = holding(cluster, 1)
    assert php(cluster, 2).send(release(OTHER)) == ZERO
    assert php(cluster, 2).send(take(OTHER)) == NIL
    assert holder.send(release()) == ONE
    assert php(cluster, 2).send(take(OTHER)) == OK


def test_a_lock_is_freed_over_another_connection_to_another_node() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    assert php(cluster, 2).send(release()) == ONE
    assert is_free(cluster)


def test_a_lock_is_freed_by_del() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    assert php(cluster, 2).send(said(b"DEL", LOCK)) == ONE
    assert is_free(cluster)


def test_a_lock_ends_with_its_time() -> None:
    cluster = serving_cluster()
    holding(cluster, 1, px=500)
    cluster.advance(600)
    assert is_free(cluster)


def test_the_time_of_a_lock_begins_when_it_is_taken_and_not_when_it_was_asked_for() -> None:
    cluster = serving_cluster()
    holder, waiting = holding(cluster, 1), php(cluster, 1)
    cluster.hold_all()
    holder.post(release())
    waiting.post(take(OTHER))  # decided when the release is
    cluster.advance(300)
    cluster.release()
    cluster.turn(1)
    assert waiting.take() == OK
    assert php(cluster, 2).send(said(b"PTTL", LOCK)) == b":%d\r\n" % PX_MS


def test_a_held_lock_is_not_evicted() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    store = cluster.nodes[2].store
    assert store.owned.pinned(store.values[LOCK])


# --- the end of its connection


def test_who_hangs_up_leaves_no_lock_behind() -> None:
    cluster = serving_cluster()
    holding(cluster, 1, px=0).hang_up()
    cluster.advance(50)
    assert is_free(cluster)


def test_who_hangs_up_before_it_is_granted_leaves_none_either() -> None:
    cluster = serving_cluster()
    asking = php(cluster, 1)
    cluster.hold_all()
    asking.post(take())
    asking.hang_up()
    cluster.release()
    cluster.advance(2 * ORPHAN_MS)
    assert is_free(cluster)


def test_who_hangs_up_takes_nobody_elses_lock_along_not_even_one_of_the_same_value() -> None:
    cluster = serving_cluster()
    before = holding(cluster, 1)
    assert php(cluster, 2).send(release()) == ONE
    holding(cluster, 3)
    before.hang_up()
    cluster.advance(100)
    assert not is_free(cluster)


def test_a_worker_that_goes_on_over_its_connection_has_the_next_lock_too() -> None:
    cluster = serving_cluster()
    worker = holding(cluster, 1)
    assert worker.send(release()) == ONE
    assert worker.send(take(px=0)) == OK
    worker.hang_up()
    cluster.advance(50)
    assert is_free(cluster)


# --- the end of its node


def test_when_its_node_dies_a_lock_stays_and_its_holder_frees_it_elsewhere() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    cluster.advance(500)  # so that it was heard since: its client knows
    cluster.kill(1)
    cluster.advance(3 * PATIENT_MS)
    assert php(cluster, 2).send(take(OTHER)) == NIL
    assert php(cluster, 2).send(said(b"GET", LOCK)) == b"$7\r\nweb1|71\r\n"
    assert php(cluster, 3).send(release()) == ONE
    assert is_free(cluster)


@pytest.mark.parametrize(("gone", "after"), [("kill", ORPHAN_MS), ("freeze", PATIENT_MS)])
def test_when_its_node_is_gone_a_lock_without_a_time_ends_soon(gone: str, after: int) -> None:
    cluster = serving_cluster()
    holding(cluster, 1, px=0)
    cluster.advance(500)
    getattr(cluster, gone)(1)
    cluster.advance(after)
    assert php(cluster, 2).send(take(OTHER)) == NIL
    cluster.advance(ORPHAN_MS)
    assert php(cluster, 2).send(take(OTHER)) == OK


def test_where_others_are_out_of_touch_its_holder_has_longer_for_this_node_may_let_it_wait() -> None:
    cluster = serving_cluster(4)
    cluster.freeze(3)
    cluster.freeze(4)
    cluster.advance(3_000)
    assert cluster.members(2) == [1, 2]
    holder = php(cluster, 1)
    answer = holder.send(take(px=0))
    while not answer:  # it is held back, for the others might be back
        answer = holder.wait(100)
    assert answer == OK
    cluster.advance(500)
    cluster.kill(1)
    cluster.advance(2 * ORPHAN_MS)
    assert cluster.value(2, LOCK) == b"web1|71"
    cluster.advance(PATIENT_MS)
    assert cluster.value(2, LOCK) is None


def test_a_lock_without_a_time_ends_though_all_who_saw_its_node_go_have_gone_themselves() -> None:
    cluster = serving_cluster()
    holding(cluster, 1, px=0)
    cluster.advance(500)
    cluster.freeze(1)
    cluster.advance(1_500)
    for number in (2, 3):
        cluster.kill(number)
        cluster.start(number)
        cluster.advance(1_500)
        assert number in cluster.serving()
    assert php(cluster, 2).send(take(OTHER)) == NIL
    cluster.advance(PATIENT_MS)
    assert php(cluster, 2).send(take(OTHER)) == OK


def test_a_lock_that_was_granted_in_the_last_moment_ends_soon() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    cluster.kill(1)
    cluster.advance(3 * ORPHAN_MS)
    assert php(cluster, 2).send(take(OTHER)) == OK


@pytest.mark.parametrize("px", [PX_MS, 0])
def test_a_node_that_closes_a_connection_leaves_it_its_lock(px: int) -> None:
    cluster = serving_cluster()
    holder = holding(cluster, 1, px)
    cluster.turn(1, lambda node: node.clients.close(holder.connection))
    cluster.advance(ORPHAN_MS)
    assert php(cluster, 2).send(take(OTHER)) == NIL
    cluster.advance(PATIENT_MS)
    assert php(cluster, 2).send(take(OTHER)) == (NIL if px else OK)


# --- said again


def test_who_did_not_hear_that_it_was_granted_is_told_again() -> None:
    cluster = serving_cluster()
    holding(cluster, 1)
    cluster.advance(500)
    cluster.kill(1)
    cluster.advance(100)
    assert php(cluster, 2).send(take(OTHER)) == NIL
    again = php(cluster, 2)
    assert again.send(take()) == OK
    assert php(cluster, 3).send(take()) == NIL  # now it is held by who is there
    again.hang_up()
    cluster.advance(50)
    assert is_free(cluster)


def test_the_same_value_gets_no_lock_whose_connection_is_there() -> None:
    cluster = serving_cluster()
    holder = holding(cluster, 1)
    assert php(cluster, 1).send(take()) == NIL
    assert php(cluster, 2).send(take()) == NIL
    assert holder.send(take()) == NIL
    holder.hang_up()
    cluster.advance(50)
    assert is_free(cluster)


# --- who is none of it


@pytest.mark.parametrize(
    ("key", "value"), [(b"job_LOCK", b"f3a9"), (b"job_lock", b"web1|71"), (b"laravel:lock", b"web1|71")]
)
def test_any_other_lock_goes_by_its_time_alone(key: bytes, value: bytes) -> None:
    cluster = serving_cluster()
    client = php(cluster, 1)
    assert client.send(take(value, key=key)) == OK
    client.hang_up()
    cluster.advance(2 * PATIENT_MS)
    assert php(cluster, 1).send(take(value, key=key)) == NIL
    cluster.kill(1)
    cluster.advance(500)
    assert php(cluster, 2).send(take(value, key=key)) == NIL
    assert php(cluster, 2).send(release(value, key)) == ONE


def test_without_php_so_does_this_one() -> None:
    node = lone_node(php_options=PhpOptions(on=False))
    node.connect(REDIS).receive(take())
    assert node.node.store.values[LOCK].owner is None


@pytest.mark.parametrize("second", [LOCK, b"PHPREDIS_SESSION:def_LOCK"])
def test_who_asks_for_another_lock_meanwhile_speaks_for_several_requests(second: bytes) -> None:
    """Behind a proxy its end must not free what others hold."""
    cluster = serving_cluster()
    proxy = holding(cluster, 1)
    proxy.send(take(OTHER, key=second))
    cluster.advance(50)
    third = b"PHPREDIS_SESSION:ghi_LOCK"
    assert proxy.send(take(key=third)) == OK
    proxy.hang_up()
    cluster.advance(2 * PATIENT_MS)
    assert not is_free(cluster)
    assert php(cluster, 2).send(release(key=third)) == ONE


def test_a_lock_without_a_time_ends_though_all_who_have_doubted_it_are_gone() -> None:
    cluster = serving_cluster()
    holding(cluster, 1, px=0)
    cluster.advance(500)
    cluster.kill(1)
    cluster.advance(ORPHAN_MS // 2)
    cluster.start(1)
    cluster.advance(ORPHAN_MS // 4)
    assert php(cluster, 1).send(take(OTHER)) == NIL
    cluster.kill(2)
    cluster.kill(3)
    cluster.advance(2 * PATIENT_MS)
    assert php(cluster, 1).send(take(OTHER)) == OK
