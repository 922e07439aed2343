"""Whatever is not proved to be PHP's session handler at work has memcached's plain meaning, with `--php` on.

Sites lock pages and jobs under the very names that PHP gives to its sessions' locks: Django's and Laravel's
stampede locks are `KEY.lock`, the class Memcache stores integers with the flags 768 as pecl's locks have them.
"""

from __future__ import annotations

import struct

import pytest

from memrep.php.options import PhpOptions
from memrep.protocol.memcached.binary.packet import (
    ADD,
    DECR,
    DELETE,
    GET,
    HEADER,
    HEADER_BYTES,
    INCR,
    NOOP,
    REQUEST,
    SET,
)
from memrep.storage.owner import Owner
from tests.harness.cluster import Client, Cluster, serving_cluster

SETQ, DELETEQ = 0x11, 0x14

#: pecl-memcache takes the lock of the session s, and releases it.
TAKE = b"incr s.lock 1\r\nadd s.lock 768 15 1\r\n1\r\nget s\r\n"
RELEASE = b"set s.lock 768 15 1\r\n0\r\n"


def _set(value: bytes, key: bytes = b"k", exptime: int = 300) -> bytes:
    return b"set %b 0 %d %d\r\n%b\r\n" % (key, exptime, len(value), value)


def _values(cluster: Cluster, key: bytes) -> set[bytes | None]:
    return {cluster.value(number, key) for number in cluster.nodes}


def _hold(cluster: Cluster, key: bytes) -> Owner | None:
    (hold,) = {node.store.values[key].owner for node in cluster.nodes.values()}
    return hold


def _holding(cluster: Cluster, number: int = 1) -> Client:
    """A PHP worker that has taken the lock of the session s."""
    client = cluster.client(number)
    assert b"STORED" in client.send(TAKE)
    assert _hold(cluster, b"s.lock") == Owner(number, 15_000)
    return client


# --- stampede locks


@pytest.mark.parametrize("lock", [b"k.lock", b"lock.k", b"site:lock.k"])
@pytest.mark.parametrize("flags", [0, 1, 768])
def test_a_stampede_lock_works_at_every_node_and_each_write_under_it_is_executed(
    lock: bytes, flags: int
) -> None:
    cluster = serving_cluster()
    for number, value in ((1, b"on"), (2, b"off"), (2, b"on"), (1, b"off"), (3, b"on")):
        client = cluster.client(number)
        assert client.send(b"add %b %d 10 1\r\n1\r\n" % (lock, flags)) == b"STORED\r\n"
        assert client.send(_set(value)) == b"STORED\r\n"
        assert _values(cluster, b"k") == {value}
        assert cluster.client(number % 3 + 1).send(b"delete %b\r\n" % lock) == b"DELETED\r\n"
        assert _values(cluster, lock) == {None}
        client.hang_up()


def test_deletes_under_a_stampede_lock_are_executed_however_alike() -> None:
    cluster = serving_cluster()
    for number in (1, 2, 3, 2, 1):
        client = cluster.client(number)
        assert client.send(b"add k.lock 0 10 1\r\n1\r\n" + _set(b"v")) == b"STORED\r\n" * 2
        assert client.send(b"delete k\r\ndelete k.lock\r\n") == b"DELETED\r\n" * 2
        assert _values(cluster, b"k") == _values(cluster, b"k.lock") == {None}


def test_a_lock_of_the_class_memcache_outlives_its_connection_and_is_anybodys_to_delete() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(b"add job.lock 768 10 1\r\n1\r\n") == b"STORED\r\n"
    assert client.send(b"get job\r\n") == b"END\r\n"
    client.hang_up()
    assert _values(cluster, b"job.lock") == {b"1"}
    assert cluster.client(2).send(b"incr job.lock 1\r\n") == b"2\r\n"
    assert _values(cluster, b"job.lock") == {b"2"}
    assert cluster.client(3).send(b"delete job.lock\r\n") == b"DELETED\r\n"
    assert _values(cluster, b"job.lock") == {None}


