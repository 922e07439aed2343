"""Commands on keys, whatever is stored under them: DEL EXPIRE TTL RENAME and others (Redis' db.c, expire.c)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from memrep.engine.operations import DELETED, NOT_FOUND, Decision, Result, touched
from memrep.protocol.resp.arguments import (
    INT_MAX,
    INT_MIN,
    NO_SUCH_KEY,
    SYNTAX,
    CommandError,
    bad_expire_time,
    integer,
    is_integer,
)
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, READ, WRITE, Command, container
from memrep.protocol.resp.plan import Plan, Step, each, one
from memrep.protocol.resp.spelling import OK, ONE, ZERO, bulk, error, simple
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.storage.entry import NEVER, Entry
from memrep.storage.store import cost_of, idle
from memrep.storage.version import ZERO as NO_VERSION

Words = Sequence[bytes]

_NO_LFU: Final = (
    b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
    b"switching between policies at runtime LRU and LFU data will take some time to adjust."
)

#: What TTL answers of a key that never ends, and of one that is not there.
_NEVER_ENDS: Final = -1
_IS_MISSING: Final = -2


def delete(client: Client, words: Words) -> Plan:
    """DEL key ...; UNLINK is the same."""
    engine = client.engine

    def decide(entry: Entry | None) -> Decision:
        return NOT_FOUND if entry is None else (engine.tombstone(), DELETED)  # one for each: it gets a version

    count = engine.counters.counted("delete")
    keys = dict.fromkeys(words[1:])  # one that is named twice is deleted once
    return each((Step(client.key(key), decide, count=count) for key in keys), partial(_how_many, DELETED))


def _how_many(wanted: object, results: Sequence[Result]) -> bytes:
    return spell_integer(sum(result is wanted for result in results))


def exists(client: Client, words: Words) -> Plan:
    """EXISTS key ...: each time that one is named counts."""
    return each((client.looking(client.key(word)) for word in words[1:]), _found)


def touch(client: Client, words: Words) -> Plan:
    """TOUCH key ..."""
    return each((client.reading(word) for word in words[1:]), _found)


def _found(results: Sequence[Result]) -> bytes:
    return spell_integer(sum(isinstance(result, Entry) for result in results))


def type_(client: Client, words: Words) -> Plan:
    """TYPE key"""
    looked = client.looking(client.key(words[1]))
    return one(looked, lambda found: simple(b"none" if found is None else b"string"))


# --- when they end


def ttl(client: Client, words: Words) -> Plan:
    """TTL key, s"""
    return _end(client, words[1], lambda left, wall: (left + 500) // 1000)


def pttl(client: Client, words: Words) -> Plan:
    """PTTL key, ms"""
    return _end(client, words[1], lambda left, wall: left)


def expiretime(client: Client, words: Words) -> Plan:
    """EXPIRETIME key, s since 1970"""
    return _end(client, words[1], lambda left, wall: (wall + left + 500) // 1000)


def pexpiretime(client: Client, words: Words) -> Plan:
    """PEXPIRETIME key, ms since 1970"""
    return _end(client, words[1], lambda left, wall: wall + left)


def _end(client: Client, word: bytes, spelled: Callable[[int, int], int]) -> Plan:
    def spell(found: Result) -> bytes:
        if not isinstance(found, Entry):
            return spell_integer(_IS_MISSING)
        if found.expires >= NEVER:
            return spell_integer(_NEVER_ENDS)
        return spell_integer(spelled(max(0, found.expires - client.clock.now), client.clock.wall))

    return one(client.looking(client.key(word)), spell)


def expire(client: Client, words: Words) -> Plan:
    """EXPIRE key s [NX|XX|GT|LT]"""
    return _expire(client, words, 1000, relative=True)


def pexpire(client: Client, words: Words) -> Plan:
    """PEXPIRE key ms [NX|XX|GT|LT]"""
    return _expire(client, words, 1, relative=True)


def expireat(client: Client, words: Words) -> Plan:
    """EXPIREAT key s [NX|XX|GT|LT]"""
    return _expire(client, words, 1000, relative=False)


def pexpireat(client: Client, words: Words) -> Plan:
    """PEXPIREAT key ms [NX|XX|GT|LT]"""
    return _expire(client, words, 1, relative=False)


def _expire(client: Client, words: Words, unit: int, *, relative: bool) -> Plan:
    """Let a key end at another time, be it in the past: then it is deleted."""
    clock, engine = client.clock, client.engine
    options = _expire_options(words[3:])
    number = integer(words[2])
    if not -(-INT_MIN // unit) <= number <= INT_MAX // unit or number * unit > INT_MAX - (
        clock.wall if relative else 0
    ):
        raise bad_expire_time(words[0].lower())
    ends = clock.now + number * unit - (0 if relative else clock.wall)
    return Plan(
        (client.touching(client.key(words[1]), expiring(ends, clock.now, engine.tombstone, options), ZERO),)
    )


def expiring(
    ends: int, now: int, tombstone: Callable[[], Entry], options: frozenset[bytes] = frozenset()
) -> Callable[[Entry | None], Decision]:
    """Let what is there end then (own monotonic ms), if these options allow it."""
    ends = min(ends, NEVER - 1)

    def decide(entry: Entry | None) -> Decision:
        if entry is None or not _allowed(entry.expires, ends, options):
            return ZERO
        if ends <= now:
            return tombstone(), ONE
        return touched(entry, ends, now), ONE

    return decide


def _allowed(before: int, ends: int, options: frozenset[bytes]) -> bool:
    """Tell whether these options allow this end; what never ends counts as ending after all others."""
    if b"nx" in options and before < NEVER:
        return False
    if b"xx" in options and before >= NEVER:
        return False
    if b"gt" in options and ends <= before:
        return False
    return not (b"lt" in options and ends >= before)


def _expire_options(words: Words) -> frozenset[bytes]:
    options = set()
    for word in words:
        if word.lower() not in (b"nx", b"xx", b"gt", b"lt"):
            raise CommandError(b"ERR Unsupported option %b" % word)
        options.add(word.lower())
    if b"nx" in options and len(options) > 1:
        raise CommandError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"gt", b"lt"} <= options:
        raise CommandError(b"ERR GT and LT options at the same time are not compatible")
    return frozenset(options)


def persist(client: Client, words: Words) -> Plan:
    """PERSIST key"""
    now = client.clock.now

    def decide(entry: Entry | None) -> Decision:
        if entry is None or entry.expires >= NEVER:
            return ZERO
        return touched(entry, NEVER, now), ONE

    return Plan((client.touching(client.key(words[1]), decide, ZERO),))


# --- other names


def rename(client: Client, words: Words) -> Plan:
    """RENAME key newkey"""
    return _rename(client, words, OK, overwrites=True)


def renamenx(client: Client, words: Words) -> Plan:
    """RENAMENX key newkey"""
    return _rename(client, words, ONE, overwrites=False)


def _rename(client: Client, words: Words, done: bytes, *, overwrites: bool) -> Plan:
    """Store it under the new name first, then delete the old one unless it has changed meanwhile."""
    old, new = client.key(words[1]), client.key(words[2])

    def copy(results: Sequence[Result]) -> bytes | Plan:
        found = results[0]
        if not isinstance(found, Entry):
            return error(NO_SUCH_KEY)
        if old == new:
            return done if overwrites else ZERO

        def put(entry: Entry | None) -> Decision:
            if entry is not None and not overwrites:
                return ZERO
            copied = Entry(NO_VERSION, found.value, found.flags, found.expires)
            return copied, done

        step = client.storing(new, found.value or b"", put)
        return Plan((step,), partial(drop, found), phased=True)

    def drop(found: Entry, results: Sequence[Result]) -> bytes | Plan:
        reply = results[0]
        if reply != done:
            return reply if isinstance(reply, bytes) else client.refused(reply)
        tombstone = client.engine.tombstone
        unchanged = found.version

        def decide(entry: Entry | None) -> Decision:
            return done if entry is None or entry.version != unchanged else (tombstone(), done)

        return Plan((Step(old, decide),))

    return Plan((client.reading(words[1]),), copy, phased=True)


# --- what is known of them


def _encoded(client: Client, words: Words) -> Plan:
    return _told(client, words, lambda key, entry: bulk(_encoding(entry.value or b"")))


def _references(client: Client, words: Words) -> Plan:
    return _told(client, words, lambda key, entry: ONE)


def _idle(client: Client, words: Words) -> Plan:
    return _told(client, words, lambda key, entry: spell_integer(idle(entry, client.clock)))


def _frequency(client: Client, words: Words) -> Plan:
    return _told(client, words, lambda key, entry: error(_NO_LFU))


def _usage(client: Client, words: Words) -> Plan:
    if len(words) not in (3, 5) or (len(words) == 5 and words[3].lower() != b"samples"):
        raise CommandError(SYNTAX)
    if len(words) == 5 and integer(words[4]) < 0:
        raise CommandError(SYNTAX)
    return _told(client, words, lambda key, entry: spell_integer(cost_of(key, entry)))


def _told(client: Client, words: Words, spell: Callable[[bytes, Entry], bytes]) -> Plan:
    key = client.key(words[2])
    return one(
        client.looking(key),
        lambda found: spell(key, found) if isinstance(found, Entry) else client.say.nil,
    )


def _encoding(value: bytes) -> bytes:
    if is_integer(value):
        return b"int"
    return b"embstr" if len(value) <= 44 else b"raw"


COMMANDS: Final = (
    Command(b"del", -2, WRITE, delete, last=-1),
    Command(b"unlink", -2, WRITE | FAST, delete, last=-1),
    Command(b"exists", -2, READ | FAST, exists, last=-1),
    Command(b"touch", -2, READ | FAST, touch, last=-1),
    Command(b"type", 2, READ | FAST, type_),
    Command(b"ttl", 2, READ | FAST, ttl),
    Command(b"pttl", 2, READ | FAST, pttl),
    Command(b"expiretime", 2, READ | FAST, expiretime),
    Command(b"pexpiretime", 2, READ | FAST, pexpiretime),
    Command(b"expire", -3, WRITE | FAST, expire),
    Command(b"pexpire", -3, WRITE | FAST, pexpire),
    Command(b"expireat", -3, WRITE | FAST, expireat),
    Command(b"pexpireat", -3, WRITE | FAST, pexpireat),
    Command(b"persist", 2, WRITE | FAST, persist),
    Command(b"rename", 3, WRITE, rename, last=2),
    Command(b"renamenx", 3, WRITE | FAST, renamenx, last=2),
    container(
        b"object",
        Command(b"encoding", 3, READ, _encoded, first=2, last=2),
        Command(b"refcount", 3, READ, _references, first=2, last=2),
        Command(b"idletime", 3, READ, _idle, first=2, last=2),
        Command(b"freq", 3, READ, _frequency, first=2, last=2),
    ),
    container(b"memory", Command(b"usage", -3, READ, _usage, first=2, last=2)),
)
