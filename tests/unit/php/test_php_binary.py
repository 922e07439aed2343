"""PHP's habits in the binary protocol, at whole nodes: php-memcached's quiet copies, pecl-memcache's own lock.

With `sess_number_of_replicas` php-memcached sends its session loudly to one node and quietly to the others, its
release likewise; and it keeps the quiet ones back until the connection's next command, so that they arrive
late.
"""

from __future__ import annotations

import struct
from typing import Final

import pytest

from memrep.php.lock_names import ORPHAN_MS, PATIENT_MS
from memrep.protocol.memcached.binary.packet import (
    ADD,
    DELETE,
    GET,
    GETK,
    HEADER,
    HEADER_BYTES,
    INCR,
    NOOP,
    REQUEST,
    SET,
    TOUCH,
)
from tests.harness.cluster import Client, Cluster, serving_cluster

SETQ: Final = 0x11
DELETEQ: Final = 0x14

SESSION: Final = b"memc.sess.key.abc"
LOCK: Final = b"memc.sess.key.lock.abc"

OK, MISS, EXISTS = 0, 1, 2


def _request(opcode: int, key: bytes = b"", extras: bytes = b"", value: bytes = b"") -> bytes:
    size = len(key) + len(extras) + len(value)
    return HEADER.pack(REQUEST, opcode, len(key), len(extras), 0, 0, size, 7, 0) + extras + key + value


def _stored(opcode: int, key: bytes, value: bytes, exptime: int, flags: int = 0) -> bytes:
    return _request(opcode, key, struct.pack(">II", flags, exptime), value)


def _lock() -> bytes:
    return _stored(ADD, LOCK, b"1", 30)


def _write(value: bytes, opcode: int = SET) -> bytes:
    return _stored(opcode, SESSION, value, 1440)


def _release(opcode: int = DELETE) -> bytes:
    return _request(opcode, LOCK)


def _statuses(replies: bytes) -> list[int]:
    """The status of each reply."""
    statuses, start = [], 0
    while start < len(replies):
        _, _, _, _, _, status, length, opaque, _ = HEADER.unpack_from(replies, start)
        assert opaque == 7
        statuses.append(status)
        start += HEADER_BYTES + length
    return statuses


def _says(client: Client, data: bytes) -> list[int]:
    return _statuses(client.send(data))


def _values(cluster: Cluster) -> set[bytes | None]:
    return {cluster.value(number, SESSION) for number in cluster.nodes}


def _visit(cluster: Cluster, node: int, value: bytes, duplicates: tuple[int, ...]) -> list[Client]:
    """A whole request through one node; its copies wait in connections to others."""
    client = cluster.client(node)
    assert _says(client, _lock()) == [OK]
    assert _says(client, _write(value)) == [OK]
    assert _says(client, _release()) == [OK]
    return [cluster.client(number) for number in duplicates]


# --- copies


def test_a_quiet_copy_that_comes_after_the_next_write_is_not_executed() -> None:
    cluster = serving_cluster()
    late = _visit(cluster, 1, b"one", (2, 3))
    _visit(cluster, 2, b"two", ())
    for copy in late:
        assert _says(copy, _write(b"one", SETQ) + _release(DELETEQ) + _request(NOOP)) == [MISS, OK]
    assert _values(cluster) == {b"two"}


def test_a_quiet_write_is_the_write_where_no_loud_one_got_through() -> None:
    cluster = serving_cluster()
    holder, copy = cluster.client(1), cluster.client(2)
    assert _says(holder, _lock()) == [OK]
    assert _says(copy, _write(b"one", SETQ) + _request(NOOP)) == [OK]
    assert _values(cluster) == {b"one"}


def test_the_same_quiet_write_again_on_its_connection_is_one_with_the_first() -> None:
    cluster = serving_cluster()
    (late,) = _visit(cluster, 1, b"one", (2,))
    assert _says(late, _write(b"one", SETQ) + _request(NOOP)) == [OK]
    _visit(cluster, 3, b"two", ())
    assert _says(late, _write(b"one", SETQ) * 4 + _request(NOOP)) == [OK]
    assert _values(cluster) == {b"two"}


def test_a_loud_write_is_always_executed() -> None:
    cluster = serving_cluster()
    for number, value in ((1, b"one"), (2, b"two"), (3, b"one"), (2, b"one"), (1, b"two"), (2, b"one")):
        _visit(cluster, number, value, ())
        assert _values(cluster) == {value}


def test_a_session_is_destroyed_by_a_quiet_delete_where_no_loud_one_got_through() -> None:
    cluster = serving_cluster()
    _visit(cluster, 1, b"one", ())
    copy = cluster.client(2)
    assert _says(cluster.client(3), _lock()) == [OK]
    assert _says(copy, _request(DELETEQ, SESSION) + _request(NOOP)) == [OK]
    assert _values(cluster) == {None}


# --- the lock


