"""PHP's habits at whole nodes: whose a lock is when connections end, and when whole nodes do."""

from __future__ import annotations

import pytest

from memrep.php.lock_names import ORPHAN_MS
from memrep.php.options import PhpOptions
from memrep.php.policy import PhpPolicy
from tests.harness.cluster import serving_cluster
from tests.unit.php.story import (
    ADD,
    ADD_SID,
    ASK,
    LOCK,
    READ,
    RELEASE,
    SESSION,
    TIMEOUT_S,
    copy_of,
    granted,
    is_held,
    owners,
    set_to,
    shown,
    values,
)

# --- a connection ends


def test_the_end_of_the_owners_connection_releases_its_lock() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    owner.hang_up()
    assert not is_held(cluster)
    assert cluster.client(2).send(ASK + READ) == b"1\r\n" + shown(b"")


def test_the_end_of_another_connection_does_not() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    for number in (1, 2):
        rival = cluster.client(number)
        rival.send(ASK + ADD + READ)
        rival.hang_up()
    assert is_held(cluster)


def test_who_lets_its_lock_time_out_does_not_release_its_successors_by_going() -> None:
    cluster = serving_cluster()
    late = granted(cluster, 1)
    cluster.advance(TIMEOUT_S * 1000)
    granted(cluster, 2)
    late.hang_up()
    assert is_held(cluster)


def test_the_end_of_the_connection_releases_php_memcacheds_lock() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    assert owner.send(ADD_SID) == b"STORED\r\n"
    owner.hang_up()
    assert cluster.client(2).send(ADD_SID) == b"STORED\r\n"


def test_without_php_locks_and_copies_are_keys_like_any_other() -> None:
    cluster = serving_cluster(php_options=PhpOptions(on=False))
    owner = cluster.client(1)
    assert owner.send(ASK + ADD) == b"NOT_FOUND\r\nSTORED\r\n"
    assert owner.send(set_to(b"one") + set_to(b"two")) == b"STORED\r\n" * 2
    stranger = cluster.client(2)
    assert stranger.send(ASK) == b"2\r\n"
    assert stranger.send(set_to(b"one")) == b"STORED\r\n"
    assert values(cluster, SESSION) == {b"one"}
    assert stranger.send(RELEASE) == b"STORED\r\n"
    assert values(cluster) == {b"0"}
    assert stranger.send(ASK) == b"1\r\n"
    owner.hang_up()
    stranger.hang_up()
    assert values(cluster) == {b"1"}


def test_a_connection_that_never_releases_what_it_locks_costs_a_bounded_amount() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    for i in range(100):
        client.send(b"add k%d.lock 768 1 1\r\n1\r\nget k%d\r\n" % (i, i))
    cluster.advance(10_000)
    assert len(cluster.nodes[1].store) == 0
    client.send(b"add last.lock 768 1 1\r\n1\r\nget last\r\n")
    policy = cluster.nodes[1].policy
    assert isinstance(policy, PhpPolicy)
    assert len(policy._table.owners) <= 1


# --- the owner's node is gone


@pytest.mark.parametrize("written", [True, False])
def test_when_the_owners_node_is_gone_its_requests_release_counts_elsewhere(written: bool) -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    assert is_held(cluster)
    assert owners(cluster) == {0}
    elsewhere = cluster.client(2)
    assert elsewhere.send(set_to(b"v") * written + RELEASE) == b"STORED\r\n" * (written + 1)
    assert not is_held(cluster)


def test_when_the_owners_node_is_gone_an_earlier_requests_late_release_does_not_count() -> None:
    cluster = serving_cluster()
    first, copy = granted(cluster, 1), cluster.client(2)
    assert first.send(set_to(b"one")) == b"STORED\r\n"
    assert copy.send(set_to(b"one")) == b""
    assert first.send(RELEASE) == b"STORED\r\n"
    second = cluster.client(1)
    assert second.send(ASK + READ) == b"1\r\n" + shown(b"one")
    cluster.advance(100)
    cluster.kill(1)
    cluster.deliver()
    assert copy.send(RELEASE) == b"STORED\r\n" * 2
    assert is_held(cluster)
    elsewhere = cluster.client(3)
    assert elsewhere.send(set_to(b"two") + RELEASE) == b"STORED\r\n" * 2
    assert not is_held(cluster)


