"""A memrep node: its port for Redis' clients lists what it holds, that for memcached's reads and writes it.

memcached's front shows clients' flags and keeps them, and lists no keys, for who knows a session's key has the
session. Redis' lists them, unless told not to (`--redis-no-keys`), and shows no flags. So each key is listed
there and read here, without counting as read by a client (`mg ... u`). What memcached cannot name, and other
databases, have no flags, and are read and written over there.

A write is on all nodes before it is answered, as any client's. Where only what is missing is written, what
somebody has ended there is not (`ms ... M+`, memrep's own): who has logged out stays so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Final

import msgspec

from memrep.errors import UsageError
from memrep.handlers.forms import is_lock
from memrep.handlers.item import BATCH, STORED, THERE, Item, LeftOut
from memrep.handlers.places import Server
from memrep.move.connection import Connection
from memrep.move.meta import GONE, asked, is_nameable, spelled, told
from memrep.move.pace import wall_s
from memrep.move.redis import RedisTarget, read_keys
from memrep.move.resp import RedisClient

#: Above this a time is a date (memcached's protocol.txt).
_SECONDS_MAX: Final = 60 * 60 * 24 * 30

#: Redis has so many databases, as memrep has.
_DATABASES: Final = 16

_LOCK: Final = LeftOut("locks", is_loss=False)

_OUTCOMES: Final = {b"HD": STORED, b"NS": THERE}
_REASONS: Final = {
    b"SERVER_ERROR object too large for cache": "larger than -I allows",
    b"SERVER_ERROR out of memory storing object": "without room (-m)",
}


class NodePorts(msgspec.Struct, frozen=True):
    """Where a node is asked.

    Attributes:
        memcached: by memcached's clients,
        redis: and by Redis'; None if there is no such port.
    """

    memcached: Server
    redis: Server | None = None


def connect(server: Server) -> Connection:
    """Return a connection to a node's port for memcached's clients, which knows who asks.

    Raises:
        UnansweredError: it does not answer.
        UsageError: it is no node, or refuses the password.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(Connection(server))
        if server.password:
            proof = f"{server.user} {server.password}".encode()
            connection.send(b"set auth 0 0 %d\r\n%b\r\n" % (len(proof), proof))
            if connection.line() != b"STORED":
                raise UsageError(f"{server} refuses this user and password; see its --auth-file")
        connection.send(b"mn\r\n")
        said = connection.line()
        if said == b"MN":
            stack.pop_all()
            return connection
    raise UsageError(
        f"{server} is no memrep node that may be asked so, it says {said.decode(errors='replace')!r}; "
        "one with an --auth-file wants --user and --password-file"
    )