def test_a_counter_that_is_named_like_a_lock_counts_and_ends_when_it_was_to_end() -> None:
    cluster = serving_cluster()
    client = cluster.client(1)
    assert client.send(b"set n.lock 768 3 1\r\n0\r\n") == b"STORED\r\n"
    client.send(b"incr n.lock 1\r\n")
    cluster.advance(200)
    assert client.take() == b"1\r\n"
    assert [cluster.client(number).send(b"incr n.lock 1\r\n") for number in (1, 2, 3)] == [
        b"2\r\n",
        b"3\r\n",
        b"4\r\n",
    ]
    client.hang_up()
    assert _values(cluster, b"n.lock") == {b"4"}
    cluster.advance(2_900)
    assert cluster.client(2).send(b"get n.lock\r\n") == b"END\r\n"


# --- whoever else writes where PHP has sessions


def test_a_write_without_a_lock_is_no_copy_though_php_has_written_the_same() -> None:
    cluster = serving_cluster()
    worker = _holding(cluster)
    assert worker.send(_set(b"on", b"s") + RELEASE) == b"STORED\r\n" * 2
    other = cluster.client(2)
    for value in (b"off", b"on"):
        other.send(_set(value, b"s"))
        cluster.advance(400)
        assert other.take() or value == b"off"
        assert _values(cluster, b"s") == {value}


def test_a_session_is_deleted_by_whom_it_may_concern() -> None:
    cluster = serving_cluster()
    worker = _holding(cluster)
    assert worker.send(_set(b"on", b"s") + b"delete s\r\n" + RELEASE).count(b"\r\n") == 3
    worker = _holding(cluster) if _values(cluster, b"s.lock") == {None} else cluster.client(1)
    worker.send(TAKE)
    assert worker.send(_set(b"anew", b"s") + RELEASE) == b"STORED\r\n" * 2
    admin = cluster.client(2)
    admin.send(b"delete s\r\n")
    cluster.advance(400)
    assert _values(cluster, b"s") == {None}


# --- a session that goes on, off, on


@pytest.mark.parametrize("nodes", [(1, 1, 1), (1, 2, 2), (1, 2, 3), (2, 1, 2)])
def test_what_a_session_was_before_it_can_be_again_under_its_lock(nodes: tuple[int, ...]) -> None:
    cluster = serving_cluster()
    for number, value in zip(nodes, (b"on", b"off", b"on"), strict=True):
        worker = cluster.client(number)
        worker.send(TAKE)
        assert worker.send(_set(value, b"s") + RELEASE) == b"STORED\r\n" * 2
        worker.hang_up()
        assert _values(cluster, b"s") == {value}


def test_what_a_session_was_before_it_can_be_again_though_the_node_with_the_lock_has_died() -> None:
    cluster = serving_cluster()
    for value in (b"on", b"off"):
        worker = cluster.client(1)
        worker.send(TAKE)
        assert worker.send(_set(value, b"s") + RELEASE) == b"STORED\r\n" * 2
        worker.hang_up()
    cluster.client(1).send(TAKE)
    cluster.advance(500)
    cluster.kill(1)
    cluster.deliver()
    assert cluster.client(2).send(_set(b"on", b"s") + RELEASE) == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"on"}
    assert b"\r\n" in cluster.client(3).send(TAKE)
    assert cluster.client(2).send(b"get s.lock\r\n").startswith(b"VALUE")


def _on_off_and_taken(number: int = 1) -> tuple[Cluster, Client]:
    """A session that has gone on and off through one node, and a worker that has just taken its lock."""
    cluster = serving_cluster()
    for value in (b"on", b"off"):
        worker = cluster.client(1)
        worker.send(TAKE)
        assert worker.send(_set(value, b"s") + RELEASE) == b"STORED\r\n" * 2
        worker.hang_up()
    worker = cluster.client(number)
    worker.send(TAKE)
    return cluster, worker