def test_only_the_connection_that_took_the_lock_releases_it() -> None:
    cluster = serving_cluster()
    owner, stranger = cluster.client(1), cluster.client(2)
    assert _says(owner, _lock()) == [OK]
    assert _says(stranger, _release() + _release(DELETEQ) + _lock()) == [OK, EXISTS]
    assert _says(owner, _release()) == [OK]
    assert _says(stranger, _lock()) == [OK]


def test_a_late_copy_of_a_release_does_not_free_the_next_holders_lock_when_its_node_dies() -> None:
    cluster = serving_cluster()
    assert _says(cluster.client(1), _lock()) == [OK]
    assert _says(cluster.client(2), _release(DELETEQ) + _request(NOOP)) == [OK]
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(500)
    assert _says(cluster.client(3), _lock()) == [EXISTS]


@pytest.mark.parametrize("set_on", [0, 60_000])
def test_a_copy_of_a_release_that_was_kept_for_long_does_not_free_the_next_holders_lock(set_on: int) -> None:
    """Nor if the clock is set meanwhile."""
    cluster = serving_cluster(4)
    cluster.hold(*((a, b) for a in cluster.nodes for b in cluster.nodes if (a < 3) != (b < 3)))
    cluster.advance(1_000)
    assert cluster.members(2) == [1, 2]  # each host waits here: the other half might be back
    first, second = cluster.client(1, "10.1.0.1"), cluster.client(1, "10.1.0.1")
    assert _statuses(first.insist(_lock() + _release())) == [OK, OK]
    copy = cluster.client(2, "10.1.0.2")
    assert copy.send(_release(DELETEQ) + _request(NOOP)) == b""
    assert _says(second, _lock()) == [OK]
    cluster.ahead[2] = set_on
    cluster.advance(400)
    cluster.kill(1)
    cluster.deliver()
    assert _statuses(copy.wait(800)) == [OK]
    assert _statuses(cluster.client(2, "10.1.0.2").insist(_lock())) == [EXISTS]


def test_a_late_copy_of_a_release_is_one_at_a_node_whose_clock_is_ahead_too() -> None:
    """It has written nothing yet, so nobody else's clock has followed."""
    cluster = serving_cluster()
    cluster.ahead[2] = 60_000
    cluster.advance(200)
    holder, copy = cluster.client(1), cluster.client(2)
    assert _statuses(holder.send(_lock() + _release() + _lock())) == [OK, OK, OK]
    assert _says(copy, _release(DELETEQ) + _request(NOOP)) == [OK]
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(100)
    assert _says(cluster.client(3), _lock()) == [EXISTS]


def test_who_has_touched_the_session_releases_the_lock_of_a_node_that_is_gone() -> None:
    cluster = serving_cluster()
    _visit(cluster, 2, b"one", ())
    assert _says(cluster.client(1), _lock()) == [OK]
    session, stranger = cluster.client(2), cluster.client(3)
    assert _says(session, _request(TOUCH, SESSION, struct.pack(">I", 1440))) == [OK]
    cluster.kill(1)
    cluster.deliver()
    assert _says(stranger, _release(DELETEQ) + _lock()) == [EXISTS]
    assert _says(session, _release(DELETEQ) + _request(NOOP)) == [OK]
    assert _says(stranger, _lock()) == [OK]


def test_who_is_cut_off_while_it_writes_has_a_moment_to_come_back_with_the_same_write() -> None:
    cluster = serving_cluster()
    holder, next_one = cluster.client(1), cluster.client(2)
    assert _says(holder, _lock()) == [OK]
    cluster.hold((1, 2))
    assert holder.send(_write(b"one")) == b""
    holder.hang_up()
    cluster.release((1, 2))
    cluster.deliver()
    assert _says(next_one, _lock()) == [EXISTS]
    again = cluster.client(3)
    assert _says(again, _write(b"one") + _release()) == [OK, OK]
    assert _says(next_one, _lock()) == [OK]


def _killed_after_granting(ahead: int = 0) -> tuple[Cluster, Client]:
    """A cluster whose node 1 has granted the lock and died, and a client of node 2 who wants it.

    Args:
        ahead: how far the clock of node 2 is ahead, which has written nothing yet, ms.
    """
    cluster = serving_cluster()
    cluster.ahead[2] = ahead
    holder, next_one = cluster.client(1), cluster.client(2)
    assert _says(holder, _lock()) == [OK]
    cluster.kill(1)
    cluster.deliver()
    return cluster, next_one


@pytest.mark.parametrize("ahead", [0, 60_000])
def test_a_grant_of_which_nobody_may_know_ends_after_a_second(ahead: int) -> None:
    """However far the clock of who sees to it is ahead of the granter's."""
    cluster, next_one = _killed_after_granting(ahead)
    cluster.advance(ORPHAN_MS - 50)
    assert _says(next_one, _lock()) == [EXISTS]
    cluster.advance(200)
    assert _says(next_one, _lock()) == [OK]


def test_who_comes_back_after_a_restart_prolongs_no_doubt() -> None:
    cluster, next_one = _killed_after_granting()
    cluster.advance(300)
    cluster.start(1)
    cluster.advance(ORPHAN_MS)
    assert cluster.members(2) == [1, 2, 3]
    assert _says(next_one, _lock()) == [OK]


