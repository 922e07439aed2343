"""EVAL by meaning: the lock and counter scripts that clients send, known by their text, done without Lua.

A client library sends a few fixed scripts, the same in every site that uses it. Each is one read-modify-write
on a key, or a few, and is done as one, atomically across nodes; Lua on each node could not be. A script is
known by the SHA1 of its exact text, or, for those that people write by hand, by its normal form: without
comments, with one kind of quote, one blank at most, and the names of commands in lower case. A script that is
not known is refused.

EVALSHA of a known SHA1 is done though nobody has loaded it: clients send EVALSHA first, and save a round trip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha1
from typing import Final

from memrep.engine.operations import Decision, Operation, Result, touched
from memrep.protocol.resp.absent import REFUSED
from memrep.protocol.resp.arguments import CommandError, deadline, integer
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import MOVABLE_KEYS, NO_KEYS, WRITE, Command, container
from memrep.protocol.resp.keys import expiring
from memrep.protocol.resp.numbers import adding
from memrep.protocol.resp.plan import Plan, Step, each
from memrep.protocol.resp.spelling import OK, ONE, ZERO, array, bulk
from memrep.protocol.resp.spelling import integer as spell_integer
from memrep.protocol.resp.strings import put_all_if_absent, put_if_absent, value_of
from memrep.storage.entry import NEVER, Entry

Words = Sequence[bytes]

#: A script: its keys (as stored) and its arguments to what it does.
Script = Callable[[Client, Words, Words], Plan]

_UNKNOWN: Final = REFUSED + b" memrep runs no Lua, only the known lock scripts; see the documentation"
_SHA_BYTES: Final = 40
_NO_SCRIPT: Final = b"NOSCRIPT No matching script. Please use EVAL."


# --- what scripts mean


def compare_and_delete(client: Client, keys: Words, arguments: Words) -> Plan:
    """Delete each key that has this value, the first argument; tell how many."""
    token = arguments[0]
    return each([client.touching(key, client.removing_if(token, ONE, ZERO), ZERO) for key in keys], _count)


def _count(results: Sequence[Result]) -> bytes:
    return spell_integer(sum(result == ONE for result in results))


def compare_and_expire(client: Client, keys: Words, arguments: Words) -> Plan:
    """Let the key end in so many ms, the second argument, if it has this value, the first."""
    return Plan((_if_equal(client, keys[0], arguments[0], _ends_in(client, integer(arguments[1]))),))


def compare_and_expire_or_persist(client: Client, keys: Words, arguments: Words) -> Plan:
    """Do as `compare_and_expire` does, but in seconds; nought or less lets the key live for ever."""
    seconds = integer(arguments[1])
    now = client.clock.now
    if seconds > 0:
        then = _ends_in(client, seconds * 1000)
    else:

        def then(entry: Entry | None) -> Decision:
            return ZERO if entry is None else (touched(entry, NEVER, now), ONE)

    return Plan((_if_equal(client, keys[0], arguments[0], then),))


def compare_and_expire_or_add(client: Client, keys: Words, arguments: Words) -> Plan:
    """Let the key end in so many ms if it has this value; store that with this end if there is nothing."""
    token = arguments[0]
    renew = _ends_in(client, integer(arguments[1]))
    expires = deadline(arguments[1], 1, client.clock, b"set", relative=True)
    add = put_if_absent(token, expires, OK, client.say.nil)

    def decide(entry: Entry | None) -> Decision:
        return renew(entry) if entry is not None and entry.value == token else add(entry)

    return Plan((client.storing(keys[0], token, decide),))


def extend(client: Client, keys: Words, arguments: Words) -> Plan:
    """Give the key so many ms, the second argument, on top of what it has left unless the third is "1".

    It must have this value, the first argument, and an end.
    """
    ms, now = integer(arguments[1]), client.clock.now
    tombstone = client.engine.tombstone

    def then(entry: Entry | None) -> Decision:
        if entry is None or entry.expires >= NEVER:
            return ZERO
        ends = ms + (now if arguments[2] == b"1" else entry.expires)
        return expiring(ends, now, tombstone)(entry)

    return Plan((_if_equal(client, keys[0], arguments[0], then),))


def _ends_in(client: Client, ms: int) -> Operation:
    return expiring(client.clock.now + ms, client.clock.now, client.engine.tombstone)


def _if_equal(client: Client, key: bytes, token: bytes, then: Operation) -> Step:
    """Do that to a key that has this value; tell 0 of any other."""

    def decide(entry: Entry | None) -> Decision:
        return then(entry) if entry is not None and entry.value == token else ZERO

    return client.touching(key, decide, ZERO)


def add_all(client: Client, keys: Words, arguments: Words) -> Plan:
    """Store this value, the first argument, for so many ms under each key, if there is none of them."""
    expires = deadline(arguments[1], 1, client.clock, b"set", relative=True)
    pairs = dict.fromkeys(keys, arguments[0])
    return put_all_if_absent(client, pairs, expires, spell_integer(len(keys)), ZERO)


def extend_all(client: Client, keys: Words, arguments: Words) -> Plan:
    """Let each key end in so many ms if all have this value."""
    token = arguments[0]
    renew = _ends_in(client, integer(arguments[1]))

    def attempt(results: Sequence[Result]) -> bytes | Plan:
        if any(value_of(result) != token for result in results):
            return ZERO
        steps = [_if_equal(client, key, token, renew) for key in keys]
        return each(steps, lambda done: spell_integer(len(keys)) if all(r == ONE for r in done) else ZERO)

    return Plan([client.looking(key) for key in keys], attempt, phased=True)


def add(client: Client, keys: Words, arguments: Words) -> Plan:
    """Store this value, the first argument, for so many seconds, the second, if there is none."""
    expires = deadline(arguments[1], 1000, client.clock, b"setex", relative=True)
    decide = put_if_absent(arguments[0], expires, OK, client.say.nil)
    return Plan((client.storing(keys[0], arguments[0], decide),))


def add_first(client: Client, keys: Words, arguments: Words) -> Plan:
    """Store the third argument for so many seconds under the first key that is free; tell which one it is."""
    expires = deadline(arguments[1], 1000, client.clock, b"set", relative=True)
    name, value = arguments[0], arguments[2]

    def attempt(at: int, results: Sequence[Result]) -> bytes | Plan:
        if at and results[0] == ONE:
            return bulk(name + b"%d" % at)
        if at == len(keys):
            return client.say.nil
        step = client.storing(keys[at], value, put_if_absent(value, expires, ONE, ZERO))
        return Plan((step,), partial(attempt, at + 1), phased=True)

    return Plan((), partial(attempt, 0), phased=True)


def increase(client: Client, keys: Words, arguments: Words) -> Plan:
    """Add so much to the number of the key."""
    return Plan((client.storing(keys[0], b"", adding(integer(arguments[0]))),))


def increase_if_there(client: Client, keys: Words, arguments: Words) -> Plan:
    """Add so much to the number of the key, if there is one."""
    add_to = adding(integer(arguments[0]))
    nil = client.say.nil
    return Plan((client.storing(keys[0], b"", lambda entry: nil if entry is None else add_to(entry)),))


#: How many arguments each needs, at least, and how many keys.
_NEEDS: Final[dict[Script, int]] = {
    compare_and_delete: 1,
    compare_and_expire: 2,
    compare_and_expire_or_persist: 2,
    compare_and_expire_or_add: 2,
    extend: 3,
    add_all: 2,
    extend_all: 2,
    add: 2,
    add_first: 3,
    increase: 1,
    increase_if_there: 1,
}

#: Those that do nothing to no key.
_OF_ANY_KEYS: Final = frozenset([compare_and_delete, add_all, extend_all, add_first])

#: What clients send, by the SHA1 of its exact text.
SCRIPTS: Final[dict[bytes, Script]] = {
    b"b70c2384248f88e6b75b9f89241a180f856ad852": compare_and_delete,  # phpredis, sessions
    b"647c65a442733a1aa440f99908d249d13b4d6c4a": compare_and_delete,  # Laravel 8-13, locks
    b"a50243715157b186c5162c69e02eff3bf0c7994a": compare_and_delete,  # Laravel, limiter
    b"bec85b1c518b7ba0348a49c79b24adbb1ca95d3b": compare_and_delete,  # Symfony before 5.2
    b"c3f8721cbb97f72bc19e972846bd7aaf91901658": compare_and_delete,  # redis-py, django-redis
    b"e4612211c9f8f51c257e26e056b0a654b3187242": compare_and_delete,  # node-redlock 5, several keys
    b"d5f94f1848f0c54fff99d99dbc4d54184a157c02": compare_and_expire_or_persist,  # Laravel 13, refresh
    b"ae948f48c8da9feb2e215c474a412c605d33ff30": compare_and_expire,  # Symfony before 5.2
    b"382a00f43d29409f9e1ebe2cbcfe1ec089f8d154": compare_and_expire_or_add,  # Symfony before 5.2
    b"a4e8783852e6b949f9ef3a97212805108459a890": extend,  # redis-py
    b"1cac51482acf5858da00f6d685d68f886cd6b6b2": compare_and_expire,  # redis-py, reacquire
    b"96da70f7716f27d278a5218544df37fd8b0a5e4c": add_all,  # node-redlock 5
    b"aed6f382e410db8ba7926d4e5e9aab410bf2a78a": extend_all,  # node-redlock 5
    b"a08c9c69b7c07ae2485190873b90d128a23e502d": add,  # Laravel, cache
    b"420ca604de4310d8301943a71390ee669720d640": add_first,  # Laravel, concurrency limiter
    b"f4a7da3e5d8ea3b46642af08427151cae0190400": increase_if_there,  # django-redis
    b"4d15273b16b10c15e1d9202cbe93c959ab7d250b": increase,  # django-redis
}


# --- the normal form of those that people write by hand

_COMMENT: Final = re.compile(rb"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
_TOKEN: Final = re.compile(rb"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\w+|[=~<>]=|\.\.|\S""", re.DOTALL)