def test_a_late_copy_of_what_was_on_is_not_taken_for_the_next_on() -> None:
    cluster, worker = _on_off_and_taken(3)
    late = cluster.client(2)
    assert late.send(_set(b"on", b"s") + RELEASE) == b""  # it may be the worker's
    assert _values(cluster, b"s") == {b"off"}
    assert worker.send(_set(b"off", b"s")) == b"STORED\r\n"
    cluster.advance(50)
    assert late.take() == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"off"}
    assert worker.send(RELEASE) == b"STORED\r\n"


def test_what_may_be_a_copy_or_the_next_on_is_told_when_the_holders_own_node_has_it() -> None:
    cluster, worker = _on_off_and_taken(3)
    elsewhere = cluster.client(2)
    assert elsewhere.send(_set(b"on", b"s") + RELEASE) == b""
    assert worker.send(_set(b"on", b"s") + RELEASE) == b"STORED\r\n" * 2
    cluster.advance(50)
    assert elsewhere.take() == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"on"}


def test_what_may_be_a_copy_or_the_next_on_is_executed_if_the_holders_own_node_dies() -> None:
    cluster, _ = _on_off_and_taken(3)
    elsewhere = cluster.client(2)
    assert elsewhere.send(_set(b"on", b"s") + RELEASE) == b""
    cluster.kill(3)
    cluster.deliver()
    cluster.advance(50)
    assert elsewhere.take() == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"on"}


def test_a_copy_from_before_the_grant_is_not_executed_when_the_holders_own_node_dies() -> None:
    cluster = serving_cluster()
    late = cluster.client(2)
    for value in (b"on", b"off", b""):
        worker = cluster.client(1)
        worker.send(TAKE)
        if value:
            assert worker.send(_set(value, b"s") + RELEASE) == b"STORED\r\n" * 2
            worker.hang_up()
    assert late.send(_set(b"on", b"s") + RELEASE) == b""
    cluster.kill(1)
    cluster.deliver()
    cluster.advance(50)
    assert late.take() == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"off"}


def test_a_copy_waits_no_longer_for_a_holder_that_takes_its_time() -> None:
    cluster, _ = _on_off_and_taken(3)
    late = cluster.client(2)
    late.send(_set(b"on", b"s") + RELEASE)
    cluster.advance(650)
    assert late.take() == b""
    cluster.advance(50)
    assert late.take() == b"STORED\r\n" * 2
    assert _values(cluster, b"s") == {b"off"}


# --- all that may be done to a held lock


def _packet(
    opcode: int, key: bytes = b"s.lock", extras: bytes = b"", value: bytes = b"", cas: int = 0
) -> bytes:
    size = len(key) + len(extras) + len(value)
    return HEADER.pack(REQUEST, opcode, len(key), len(extras), 0, 0, size, 7, cas) + extras + key + value


_NUMBER = struct.pack(">QQI", 1, 0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"delete s.lock\r\n", b"DELETED\r\n"),
        (RELEASE, b"STORED\r\n"),
        (b"decr s.lock 1\r\n", b"0\r\n"),
        (b"incr s.lock 5\r\n", b"6\r\n"),
        (b"md s.lock\r\n", b"HD\r\n"),
        (b"md s.lock x\r\n", b"HD\r\n"),
        (b"ms s.lock 1 F768 T15\r\n0\r\n", b"HD\r\n"),
        (b"ms s.lock 1 F768 T15 E77\r\n0\r\n", b"HD\r\n"),
        (b"ma s.lock MD v\r\n", b"VA 1\r\n0\r\n"),
        (b"ma s.lock D4 v\r\n", b"VA 1\r\n5\r\n"),
        (_packet(DELETE), None),
        (_packet(DELETEQ) + _packet(NOOP, b""), None),
        (_packet(SET, extras=struct.pack(">II", 768, 15), value=b"0"), None),
        (_packet(DECR, extras=_NUMBER), None),
        (_packet(INCR, extras=_NUMBER), None),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_whatever_would_free_or_count_a_held_lock_is_told_and_not_done(
    command: bytes, answer: bytes | None, number: int
) -> None:
    cluster = serving_cluster()
    owner = _holding(cluster)
    before = [node.store.values[b"s.lock"] for node in cluster.nodes.values()]
    told = cluster.client(number).send(command)
    assert told == answer or (answer is None and HEADER.unpack_from(told)[5] == 0)
    assert [node.store.values[b"s.lock"] for node in cluster.nodes.values()] == before
    assert owner.send(RELEASE) == b"STORED\r\n"
    assert _values(cluster, b"s.lock") == {b"0"}