def test_who_comes_back_in_the_view_that_is_without_the_granter_prolongs_no_doubt() -> None:
    cluster = serving_cluster()
    holder, next_one = cluster.client(1), cluster.client(2)
    cluster.kill(3)
    cluster.advance(100)
    assert _says(holder, _lock()) == [OK]
    cluster.hold((1, 2), (2, 1), (1, 3), (3, 1))
    cluster.start(3)
    cluster.deliver()
    cluster.kill(1)
    cluster.release()
    cluster.deliver()
    cluster.advance(ORPHAN_MS + 150)
    assert cluster.members(2) == [2, 3]
    assert _says(next_one, _lock()) == [OK]


@pytest.mark.parametrize("late", [100, 900])
def test_a_grant_of_which_nobody_may_know_outlives_its_holders_wait_at_a_second_node(late: int) -> None:
    cluster, next_one = _killed_after_granting()
    cluster.advance(late)
    cluster.freeze(3)
    cluster.advance(4_250)
    cluster.client(2).insist(b"get other\r\n")
    assert _says(next_one, _lock()) == [EXISTS]
    cluster.advance(PATIENT_MS - 4_250)
    cluster.client(2).insist(b"get other\r\n")
    assert _says(next_one, _lock()) == [OK]


def test_a_grant_that_was_on_its_way_when_its_node_fell_silent_ends_after_a_second() -> None:
    """Its client has not been told, or the others would know; it asks again, in vain meanwhile."""
    cluster = serving_cluster()
    next_one = cluster.client(2)
    cluster.hold((3, 1))
    assert cluster.client(1).send(_lock()) == b""
    cluster.freeze(1)
    cluster.advance(ORPHAN_MS)
    assert cluster.members(2) == [2, 3]
    assert _says(next_one, _lock()) == [EXISTS]
    cluster.advance(1_000)
    assert _says(next_one, _lock()) == [OK]


def test_a_node_that_was_stopped_ends_no_lock_for_its_own_clock_having_gone_on() -> None:
    cluster, next_one = _killed_after_granting()
    cluster.advance(100)
    cluster.freeze(3)
    cluster.advance(2_000)
    cluster.thaw(3)
    cluster.advance(1_000)
    assert cluster.members(2) == [2, 3]
    assert _says(next_one, _lock()) == [EXISTS]


def test_who_finds_its_connection_closed_after_a_stop_can_release_its_lock_at_once() -> None:
    """php-memcached does so if it could not read the session."""
    cluster = serving_cluster()
    holder, next_one = cluster.client(1), cluster.client(2)
    assert _says(holder, _lock()) == [OK]
    cluster.freeze(1)
    cluster.advance(300)
    cluster.thaw(1, lambda node: holder.receive(node, _request(GETK, SESSION)))
    cluster.deliver()
    assert holder.closed
    again = cluster.client(1)
    again.send(_release())
    cluster.advance(50)
    assert _statuses(again.take()) == [OK]
    assert _says(next_one, _lock()) == [OK]


def test_who_is_cut_off_and_never_comes_back_holds_nobody_up() -> None:
    cluster = serving_cluster()
    holder, next_one = cluster.client(1), cluster.client(2)
    assert _says(holder, _lock()) == [OK]
    cluster.hold((1, 2))
    assert holder.send(_write(b"one")) == b""
    holder.hang_up()
    cluster.release((1, 2))
    cluster.deliver()
    cluster.advance(ORPHAN_MS + 50)
    assert _says(next_one, _lock()) == [OK]


# --- pecl-memcache in binary: INCR makes the lock, and the session is read in one go


def _ask() -> bytes:
    return _request(INCR, b"s.lock", struct.pack(">QQI", 1, 1, 15))


def _pecl() -> bytes:
    return _ask() + _stored(ADD, b"s.lock", b"1", 15, 768) + _request(GET, b"s")


def _number(reply: bytes) -> int:
    """The number that an INCR is answered with."""
    return int.from_bytes(reply[HEADER_BYTES : HEADER_BYTES + 8], "big")


def test_of_many_that_ask_for_pecls_lock_one_gets_it_and_its_end_frees_it() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    granted = owner.send(_pecl())
    assert (_number(granted), _statuses(granted)) == (1, [OK, EXISTS, OK])
    assert _number(cluster.client(2).send(_pecl())) > 1
    owner.hang_up()
    cluster.deliver()
    cluster.advance(50)
    assert _number(cluster.client(3).send(_pecl())) == 1


def test_a_released_lock_is_pecls_to_take_again_by_a_number() -> None:
    cluster = serving_cluster()
    owner = cluster.client(1)
    assert _number(owner.send(_pecl())) == 1
    assert _says(owner, _stored(SET, b"s.lock", b"0", 15, 768)) == [OK]
    assert _number(cluster.client(2).send(_pecl())) == 1


def test_a_grant_is_withheld_until_the_session_behind_it_is_read() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(_ask()) == b""
    assert _statuses(client.send(_request(GETK, b"s"))) == [OK, OK]