class NodeSource:
    """Everything that a node holds, but for locks.

    Args:
        ports: those of the node.
        lock_prefixes: how php-memcached's locks begin.

    Raises:
        UnansweredError: one of its ports does not answer.
        UsageError: it lists no keys.
    """

    def __init__(self, ports: NodePorts, lock_prefixes: tuple[bytes, ...]) -> None:
        if ports.redis is None:
            raise UsageError(
                "a node lists its keys at its port for Redis' clients alone: say which one with --redis PORT; "
                'if it has none write redis = "127.0.0.1:6379" into memrep.toml, and restart one node at a time'
            )
        self._ports = ports
        self._locks = lock_prefixes
        self._sizes: dict[int, int] = {}
        with ExitStack() as stack:
            self._redis = stack.enter_context(closing(RedisClient(ports.redis)))
            self._look()
            stack.pop_all()

    def _look(self) -> None:
        """See how much there is."""
        if b"memrep_version" not in _text(self._redis.ask(b"INFO", b"everything")):
            raise UsageError(f"{self._redis.connection.server} is no memrep node; name its port of --redis")
        for database in range(_DATABASES):
            (reply,) = self._redis.pipeline([(b"SELECT", b"%d" % database)])
            if isinstance(reply, UsageError):
                break  # a cluster has one
            self._sizes[database] = self._redis.size()

    def close(self) -> None:
        """End the connection."""
        self._redis.close()

    def count(self) -> int:
        """Tell how many keys it has."""
        return sum(self._sizes.values())

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield all items under their keys, one database after the other."""
        with connect(self._ports.memcached) as connection:
            for database, size in self._sizes.items():
                if not size:
                    continue
                self._redis.ask(b"SELECT", b"%d" % database)
                seen: set[bytes] = set()
                for keys in self._redis.listed():
                    fresh = list(dict.fromkeys(key for key in keys if key not in seen))
                    seen.update(fresh)
                    for at in range(0, len(fresh), BATCH):
                        yield from self._batch(connection, database, fresh[at : at + BATCH])

    def _batch(self, connection: Connection, database: int, keys: list[bytes]) -> Iterator[Item | LeftOut]:
        there = [key for key in keys if database or not is_nameable(key)]
        here = [key for key in keys if not (database or not is_nameable(key))]
        connection.send(b"".join(map(asked, here)))
        for key in here:
            yield self._seen(told(connection, key))
        for key, value, left in read_keys(self._redis, there):
            if isinstance(value, bytes) and isinstance(left, int) and left > -2:
                yield self._seen(Item(key, value, 0, None if left < 0 else left, database))
            else:
                yield GONE

    def _seen(self, item: Item | LeftOut) -> Item | LeftOut:
        return _LOCK if isinstance(item, Item) and is_lock(item, self._locks) else item


class NodeTarget:
    """Writes items into a node, and so into all.

    Args:
        ports: those of the node.
        only_missing: whether keys that are there stay as they are.
        dry: whether it is only looked what would come of it.

    Raises:
        UnansweredError: one of its ports does not answer.
        UsageError: it is no node.
    """

    def __init__(self, ports: NodePorts, only_missing: bool = False, dry: bool = False) -> None:
        self._ports = ports
        self._only_missing = only_missing
        self._dry = dry
        self._connection = connect(ports.memcached)
        self._databases: dict[int, RedisTarget] = {}

    def close(self) -> None:
        """End the connections."""
        self._connection.close()
        for target in self._databases.values():
            target.close()

    def write(self, items: list[Item]) -> list[str]:
        """Write them, and return what came of each when all nodes have that."""
        here = [item for item in items if not item.database and is_nameable(item.name)]
        self._connection.send(b"".join(map(self._command, here)))
        outcomes = {id(item): self._outcome() for item in here}
        for item in items:
            if id(item) not in outcomes:
                outcomes[id(item)] = self._write_there(item)
        return [outcomes[id(item)] for item in items]

    def _command(self, item: Item) -> bytes:
        if self._dry:
            return b"mg %b u\r\n" % spelled(item.name)
        return _command(item, b"+" if self._only_missing else b"S")

    def _outcome(self) -> str:
        line = self._connection.line()
        if self._dry and line[:2] in {b"HD", b"EN"}:
            return THERE if line[:2] == b"HD" and self._only_missing else STORED
        said = line.decode(errors="replace")
        return _OUTCOMES.get(line[:2], _REASONS.get(line, f"refused: the node says {said!r}"))

    def _write_there(self, item: Item) -> str:
        if self._ports.redis is None:
            return "in another database or with a long key, which takes --redis PORT"
        target = self._databases.get(item.database)
        if target is None:
            server = msgspec.structs.replace(self._ports.redis, database=item.database)
            target = self._databases[item.database] = RedisTarget(RedisClient(server), self._only_missing)
        (outcome,) = target.look([item]) if self._dry else target.write([item])
        return outcome


def _command(item: Item, mode: bytes) -> bytes:
    time = b""
    if item.left_ms is not None:
        seconds = max(1, -(-item.left_ms // 1000))
        time = b" T%d" % (seconds if seconds <= _SECONDS_MAX else seconds + int(wall_s()))
    key, _, binary = spelled(item.name).partition(b" ")
    flags = b"%b F%d M%b%b" % (time, item.flags, mode, b" b" if binary else b"")
    return b"ms %b %d%b\r\n%b\r\n" % (key, len(item.value), flags, item.value)


def _text(reply: object) -> bytes:
    return reply if isinstance(reply, bytes) else b""