def normal(text: bytes) -> bytes:
    """Rid a script of what changes nothing: comments, blanks, kinds of quotes, the case of commands' names."""
    words = _TOKEN.findall(_COMMENT.sub(b" ", text))
    for at, word in enumerate(words):
        if word[:1] in (b"'", b'"'):
            inside = word[1:-1]
            words[at] = b'"' + (inside.lower() if words[at - 1 : at] == [b"("] else inside) + b'"'
    return b" ".join(words)


_BY_HAND: Final[tuple[tuple[bytes, Script], ...]] = (
    (
        b'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end',
        compare_and_delete,
    ),
    (
        b'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2])'
        b" else return 0 end",
        compare_and_expire,
    ),
    (
        b'return redis.call("exists", KEYS[1]) < 1 and redis.call("setex", KEYS[1], ARGV[2], ARGV[1])',
        add,
    ),
)
_NORMAL: Final = {normal(text): script for text, script in _BY_HAND}


#: What is longer is none of those, bytes; to bring it into its normal form might take long.
_BY_HAND_MAX: Final = 2_000


def find(text: bytes) -> Script | None:
    """Return what the script of this text means; None if it is not known."""
    found = SCRIPTS.get(sha_of(text))
    if found is None and len(text) <= _BY_HAND_MAX:
        found = _NORMAL.get(normal(text))
    return found