@pytest.mark.parametrize(
    "command",
    [
        b"md s.lock\r\n",
        b"ms s.lock 1 F768 T15\r\n0\r\n",
        b"decr s.lock 1\r\n",
        b"ma s.lock MD\r\n",
        b"delete s.lock\r\n",
        RELEASE,
    ],
)
def test_its_holder_frees_it_by_any_of_them(command: bytes) -> None:
    cluster = serving_cluster()
    owner = _holding(cluster)
    assert owner.send(command)
    assert _values(cluster, b"s.lock") <= {None, b"0"}
    assert cluster.client(2).send(TAKE).split(b"\r\n")[0] in (b"1", b"NOT_FOUND")


def test_what_is_no_release_and_no_number_is_done_to_a_held_lock() -> None:
    cluster = serving_cluster()
    _holding(cluster)
    other = cluster.client(2)
    assert other.send(b"touch s.lock 100\r\n") == b"TOUCHED\r\n"
    assert _values(cluster, b"s.lock") == {b"1"}
    assert other.send(b"set s.lock 0 0 5\r\nhello\r\n") == b"STORED\r\n"
    assert _values(cluster, b"s.lock") == {b"hello"}


# --- eviction


def test_a_held_lock_of_a_sites_own_prefix_is_not_evicted_and_what_is_named_like_a_lock_is() -> None:
    php_options = PhpOptions(prefixes=(b"mysite:lock.",))
    cluster = serving_cluster(memory=8 << 20, item_max=1 << 20, php_options=php_options)
    worker = cluster.client(1)
    assert worker.send(b"add mysite:lock.sid 0 300 1\r\n1\r\n") == b"STORED\r\n"
    writer = cluster.client(2)
    writer.send(b"add job.lock 768 300 1\r\n1\r\n")
    for number in range(40):
        writer.send(b"set n%d 0 0 300000\r\n%b\r\n" % (number, b"x" * 300_000))
        cluster.advance(50)
    assert _values(cluster, b"mysite:lock.sid") == {b"1"}
    assert _values(cluster, b"job.lock") == {None}


def test_without_php_keys_that_end_in_lock_fill_no_memory() -> None:
    cluster = serving_cluster(memory=8 << 20, php_options=PhpOptions(on=False))
    writer = cluster.client(1)
    value = b"x" * 300_000
    for number in range(60):
        assert writer.send(b"set n%d.lock 0 0 300000\r\n%b\r\n" % (number, value)) == b"STORED\r\n"
        cluster.advance(50)
    assert all(node.store.used <= 1.1 * (8 << 20) for node in cluster.nodes.values())


# --- a proxy that speaks for many over few connections


def test_a_connection_that_takes_a_lock_while_it_holds_one_is_no_workers_own() -> None:
    cluster = serving_cluster()
    proxy = _holding(cluster)
    proxy.send(TAKE.replace(b"s", b"t").replace(b"tet", b"set"))
    assert _hold(cluster, b"s.lock") is None
    assert _values(cluster, b"s.lock") == {b"1"}
    assert cluster.client(2).send(b"delete s.lock\r\n") == b"DELETED\r\n"
    proxy.hang_up()
    assert _values(cluster, b"s.lock") == {None}


