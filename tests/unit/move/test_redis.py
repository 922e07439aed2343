"""Redis' sessions are read with their time to the millisecond, and written so that nothing newer is lost."""

from __future__ import annotations

from contextlib import closing

from memrep.handlers.forms import form_of
from memrep.handlers.item import STORED, THERE, Item, LeftOut
from memrep.move.redis import Redises, RedisTarget
from memrep.move.resp import RedisClient
from tests.unit.move.scripted import scripted
from tests.unit.move.test_resp import told

P = b"PHPREDIS_SESSION:"


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def test_sessions_are_read_once_and_other_things_are_left_out() -> None:
    keys = [P + name for name in (b"one", b"one", b"two", b"hash", b"gone", b"one_LOCK")]
    listed = b"*2\r\n$1\r\n0\r\n*%d\r\n" % len(keys) + b"".join(map(_bulk, keys))
    scan = told(b"SCAN", b"0", b"MATCH", P + b"*", b"COUNT", b"500")
    asked = b"".join(
        told(b"GET", P + name) + told(b"PTTL", P + name) for name in (b"one", b"two", b"hash", b"gone")
    )
    answers = b"$1\r\nx\r\n:1234\r\n$1\r\ny\r\n:-1\r\n-WRONGTYPE no\r\n:-1\r\n$-1\r\n:-2\r\n"
    with scripted([(told(b"DBSIZE"), b":6\r\n")], [(scan, listed), (asked, answers)]) as server:
        source = Redises([server], form_of("redis", None))
        assert source.count() == 6
        found = list(source.read())
    assert [each for each in found if isinstance(each, Item)] == [
        Item(b"one", b"x", left_ms=1234),
        Item(b"two", b"y"),
    ]
    assert [each.is_loss for each in found if isinstance(each, LeftOut)] == [False, True, False]


def test_keys_are_set_with_their_time() -> None:
    items = [Item(b"a", b"x", left_ms=5), Item(b"b", b"y"), Item(b"c", b"z", left_ms=0)]
    due = (
        told(b"SET", b"a", b"x", b"PX", b"5") + told(b"SET", b"b", b"y") + told(b"SET", b"c", b"z", b"PX", b"1")
    )
    with scripted([(due, b"+OK\r\n+OK\r\n-OOM full\r\n")]) as server, closing(RedisClient(server)) as client:
        first, second, third = RedisTarget(client).write(items)
    assert (first, second) == (STORED, STORED)
    assert "OOM full" in third


def test_what_is_there_stays_if_that_is_wished() -> None:
    due = told(b"SET", b"a", b"x", b"NX") + told(b"SET", b"b", b"y", b"NX")
    look = told(b"EXISTS", b"a") + told(b"EXISTS", b"b")
    items = [Item(b"a", b"x"), Item(b"b", b"y")]
    conversation = [(look, b":0\r\n:1\r\n"), (due, b"+OK\r\n$-1\r\n")]
    with scripted(conversation) as server, closing(RedisClient(server)) as client:
        target = RedisTarget(client, only_missing=True)
        assert target.look(items) == [STORED, THERE]
        assert target.write(items) == [STORED, THERE]