def test_a_late_copys_stamp_is_that_of_the_write_so_the_release_behind_it_does_not_count_either() -> None:
    cluster = serving_cluster()
    first, copy = granted(cluster, 1), cluster.client(2)
    assert first.send(set_to(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + shown(b"one")
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    assert copy.send(set_to(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert is_held(cluster)


def test_a_release_that_came_while_the_owners_node_was_dying_counts_when_it_is_gone() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.advance(500)
    elsewhere = cluster.client(2)
    assert elsewhere.send(set_to(b"v") + RELEASE) == b"STORED\r\n" * 2
    assert is_held(cluster)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert not is_held(cluster)


def test_a_release_is_judged_by_what_its_client_had_written_before_it_not_by_what_it_has_since() -> None:
    cluster = serving_cluster()
    first, copy = granted(cluster, 1), cluster.client(2)
    assert first.send(set_to(b"one") + RELEASE) == b"STORED\r\n" * 2
    taken = cluster.client(3).send(b"incr t.lock 1\r\nadd t.lock 768 15 1\r\n1\r\nget t\r\n")
    assert taken.startswith(b"NOT_FOUND\r\nSTORED\r\n")
    cluster.hold((3, 1))
    second = cluster.client(1)
    assert second.send(ASK + READ) == b""
    assert copy.send(set_to(b"one") + RELEASE) == b"STORED\r\n" * 2, (
        "though the second one's grant is on its way"
    )
    assert copy.send(set_to(b"another", b"t")) == b"STORED\r\n"
    cluster.release()
    cluster.advance(500)
    assert second.take() == b"1\r\n" + shown(b"one")
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert is_held(cluster)


def test_an_earlier_requests_release_is_not_remembered() -> None:
    cluster = serving_cluster()
    first, copy = granted(cluster, 1), cluster.client(2)
    assert first.send(set_to(b"one") + RELEASE) == b"STORED\r\n" * 2
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + shown(b"one")
    cluster.advance(500)
    assert copy.send(copy_of(b"one")) == b"STORED\r\n" * 2
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert is_held(cluster)


def test_a_remembered_release_is_not_that_of_a_lock_taken_since() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert cluster.client(1).send(ASK + READ) == b"1\r\n" + shown(b"")
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert is_held(cluster)


def test_a_grant_of_which_nobody_may_know_ends_after_a_second() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(ORPHAN_MS - 50)
    assert is_held(cluster)
    cluster.advance(200)
    assert not is_held(cluster)


def test_a_grant_that_was_on_its_way_when_its_node_died_ends_after_a_second() -> None:
    cluster = serving_cluster()
    cluster.hold((3, 1))
    cluster.client(1).send(ASK + ADD + READ)
    cluster.kill(1)
    cluster.deliver()
    assert is_held(cluster)
    assert owners(cluster) == {0}
    cluster.advance(ORPHAN_MS + 150)
    assert not is_held(cluster)


def test_a_grant_that_must_have_been_told_outlives_its_node() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(TIMEOUT_S * 1000 - 600)
    assert is_held(cluster)
    cluster.advance(100)
    assert not is_held(cluster)


def test_a_released_lock_is_not_touched_by_the_death_of_its_last_owners_node() -> None:
    cluster = serving_cluster()
    assert granted(cluster, 1).send(RELEASE) == b"STORED\r\n"
    before = [cluster.nodes[number].store.values[LOCK] for number in (2, 3)]
    cluster.kill(1)
    cluster.deliver()
    assert [node.store.values[LOCK] for node in cluster.nodes.values()] == before


def test_a_node_that_was_stopped_has_lost_its_clients_and_their_locks_are_nobodys() -> None:
    cluster = serving_cluster()
    owner = granted(cluster, 1)
    cluster.advance(500)
    cluster.freeze(1)
    cluster.advance(300)
    assert owners(cluster) == {1}
    cluster.thaw(1)
    assert owner.closed
    cluster.advance(100)
    assert cluster.members(1) == [1, 2, 3]
    assert is_held(cluster)
    assert owners(cluster) == {0}
    assert cluster.client(2).send(RELEASE) == b"STORED\r\n"
    assert not is_held(cluster)


def test_a_node_that_took_its_leave_has_told_of_every_grant() -> None:
    cluster = serving_cluster()
    granted(cluster, 1)
    cluster.turn(1, lambda node: node.leave())
    cluster.deliver()
    cluster.kill(1)
    cluster.deliver()
    assert cluster.members(2) == [2, 3]
    assert owners(cluster) == {0}
    cluster.advance(TIMEOUT_S * 1000 - 50)
    assert is_held(cluster)
    cluster.advance(50)
    assert not is_held(cluster)


def test_a_node_that_comes_back_from_the_lesser_side_has_lost_its_clients() -> None:
    cluster = serving_cluster()
    ways = [(3, 1), (3, 2), (1, 3), (2, 3)]
    cluster.hold(*ways)
    cluster.advance(1_000)
    assert cluster.members(3) == [3]
    cluster.client(3).insist(b"version\r\n")
    owner = granted(cluster, 3)
    cluster.advance(500)
    for way in ways:
        cluster.lose(way)
    cluster.release()
    cluster.advance(1_000)
    assert cluster.members(1) == [1, 2, 3]
    assert owner.closed
    assert is_held(cluster)
    assert owners(cluster) == {0}
    assert cluster.client(1).send(RELEASE) == b"STORED\r\n"
    assert not is_held(cluster)


def test_a_node_whose_port_had_to_close_for_want_of_a_majority_has_lost_its_clients() -> None:
    cluster = serving_cluster(strict=True)
    owner = granted(cluster, 1)
    cluster.advance(500)
    ways = [(1, 2), (1, 3), (2, 1), (3, 1)]
    cluster.hold(*ways)
    cluster.advance(700)
    assert not cluster.nodes[1].open
    assert owner.closed
    cluster.release()
    cluster.advance(1_000)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert owners(cluster) == {0}
    assert is_held(cluster)


def test_a_port_that_was_closed_for_a_moment_only_has_cost_the_locks_their_owners_all_the_same() -> None:
    cluster = serving_cluster(strict=True)
    owner = granted(cluster, 1)
    cluster.hold((2, 1), (3, 1))
    while cluster.nodes[1].open:
        cluster.advance(50)
    assert owner.closed
    cluster.release()
    assert cluster.members(2) == [1, 2, 3]
    cluster.advance(200)
    assert sorted(cluster.serving()) == [1, 2, 3]
    assert owners(cluster) == {0}