@pytest.mark.parametrize("worker", [True, False])
def test_php_memcacheds_requests_through_a_proxys_connections_wait_for_nothing(worker: bool) -> None:
    """One command after another over the next of four connections, as twemproxy does."""
    cluster = serving_cluster()
    connections = [cluster.client(1) for _ in range(4)]
    spoken = 0

    def say(line: bytes) -> bytes:
        nonlocal spoken
        spoken += 1
        return connections[spoken % 4].send(line)

    for number in range(20):
        assert say(b"add memc.sess.key.lock.sid 0 30 1\r\n1\r\n") == b"STORED\r\n", number
        assert say(b"get memc.sess.key.sid\r\n").endswith(b"END\r\n")
        if not worker and number:
            assert say(b"add memc.sess.key.lock.sid 0 30 1\r\n1\r\n") == b"NOT_STORED\r\n"
        assert say(_set(b"%d" % number, b"memc.sess.key.sid", 1440)) == b"STORED\r\n"
        assert say(b"delete memc.sess.key.lock.sid\r\n") == b"DELETED\r\n"
        assert _values(cluster, b"memc.sess.key.lock.sid") == {None}


@pytest.mark.parametrize("age", [0, 200])
def test_a_release_that_was_taken_for_a_copy_counts_when_its_lock_turns_out_to_be_a_proxys(age: int) -> None:
    """Its session may be at another node, so that nothing is written here by which a proxy could be known."""
    cluster = serving_cluster()
    one, other = cluster.client(1), cluster.client(1)
    add = b"add memc.sess.key.lock.sid 0 30 1\r\n1\r\n"
    assert one.send(add) == b"STORED\r\n"
    cluster.advance(age)
    assert other.send(b"delete memc.sess.key.lock.sid\r\n") == b"DELETED\r\n"
    assert one.send(add) == b"STORED\r\n"


def test_a_release_counts_though_its_connection_has_written_for_somebody_else_before() -> None:
    """What three requests say over a proxy's connection may look like one; the release comes over another."""
    cluster = serving_cluster()
    one, other = cluster.client(1), cluster.client(1)
    assert b"STORED" in other.send(TAKE)
    assert other.send(_set(b"1", b"s", 1440) + RELEASE) == b"STORED\r\n" * 2
    assert one.send(TAKE).startswith(b"1\r\n")
    assert other.send(RELEASE) == b"STORED\r\n"
    assert one.send(TAKE).startswith(b"1\r\n")


# --- a site's own memcached.sess_prefix, of which nobody has been told

_SID = b"0123456789abcdefghijklmnop"
_SESSION, _LOCK = b"shop." + _SID, b"shop.lock." + _SID


def _stored(opcode: int, key: bytes, value: bytes, exptime: int) -> bytes:
    return _packet(opcode, key, struct.pack(">II", 0, exptime), value)


def _says(client: Client, *packets: bytes) -> list[int]:
    """The status of each answer."""
    replies, statuses, start = client.send(b"".join(packets)), [], 0
    while start < len(replies):
        _, _, _, _, _, status, length, _, _ = HEADER.unpack_from(replies, start)
        statuses.append(status)
        start += HEADER_BYTES + length
    return statuses


def _visit(cluster: Cluster, lock: int, data: int, value: bytes) -> None:
    """A request of php-memcached's whose copies are still on their way."""
    locks, writes = cluster.client(lock), cluster.client(data)
    assert _says(locks, _stored(ADD, _LOCK, b"1", 30)) == [0]
    assert _says(writes, _packet(GET, _SESSION)) in ([0], [1])
    assert _says(writes, _stored(SET, _SESSION, value, 1440)) == [0]
    assert _says(locks, _packet(DELETE, _LOCK)) == [0]