def sha_of(text: bytes) -> bytes:
    """Return the SHA1 by which clients name the script of this text."""
    return sha1(text).hexdigest().encode()


# --- commands


def eval_(client: Client, words: Words) -> Plan:
    """EVAL script numkeys key ... argument ..."""
    script = find(words[1])
    if script is not None:
        client.server.load_script(sha_of(words[1]), script)
    return _run(client, script, words, _UNKNOWN)


def evalsha(client: Client, words: Words) -> Plan:
    """EVALSHA sha1 numkeys key ... argument ..."""
    sha = words[1].lower()
    if len(sha) != _SHA_BYTES:  # which Redis sees before it looks at any other word
        raise CommandError(_NO_SCRIPT)
    return _run(client, SCRIPTS.get(sha) or client.server.loaded_scripts.get(sha), words, _NO_SCRIPT)


def _run(client: Client, script: Script | None, words: Words, unknown: bytes) -> Plan:
    count = integer(words[2])
    if count > len(words) - 3:
        raise CommandError(b"ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise CommandError(b"ERR Number of keys can't be negative")
    if script is None:
        raise CommandError(unknown)
    keys, arguments = words[3 : 3 + count], words[3 + count :]
    if not (keys or script in _OF_ANY_KEYS) or len(arguments) < _NEEDS[script]:
        raise CommandError(b"ERR this script needs %d arguments and a key" % _NEEDS[script])
    return script(client, [client.key(key) for key in keys], arguments)


def _load(client: Client, words: Words) -> bytes:
    sha = sha_of(words[2])
    known = find(words[2])
    if known is not None:
        client.server.load_script(sha, known)
    return bulk(sha)


def _exist(client: Client, words: Words) -> bytes:
    known = SCRIPTS.keys() | client.server.loaded_scripts.keys()
    return array([ONE if sha.lower() in known else ZERO for sha in words[2:]])


def _flush(client: Client, words: Words) -> bytes:
    if len(words) > 3 or (len(words) == 3 and words[2].lower() not in (b"async", b"sync")):
        raise CommandError(b"ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    client.server.loaded_scripts.clear()
    return OK


def _kill(client: Client, words: Words) -> bytes:
    raise CommandError(b"NOTBUSY No scripts in execution right now.")


COMMANDS: Final = (
    Command(b"eval", -3, WRITE | MOVABLE_KEYS, eval_),
    Command(b"evalsha", -3, WRITE | MOVABLE_KEYS, evalsha),
    container(
        b"script",
        Command(b"load", 3, NO_KEYS, _load),
        Command(b"exists", -3, NO_KEYS, _exist),
        Command(b"flush", -2, NO_KEYS, _flush),
        Command(b"kill", 2, NO_KEYS, _kill),
    ),
)
