"""Commands on all keys of a database: KEYS SCAN DBSIZE RANDOMKEY FLUSHDB FLUSHALL.

None of them stops the node, however many keys there are: they go a piece at a time, and the connection leaves
the rest to the next turn.

SCAN goes by an index (scan_index.py), made when a scan begins and forgotten when one ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from memrep.engine.operations import Result
from memrep.protocol.resp.arguments import SYNTAX, CommandError, integer
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, NO_KEYS, READ, WRITE, Command
from memrep.protocol.resp.glob import key_matcher
from memrep.protocol.resp.plan import Plan
from memrep.protocol.resp.scan_index import Index
from memrep.protocol.resp.spelling import OK, array, bulk, bulks
from memrep.protocol.resp.spelling import integer as spell_integer

Words = Sequence[bytes]

#: So many keys are looked at before anybody asks how long this turn has lasted.
_PIECE: Final = 500

_COUNT: Final = 10
_CURSOR: Final = re.compile(rb"(?:[+-]?[0-9]+)?")
_CURSOR_MAX: Final = (1 << 64) - 1


def keys(client: Client, words: Words) -> Iterator[bytes]:
    """KEYS pattern"""
    _may_list(client)
    return _keys(client, key_matcher(words[1]))


def _keys(client: Client, fits: Callable[[bytes], object]) -> Iterator[bytes]:
    database, is_live = client.database, client.engine.peek
    count, told = 0, []  # spelled at once: a million keys would be let go of all at once, too
    found: list[bytes] = []
    for number, stored in enumerate(client.server.keys()):
        key = database.named(stored)
        if key is not None and fits(key) and is_live(stored) is not None:
            found.append(key)
        if number % _PIECE == _PIECE - 1:
            count += len(found)
            told.append(b"".join(map(bulk, found)))
            found.clear()
            yield b""
    yield b"*%d\r\n" % (count + len(found))
    yield from told
    yield b"".join(map(bulk, found))


def _may_list(client: Client) -> None:
    if not client.server.lists_keys:
        raise CommandError(b"NOPERM this node does not list keys (--redis-no-keys)")


def scan(client: Client, words: Words) -> Iterator[bytes]:
    """SCAN cursor [MATCH pattern] [COUNT number] [TYPE type]"""
    _may_list(client)
    if not _CURSOR.fullmatch(words[1]) or abs(int(words[1] or b"0")) > _CURSOR_MAX:
        raise CommandError(b"ERR invalid cursor")
    fits, count, kind = key_matcher(b"*"), _COUNT, b"string"
    options = list(words[2:])
    while options:
        if len(options) < 2:
            raise CommandError(SYNTAX)
        option, value, *options = options
        if option.lower() == b"match":
            fits = key_matcher(value)
        elif option.lower() == b"count":
            count = integer(value)
            if count < 1:
                raise CommandError(SYNTAX)
        elif option.lower() == b"type":
            kind = value.lower()
        else:
            raise CommandError(SYNTAX)
    return _scan(client, int(words[1] or b"0") & _CURSOR_MAX, fits, count, kind == b"string")


def _scan(
    client: Client, cursor: int, fits: Callable[[bytes], object], count: int, has_type: bool
) -> Iterator[bytes]:
    database, server = client.database, client.server
    index = server.indexes.get(database.number)
    if index is None or not cursor or not index.serves(cursor):
        index = Index(client.clock.wall, len(server.store.values))
        for number, stored in enumerate(server.keys()):
            if database.named(stored) is not None:
                index.add(stored)
            if number % _PIECE == _PIECE - 1:
                yield b""
        server.indexes[database.number] = index
    found: list[bytes] = []
    left = count
    while left > 0:
        cursor, page = index.page(cursor, min(left, _PIECE))
        left -= max(1, len(page))
        for stored in page:
            key = database.named(stored)
            if key is not None and has_type and fits(key) and client.engine.peek(stored) is not None:
                found.append(key)
        if not cursor:
            server.indexes.pop(database.number, None)
            break
        if left > 0:
            yield b""
    yield array([bulk(b"%d" % cursor), bulks(found)])


def dbsize(client: Client, words: Words) -> bytes:
    """DBSIZE"""
    return spell_integer(client.server.store.census.of(client.database.number)[0])


def randomkey(client: Client, words: Words) -> Iterator[bytes]:
    """RANDOMKEY"""
    _may_list(client)
    return _random_key(client)


def _random_key(client: Client) -> Iterator[bytes]:
    server = client.server
    values, below = server.store.values, server.random_below
    parts = len(values.parts)
    for names in values.walk(below(parts) if parts > 1 else 0):
        start = below(len(names))
        for number in range(len(names)):
            stored = names[(start + number) % len(names)]
            key = client.database.named(stored)
            if key is not None and client.engine.peek(stored) is not None:
                yield bulk(key)
                return
            if number % _PIECE == _PIECE - 1:
                yield b""
    yield client.say.nil


def flushdb(client: Client, words: Words) -> Plan | bytes:
    """FLUSHDB [ASYNC|SYNC]"""
    return _flush(client, words, client.database.number)


def flushall(client: Client, words: Words) -> Plan | bytes:
    """FLUSHALL [ASYNC|SYNC]"""
    return _flush(client, words, None)


def _flush(client: Client, words: Words, number: int | None) -> Plan:
    if len(words) > 2 or (len(words) == 2 and words[1].lower() not in (b"async", b"sync")):
        raise CommandError(SYNTAX)
    if not client.server.flush_all:
        raise CommandError(b"NOPERM flushing is disabled on this node")
    return Plan((client.flushing(number),), _flushed, phased=True)


def _flushed(results: Sequence[Result]) -> bytes:
    return OK


COMMANDS: Final = (
    Command(b"keys", 2, READ | NO_KEYS, keys),
    Command(b"scan", -2, READ | NO_KEYS, scan),
    Command(b"dbsize", 1, READ | FAST | NO_KEYS, dbsize),
    Command(b"randomkey", 1, READ | NO_KEYS, randomkey),
    Command(b"flushdb", -1, WRITE | NO_KEYS, flushdb),
    Command(b"flushall", -1, WRITE | NO_KEYS, flushall),
)