def test_late_copies_are_known_under_a_prefix_that_nobody_has_named() -> None:
    cluster = serving_cluster()
    _visit(cluster, 1, 2, b"one")
    _visit(cluster, 3, 1, b"two")
    assert _says(cluster.client(1), _stored(ADD, _LOCK, b"1", 30)) == [0]
    for number in (1, 3):
        late = cluster.client(number)
        assert _says(late, _stored(SETQ, _SESSION, b"one", 1440) * 3, _packet(DELETEQ, _LOCK)) == []
    assert _values(cluster, _SESSION) == {b"two"}
    assert _values(cluster, _LOCK) == {b"1"}
    for number in (1, 3):
        assert any("--lock-prefix" in line for line in cluster.logs[number])
        assert _says(cluster.client(number), _packet(DELETEQ, _LOCK)) == []
    assert _values(cluster, _LOCK) == {b"1"}


def test_a_late_copy_of_a_release_frees_nobodys_lock_though_its_session_came_before_the_grant() -> None:
    """php-memcached writes the session to a node at which the grant of its lock is not yet committed."""
    cluster = serving_cluster()
    locks, writes, following = cluster.client(1), cluster.client(2), cluster.client(1)
    locks.post(_stored(ADD, _LOCK, b"1", 30))
    cluster.step((1, 2), (1, 3))
    cluster.step((2, 1), (3, 1))  # node 1 knows that all have it, and its client does
    cluster.hold((1, 2))
    writes.post(_stored(SET, _SESSION, b"one", 1440))
    cluster.release()
    cluster.deliver()
    assert _values(cluster, _SESSION) == {b"one"}
    locks.post(_packet(DELETE, _LOCK))
    cluster.step((1, 2), (1, 3))
    writes.post(_packet(DELETEQ, _LOCK))  # the copy waits for the release itself,
    following.post(_stored(ADD, _LOCK, b"1", 30))  # and so does the next request, at the node of the lock
    cluster.deliver()
    assert len(following.take()) == HEADER_BYTES
    assert _values(cluster, _LOCK) == {b"1"}


def test_a_copy_that_came_before_the_others_fell_silent_does_not_show_its_host_to_be_on_this_side() -> None:
    """What stands behind it is waited for; it begins to wait for the others when they have been silent long."""
    cluster = serving_cluster()
    _visit(cluster, 1, 1, b"one")
    cut_off = cluster.client(3, "10.9.9.9")
    cut_off.post(_stored(SETQ, _SESSION, b"one", 1440))
    cluster.hold(*((number, 3) for number in (1, 2)), *((3, number) for number in (1, 2)))
    for _ in range(60):
        cluster.advance(50)
        assert not cluster.nodes[3].staleness.serves(cut_off.connection)
    assert cluster.members(3) == [3]


def test_a_quiet_write_without_a_release_behind_it_is_no_copy() -> None:
    cluster = serving_cluster()
    _visit(cluster, 1, 1, b"one")
    _visit(cluster, 1, 1, b"two")
    plain = cluster.client(2)
    assert _says(plain, _stored(SETQ, _SESSION, b"one", 1440), _packet(NOOP, b"")) == [0]
    assert _values(cluster, _SESSION) == {b"one"}


def test_a_lock_that_may_be_php_memcacheds_keeps_its_plain_meaning() -> None:
    cluster = serving_cluster()
    plain = cluster.client(1)
    assert _says(plain, _stored(ADD, _LOCK, b"1", 30)) == [0]
    plain.hang_up()
    assert _values(cluster, _LOCK) == {b"1"}
    assert cluster.client(2).send(b"incr %b 1\r\n" % _LOCK) == b"2\r\n"
    assert cluster.client(3).send(b"delete %b\r\n" % _LOCK) == b"DELETED\r\n"
    assert _values(cluster, _LOCK) == {None}
