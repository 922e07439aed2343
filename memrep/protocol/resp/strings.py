"""Commands on strings: GET SET and what is made of them (Redis' t_string.c), as plans.

A value is bytes; SET and GETSET write flags 0 and drop the time to live, all that changes a part of a value
keeps both. Numbers are of 64 bits, signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from memrep.engine.operations import Decision, Operation, Result, touched
from memrep.protocol.resp.arguments import (
    ENDS,
    SYNTAX,
    TOO_LARGE,
    CommandError,
    deadline,
    integer,
)
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, READ, WRITE, Command
from memrep.protocol.resp.plan import Plan, Step, each, one
from memrep.protocol.resp.spelling import OK, ONE, ZERO, bulk, error, pieces
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import ZERO as NO_VERSION

Words = Sequence[bytes]

#: The longest value that commands make which lengthen one, bytes.
_VALUE_MAX: Final = 512 << 20


# --- reading


def get(client: Client, words: Words) -> Plan:
    """GET key"""
    return one(client.reading(words[1]), client.shown)


def mget(client: Client, words: Words) -> Plan:
    """MGET key ..."""
    return each((client.reading(key) for key in words[1:]), partial(pieces, client.shown))


def strlen(client: Client, words: Words) -> Plan:
    """STRLEN key"""
    return one(client.reading(words[1]), lambda found: spell_integer(len(value_of(found) or b"")))


def getrange(client: Client, words: Words) -> Plan:
    """GETRANGE key start end"""
    start, end = integer(words[2]), integer(words[3])
    return one(client.reading(words[1]), lambda found: bulk(_part(value_of(found) or b"", start, end)))


def _part(value: bytes, start: int, end: int) -> bytes:
    """Return the part from `start` to `end`, which counts; negative ones count from behind."""
    if start < 0 and end < 0 and start > end:
        return b""
    size = len(value)
    start = max(0, start + size if start < 0 else start)
    end = max(0, end + size if end < 0 else end)
    return value[start : end + 1]


def value_of(found: Result) -> bytes | None:
    """Return the value of an entry that was found."""
    return found.value if isinstance(found, Entry) else None


# --- storing


def set_(client: Client, words: Words) -> Plan:
    """SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]"""
    key, value = client.key(words[1]), words[2]
    options = _options(client, words[3:], b"set")
    expires = options.expires
    say, keeps = client.say, options.keeps
    refused = say.nil

    def decide(entry: Entry | None) -> Decision:
        answer = say.value(value_of(entry)) if options.get else OK
        if (options.nx and entry is not None) or (options.xx and entry is None):
            return answer if options.get else refused
        ends = entry.expires if keeps and entry is not None else expires
        return Entry(NO_VERSION, value, 0, ends), answer

    if options.get:
        return Plan((_showing(client, client.storing(key, value, decide)),))
    stores = client.claiming if options.nx else client.storing
    return Plan((stores(key, value, decide),))


def _showing(client: Client, step: Step) -> Step:
    """Let a step that changes what it shows count as a get, too, as Redis counts it."""
    count_change, missed, count_get = step.count, client.say.nil, client.engine.count_get

    def count(result: Result) -> None:
        if count_change is not None:
            count_change(result)
        count_get(step.key, None if result == missed else result)

    return Step(step.key, step.decide, step.length, count)


class _Options:
    """What stands behind SET key value."""

    __slots__ = ("expires", "get", "keeps", "nx", "xx")

    def __init__(self) -> None:
        self.nx = self.xx = self.get = self.keeps = False
        self.expires = NEVER


def _options(client: Client, words: Words, command: bytes) -> _Options:
    """Read the options of SET; Redis looks at the time only when all words are known to be right."""
    options = _Options()
    time: tuple[bytes, bytes] | None = None
    at = 0
    while at < len(words):
        word = words[at].lower()
        if word == b"nx" and not options.xx:
            options.nx = True
        elif word == b"xx" and not options.nx:
            options.xx = True
        elif word == b"get":
            options.get = True
        elif word == b"keepttl" and time is None:
            options.keeps = True
        elif word in ENDS and (time is None or time[0] == word) and not options.keeps and at + 1 < len(words):
            time = (word, words[at + 1])
            at += 1
        else:
            raise CommandError(SYNTAX)
        at += 1
    if time is not None:
        options.expires = _expires(client, *time, command)
    return options


def _expires(client: Client, option: bytes, time: bytes, command: bytes) -> int:
    unit, relative = ENDS[option]
    return deadline(time, unit, client.clock, command, relative=relative)


def setex(client: Client, words: Words) -> Plan:
    """SETEX key seconds value"""
    return _set_until(client, words, 1000, b"setex")


def psetex(client: Client, words: Words) -> Plan:
    """PSETEX key milliseconds value"""
    return _set_until(client, words, 1, b"psetex")


def _set_until(client: Client, words: Words, unit: int, command: bytes) -> Plan:
    expires = deadline(words[2], unit, client.clock, command, relative=True)
    return Plan((client.storing(client.key(words[1]), words[3], _put(words[3], expires, OK)),))


def _put(value: bytes, expires: int, answer: bytes) -> Operation:
    return lambda entry: (Entry(NO_VERSION, value, 0, expires), answer)


def setnx(client: Client, words: Words) -> Plan:
    """SETNX key value"""
    value = words[2]
    return Plan((client.storing(client.key(words[1]), value, put_if_absent(value, NEVER, ONE, ZERO)),))


def put_if_absent(value: bytes, expires: int, done: bytes, refused: bytes) -> Operation:
    """Store where there is nothing."""
    return lambda entry: (Entry(NO_VERSION, value, 0, expires), done) if entry is None else refused


def _check_sizes(client: Client, pairs: Mapping[bytes, bytes]) -> None:
    """Refuse them all if one is too large for its key: all or nothing, as far as that can be known.

    Raises:
        CommandError: one is.
    """
    if max(map(len, pairs), default=0) + max(map(len, pairs.values()), default=0) > client.small:
        for key, value in pairs.items():
            client.check_size(key, value)


def mset(client: Client, words: Words) -> Plan:
    """MSET key value ..."""
    pairs = _pairs(client, words)
    _check_sizes(client, pairs)
    return each((Step(key, _put(value, NEVER, OK), len(value)) for key, value in pairs.items()), _ok)


def _ok(results: Sequence[Result]) -> bytes:
    return OK


def _pairs(client: Client, words: Words) -> Mapping[bytes, bytes]:
    """Return the values of MSET by stored keys; of a key that is named twice the last value counts."""
    if not len(words) % 2:
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % words[0].lower())
    return dict(zip(map(client.key, words[1::2]), words[2::2], strict=True))


def msetnx(client: Client, words: Words) -> Plan:
    """MSETNX key value ...: all of them or none."""
    return put_all_if_absent(client, _pairs(client, words), NEVER, ONE, ZERO)


def put_all_if_absent(
    client: Client, pairs: Mapping[bytes, bytes], expires: int, done: bytes, refused: bytes
) -> Plan:
    """Store all these values where there is none of them; what was stored before one refused is taken back."""

    def attempt(results: Sequence[Result]) -> bytes | Plan:
        if any(isinstance(result, Entry) for result in results):
            return refused
        _check_sizes(client, pairs)
        return Plan((storing(*pair) for pair in pairs.items()), judge, phased=True)

    def storing(key: bytes, value: bytes) -> Step:
        return Step(key, put_if_absent(value, expires, ONE, ZERO), len(value))

    def judge(results: Sequence[Result]) -> bytes | Plan:
        if all(result == ONE for result in results):
            return done
        stored = [key for key, result in zip(pairs, results, strict=True) if result == ONE]
        if not stored:
            return refused
        steps = (Step(key, client.removing_if(pairs[key], ONE, ZERO)) for key in stored)
        return Plan(steps, lambda results: refused)

    return Plan(map(client.looking, pairs), attempt, phased=True)


def getset(client: Client, words: Words) -> Plan:
    """GETSET key value"""
    say, value = client.say, words[2]

    def decide(entry: Entry | None) -> Decision:
        return Entry(NO_VERSION, value, 0, NEVER), say.value(value_of(entry))

    return Plan((_showing(client, client.storing(client.key(words[1]), value, decide)),))


def getdel(client: Client, words: Words) -> Plan:
    """GETDEL key"""
    say, tombstone = client.say, client.engine.tombstone

    def decide(entry: Entry | None) -> Decision:
        return say.nil if entry is None else (tombstone(), say.value(entry.value))

    return Plan((_showing(client, client.touching(client.key(words[1]), decide, say.nil)),))


def _time_or_persist(words: Words) -> tuple[bytes, bytes] | None:
    """Read the options of GETEX; one may be said again, and the last time counts. None stands for PERSIST."""
    time: tuple[bytes, bytes] | None = None
    left = list(words)
    while left:
        word = left.pop(0).lower()
        if word in ENDS and left and (time[0] == word if time else len(left) + 1 == len(words)):
            time = (word, left.pop(0))
        elif word != b"persist" or time:
            raise CommandError(SYNTAX)
    return time


def getex(client: Client, words: Words) -> Plan:
    """GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]"""
    say, now = client.say, client.clock.now
    if len(words) == 2:
        return get(client, words)
    time = _time_or_persist(words[2:])
    bad, expires = b"", NEVER
    try:
        if time is not None:
            expires = _expires(client, *time, b"getex")
    except CommandError as refusal:  # Redis looks for the key first
        bad = error(refusal.text)

    def decide(entry: Entry | None) -> Decision:
        if entry is None or bad:
            return say.nil if entry is None else bad
        return (touched(entry, expires, now), say.value(entry.value))

    return Plan((_showing(client, client.touching(client.key(words[1]), decide, say.nil)),))


# --- changing a part


def append(client: Client, words: Words) -> Plan:
    """APPEND key value"""
    tail = words[2]
    return Plan((client.changing(words[1], len(tail), lambda value: (whole := value + tail, len(whole))),))


def setrange(client: Client, words: Words) -> Plan | bytes:
    """SETRANGE key offset value"""
    offset, part = integer(words[2]), words[3]
    if offset < 0:
        raise CommandError(b"ERR offset is out of range")
    if not part:
        return strlen(client, words)
    if offset + len(part) > _VALUE_MAX:
        raise CommandError(TOO_LARGE)

    def change(value: bytes) -> tuple[bytes, int]:
        whole = value[:offset].ljust(offset, b"\0") + part + value[offset + len(part) :]
        return whole, len(whole)

    return Plan((client.changing(words[1], offset + len(part), change),))


COMMANDS: Final = (
    Command(b"get", 2, READ | FAST, get),
    Command(b"mget", -2, READ | FAST, mget, last=-1),
    Command(b"strlen", 2, READ | FAST, strlen),
    Command(b"getrange", 4, READ, getrange),
    Command(b"substr", 4, READ, getrange),
    Command(b"set", -3, WRITE, set_, plain=3),
    Command(b"setex", 4, WRITE, setex, plain=4, unit=1000),
    Command(b"psetex", 4, WRITE, psetex, plain=4, unit=1),
    Command(b"setnx", 3, WRITE | FAST, setnx),
    Command(b"mset", -3, WRITE, mset, last=-1, step=2),
    Command(b"msetnx", -3, WRITE, msetnx, last=-1, step=2),
    Command(b"getset", 3, WRITE | FAST, getset),
    Command(b"getdel", 2, WRITE | FAST, getdel),
    Command(b"getex", -2, WRITE | FAST, getex),
    Command(b"append", 3, WRITE | FAST, append),
    Command(b"setrange", 4, WRITE, setrange),
)
