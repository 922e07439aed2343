"""A PHP request's story at whole nodes: what pecl-memcache says, what it hears, and what all nodes make of it.

It says "take the lock, or add it; read the session" in one go, later the session and the release to each node,
each over its own connection.
"""

from __future__ import annotations

from tests.harness.cluster import Client, Cluster

LOCK = b"s.lock"
SESSION = b"s"

#: The lock's timeout in these tests, s.
TIMEOUT_S = 15

ASK = b"incr s.lock 1\r\n"
ADD = b"add s.lock 768 15 1\r\n1\r\n"
READ = b"get s\r\n"
RELEASE = b"set s.lock 768 15 1\r\n0\r\n"

#: The answers to one who gets a new lock for a session that does not exist.
GRANTED = b"NOT_FOUND\r\nSTORED\r\nVALUE s 0 0\r\n\r\nEND\r\n"

#: php-memcached's lock, how it takes it and how it releases it.
SID = b"memc.sess.key.lock.abc"
ADD_SID = b"add memc.sess.key.lock.abc 0 15 1\r\n1\r\n"
DELETE_SID = b"delete memc.sess.key.lock.abc\r\n"


def set_to(value: bytes, key: bytes = SESSION, exptime: int = 1440) -> bytes:
    return b"set %b 0 %d %d\r\n%b\r\n" % (key, exptime, len(value), value)


def copy_of(value: bytes, exptime: int = 1440) -> bytes:
    """A write as it comes to every node but the one with the lock: the release is behind it."""
    return set_to(value, exptime=exptime) + RELEASE


def shown(value: bytes) -> bytes:
    return b"VALUE s 0 %d\r\n%b\r\nEND\r\n" % (len(value), value)


def granted(cluster: Cluster, number: int, host: str = "") -> Client:
    """A client of this node that has just been granted the new lock."""
    client = cluster.client(number, host)
    assert client.send(ASK + ADD + READ) == GRANTED
    return client


def values(cluster: Cluster, key: bytes = LOCK) -> set[bytes | None]:
    return {cluster.value(number, key) for number in cluster.nodes}


def is_held(cluster: Cluster) -> bool:
    """Whether all nodes take the lock for held; they must agree."""
    held = {
        not node.store.is_miss(LOCK, cluster.now) and cluster.value(number, LOCK) != b"0"
        for number, node in cluster.nodes.items()
    }
    assert len(held) == 1
    return held.pop()


def owners(cluster: Cluster) -> set[int]:
    """The node that each node believes the lock's owner is at; 0 for nobody."""
    holds = [node.store.values[LOCK].owner for node in cluster.nodes.values()]
    return {-1 if hold is None else hold.node for hold in holds}
