"""The comparison with redis-server: what is said by chance to it and to a node must be answered alike.

`python -m tests.fuzz.redis --minutes 10`. A conversation is a few dozen commands over five keys, whose words
are drawn from values, numbers and options that have something to do with each other, so that many commands
succeed. What is a matter of time, order or taste is levelled out before replies are compared. After each
command, now and then, comes something that is no command at all, in both.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable
from typing import Final

import click

from tests.conformance.servers import RealRedis
from tests.harness.lone_node import lone_node

_KEYS: Final = (b"a", b"b", b"c", b"dd", b"")
_VALUES: Final = (
    b"", b"1", b"-1", b"9223372036854775807", b"x", b"hello world", b"3.5", b"01", b" 1", b"a\r\nb", b"100",
    b"0", b"-9223372036854775808", b"1e3", b"\x00\xff",
)  # fmt: skip
_NUMBERS: Final = (
    b"0", b"1", b"-1", b"5", b"100", b"-100", b"x", b"9223372036854775807", b"9223372036854775808", b"", b"1.5",
    b"10000000000",
)  # fmt: skip
_OPTIONS: Final = (
    b"NX", b"xx", b"GT", b"lt", b"EX", b"PX", b"EXAT", b"PXAT", b"KEEPTTL", b"GET", b"PERSIST", b"foo", b"100",
    b"10000", b"99999999999", b"9999999999999",
)  # fmt: skip
_RELEASE: Final = (
    b'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end'
)

#: Commands whose words are a key and then anything.
_ON_KEYS: Final = (
    b"get set set set setex psetex setnx getset getdel getex mget mset msetnx append strlen incr decr incrby "
    b"decrby incrbyfloat getrange substr setrange del unlink exists touch type ttl pttl expire pexpire "
    b"expireat pexpireat persist rename renamenx watch ping echo"
).split()

#: Others, with what may stand behind them.
_OTHERS: Final[tuple[tuple[bytes, tuple[tuple[bytes, ...], ...]], ...]] = (
    (b"multi", ((), (), (), (b"x",))),
    (b"exec", ((), (), (), (b"x",))),
    (b"discard", ((),)),
    (b"unwatch", ((),)),
    (b"dbsize", ((),)),
    (b"select", ((b"0",), (b"0",), (b"3",), (b"16",), (b"x",), (b"10000000000",))),
    (b"flushdb", ((), (b"async",), (b"foo",))),
    (b"flushall", ((), (b"sync",))),
    (b"keys", ((b"*",), (b"a*",), (b"?",), (b"[a-c]",), (b"d?",))),
    (b"scan", ((b"0", b"COUNT", b"1000"), (b"0", b"match", b"a*", b"count", b"1000"), (b"x",))),
    (b"scan", ((b"0", b"count", b"0"), (b"0", b"foo"))),
    (b"hello", ((b"4",), (b"x",), (b"3", b"bar"))),
    (b"object", ((b"refcount", b"nothing"), (b"foo", b"a"), (b"encoding",))),
    (b"client", ((b"setname", b"me"), (b"getname",), (b"setname", b"a b"), (b"foo",), (b"unblock", b"99999"))),
    (b"config", ((b"get", b"save"), (b"get", b"databases"), (b"foo",), (b"get",))),
    (b"command", ((b"getkeys", b"get", b"a"), (b"getkeys", b"mset", b"a", b"1", b"b", b"2"), (b"foo",))),
    (b"script", ((b"exists", b"x" * 40), (b"flush",), (b"foo",), (b"load",))),
    (b"eval", ((_RELEASE, b"1", b"a", b"1"), (_RELEASE, b"1", b"b", b"x"), (_RELEASE, b"x"))),
    (b"eval", ((_RELEASE, b"5", b"a"), (b"return 1", b"x"))),
    (b"evalsha", ((b"f" * 40, b"1", b"a"),)),
    (b"foo", ((), (b"bar",))),
)  # fmt: skip

#: What is no command, and ends the connection.
_BROKEN: Final = (b"*1\r\n+PING\r\n", b"*x\r\n", b"*1\r\n$-1\r\n", b'SET a "b\r\n', b"*1\r\n$999999999999\r\n")


def words_of_a_command(chance: random.Random) -> list[bytes]:
    """A command, more or less."""
    if chance.random() < 0.4:
        name, endings = chance.choice(_OTHERS)
        words = [name, *chance.choice(endings)]
    else:
        words = [chance.choice(_ON_KEYS)]
        for place in range(1, chance.choice([1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7])):
            is_key = place == 1 and chance.random() < 0.85
            words.append(
                chance.choice(_KEYS if is_key else chance.choice((_KEYS, _VALUES, _NUMBERS, _OPTIONS)))
            )
    if words[0].startswith(b"p") or b"PX" in words:  # what ends in no time ends at one of the two first
        words = [b"100000" if word in (b"1", b"5", b"100") else word for word in words]
    if chance.random() < 0.1:
        words[0] = words[0].upper()
    return words


def spelled(words: list[bytes]) -> bytes:
    """As an array of bulk strings."""
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def is_whole(reply: bytes) -> bool:
    """Whether this is one whole reply of RESP2."""
    return _end(reply, 0) == len(reply)


def _end(reply: bytes, start: int) -> int:
    """Behind the reply that begins here; -1 if it is not whole."""
    end = reply.find(b"\r\n", start)
    if end < 0:
        return -1
    kind, after = reply[start : start + 1], end + 2
    if kind not in b"$*" or kind == b"":
        return after
    number = int(reply[start + 1 : end])
    if kind == b"$":
        return after if number < 0 else after + number + 2 if after + number + 2 <= len(reply) else -1
    for _ in range(max(0, number)):
        after = _end(reply, after)
        if after < 0:
            return -1
    return after


def levelled(name: bytes, reply: bytes) -> bytes:
    """What must be the same: times may differ by their digits, lists of keys by their order."""
    if name in (b"ttl", b"pttl", b"exec"):
        reply = re.sub(rb":\d{3,}", b":many", reply)
    if name in (b"keys", b"scan", b"exec"):
        return b"\r\n".join(sorted(reply.split(b"\r\n")))
    return reply


def search(chance: random.Random, go_on: Callable[[], bool]) -> list[str]:
    """Hold conversations with redis-server and with a node, as long as that is wanted.

    Returns:
        What was answered otherwise, a line for each kind.
    """
    found: dict[bytes, str] = {}
    with RealRedis() as redis:
        while go_on():
            theirs, ours = redis.connect(), lone_node().connect("redis")
            theirs.send([spelled([b"FLUSHALL"])], is_whole)
            for _ in range(60):
                words = words_of_a_command(chance)
                broken = chance.random() < 0.005
                data = chance.choice(_BROKEN) if broken else spelled(words)
                want = theirs.send([data], is_whole)
                got = ours.receive(data)
                name = words[0].lower()
                if levelled(name, want) != levelled(name, got) or (broken and not ours.closing):
                    found.setdefault(name, f"{data!r}\n  redis-server: {want!r}\n  memrep: {got!r}")
                    break
                if broken:
                    break
            theirs.close()
    return list(found.values())


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--seed", default=None, type=int, help="Begin with this one.  [default: by chance]")
def main(minutes: float, seed: int | None) -> None:
    """Compare a node with redis-server."""
    seed = random.randrange(1 << 30) if seed is None else seed
    end = time.monotonic() + minutes * 60
    count = 0

    def go_on() -> bool:
        nonlocal count
        count += 1
        return time.monotonic() < end

    found = search(random.Random(seed), go_on)
    click.echo(f"seed {seed}: {count - 1} conversations, {len(found)} differences")
    for one in found:
        click.echo(one)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
