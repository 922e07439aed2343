"""Memcacheds, one or a whole pool: `lru_crawler metadump all` lists the keys, `mg` or `get` reads them.

A pool's clients spread sessions by hashes, by redundancy, and by whichever server was up: so a key may be at
several servers, and what is at one may be old. A handler sets the time anew with each write. So the copy that
ends last is the one that was written last, and that is taken.

metadump (memcached 1.4.31 and later) tells keys spelled as in a URL, and the end as a date by the server's own
clock, which is asked for, so that no clock of this machine counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from memrep.errors import UsageError
from memrep.handlers.forms import Form
from memrep.handlers.item import BATCH, Item, LeftOut
from memrep.handlers.places import Server
from memrep.move.connection import Connection
from memrep.move.meta import GONE, asked, is_plain, told
from memrep.move.pace import Pace

_LISTED: Final = re.compile(rb"key=(\S+) exp=(-?\d+) ")
_VALUE: Final = re.compile(rb"VALUE (\S+) (\d+) (\d+)(?: \d+)?")

#: How often a server is asked again that is busy with another listing, and how long to rest between, s.
_TRIES: Final = 20
_REST_S: Final = 0.5

#: A listing misses what memcached moves to another of its lists just then (2 of 100,000 right after they were
#: stored). So it is taken again until it brings nothing new; so often at most, for new sessions keep coming.
_LISTINGS: Final = 5

#: A time that never comes.
_FOR_EVER: Final = 1 << 62

#: From this version on `mg` is as it is today.
_META: Final = (1, 6, 12)


class Memcacheds:
    """Sessions in memcacheds.

    Args:
        servers: all of them.
        form: what the sessions' keys are.
        pace: lets time pass.

    Raises:
        UsageError: one of them does not list its keys.
        UnansweredError: one of them does not answer.
    """

    def __init__(self, servers: Sequence[Server], form: Form, pace: Pace | None = None) -> None:
        self._servers = servers
        self._form = form
        self._pace = pace or Pace()
        #: Each key, where it lasts longest, and for how long, s.
        self._keys: dict[bytes, tuple[int, int]] = {}
        self._meta: dict[Server, bool] = {}
        self._listed_at = self._pace.now_s()
        self._others = 0
        self.again = 0
        for number, server in enumerate(servers):
            with Connection(server) as connection:
                self._list(number, connection)

    def count(self) -> int:
        """Tell how many sessions there are."""
        return len(self._keys)

    def close(self) -> None:
        """Do nothing: what is open is so while it reads."""

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield all of them, one server after the other."""
        if self._others:
            yield LeftOut("no sessions, or locks", is_loss=False, count=self._others)
        if self.again:
            yield LeftOut("older or equal copies at other servers", is_loss=False, count=self.again)
        by_server: list[list[bytes]] = [[] for _ in self._servers]
        for key, (number, _) in self._keys.items():
            by_server[number].append(key)
        with ExitStack() as stack:
            for server, keys in zip(self._servers, by_server, strict=True):
                if keys:
                    connection = stack.enter_context(Connection(server))
                    rest = iter(keys)
                    while batch := list(islice(rest, BATCH)):
                        yield from self._read(connection, batch)

    def _list(self, number: int, connection: Connection) -> None:
        """Note which sessions a server holds."""
        stats = _stats(connection)
        self._meta[connection.server] = _has_meta(stats.get(b"version", b""))
        here: dict[bytes, int] = {}
        others: set[bytes] = set()
        for _ in range(_LISTINGS):
            before = len(here)
            self._list_once(connection, int(stats[b"time"]), here, others)
            if len(here) == before:
                break
        self._others += len(others)
        for key, left in here.items():
            known = self._keys.get(key)
            self.again += known is not None
            if known is None or left > known[1]:
                self._keys[key] = number, left

    def _list_once(self, connection: Connection, now: int, here: dict[bytes, int], others: set[bytes]) -> None:
        for _ in range(_TRIES):
            connection.send(b"lru_crawler metadump all\r\n")
            line = connection.line()
            if not line.startswith(b"BUSY"):
                break
            self._pace.rest(_REST_S)
        while found := _LISTED.match(line):
            key, ends = unquote_to_bytes(found[1]), int(found[2])
            left = _FOR_EVER if ends < 0 else ends - now
            if self._form.name(key) is None or not is_plain(key):
                others.add(key)
            elif left > 0:
                here[key] = left
            line = connection.line()
        if line != b"END":
            said = line.decode(errors="replace")
            raise UsageError(
                f"{connection.server} does not list its keys, it says {said!r}: it takes memcached 1.4.31 "
                "or later, without -X, with its lru_crawler"
            )

    def _read(self, connection: Connection, keys: list[bytes]) -> Iterator[Item | LeftOut]:
        found = self._by_meta if self._meta[connection.server] else self._by_get
        for item in found(connection, keys):
            if isinstance(item, LeftOut):
                yield item
            else:
                yield msgspec.structs.replace(item, name=self._form.name(item.name) or item.name)

    def _by_meta(self, connection: Connection, keys: list[bytes]) -> Iterator[Item | LeftOut]:
        connection.send(b"".join(map(asked, keys)))
        return (told(connection, key) for key in keys)

    def _by_get(self, connection: Connection, keys: list[bytes]) -> Iterator[Item | LeftOut]:
        """Read them where there is only `get`: the time left is that of the listing, less what has passed."""
        connection.send(b"get %b\r\n" % b" ".join(keys))
        missing = dict.fromkeys(keys)
        passed = self._pace.now_s() - self._listed_at
        while (line := connection.line()) != b"END":
            found = _VALUE.fullmatch(line)
            if found is None:
                raise UsageError(
                    f"{connection.server} says {line.decode(errors='replace')!r} instead of a value"
                )
            key, flags, size = found[1], int(found[2]), int(found[3])
            value = connection.exactly(size + 2)[:-2]
            missing.pop(key, None)
            left = self._keys[key][1]
            # What is still there lives, though its time may have been made anew since.
            left_ms = None if left == _FOR_EVER else max(1000, round((left - passed) * 1000))
            yield Item(key, value, flags, left_ms)
        yield from (GONE for _ in missing)


def _stats(connection: Connection) -> dict[bytes, bytes]:
    """Return the statistics of the server, which is to be a memcached."""
    connection.send(b"stats\r\n")
    stats = {}
    while (line := connection.line()).startswith(b"STAT "):
        _, name, text = line.split(b" ", 2)
        stats[name] = text
    if b"memrep_version" in stats:
        raise UsageError(
            f"{connection.server} is a memrep node, which lists no keys to clients; see `memrep dump`"
        )
    if line != b"END" or b"time" not in stats:
        said = line.decode(errors="replace")
        raise UsageError(f"{connection.server} is no memcached that may be asked without a password: {said!r}")
    return stats


def _has_meta(version: bytes) -> bool:
    """Tell whether a memcached of this version has meta commands of today's form."""
    numbers = re.match(rb"(\d+)\.(\d+)\.(\d+)", version)
    return numbers is not None and tuple(map(int, numbers.groups())) >= _META
