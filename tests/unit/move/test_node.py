"""A node is read with flags and times, and written so that nothing newer is lost; locks stay where they are."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from memrep.errors import UsageError
from memrep.handlers.item import STORED, THERE, Item, LeftOut
from memrep.handlers.places import Server
from memrep.move.node import NodePorts, NodeSource, NodeTarget, connect
from memrep.move.pace import wall_s
from tests.unit.move.scripted import Conversation, scripted
from tests.unit.move.test_resp import told

HELLO = (b"mn\r\n", b"MN\r\n")
LOCKS = (b"memc.sess.key.lock.",)
INFO = (told(b"INFO", b"everything"), b"$19\r\nmemrep_version:0.1\n\r\n")


def target_at(
    server: Server, redis: Server | None = None, *, only_missing: bool = False, dry: bool = False
) -> closing[NodeTarget]:
    """A target, to be closed."""
    return closing(NodeTarget(NodePorts(server, redis), only_missing, dry))


def _write(items: list[Item], *conversation: tuple[bytes, bytes], only_missing: bool = False) -> list[str]:
    with scripted([HELLO, *conversation]) as server, target_at(server, only_missing=only_missing) as target:
        return target.write(items)


def test_items_are_written_with_flags_and_time() -> None:
    items = [Item(b"a", b"x\r\n", 7, 1_001), Item(b"b c", b""), Item(b"d", b"y", 0, 0)]
    due = b"ms a 3 T2 F7 MS\r\nx\r\n\r\nms YiBj 0 F0 MS b\r\n\r\nms d 1 T1 F0 MS\r\ny\r\n"
    answers = b"HD\r\nSERVER_ERROR object too large for cache\r\nCLIENT_ERROR no\r\n"
    outcomes = _write(items, (due, answers))
    assert outcomes == [STORED, "larger than -I allows", "refused: the node says 'CLIENT_ERROR no'"]


def test_what_is_there_stays_if_that_is_wished() -> None:
    due = b"ms a 1 F0 M+\r\nx\r\nms b 1 F0 M+\r\nx\r\n"
    items = [Item(b"a", b"x"), Item(b"b", b"x")]
    assert _write(items, (due, b"HD\r\nNS\r\n"), only_missing=True) == [STORED, THERE]


def test_a_time_of_more_than_thirty_days_is_a_date() -> None:
    seconds = 40 * 24 * 3600
    before = int(wall_s())
    due = b"ms a 1 T%d F0 MS\r\nx\r\n" % (before + seconds)
    assert len(str(before)) == 10
    try:
        assert _write([Item(b"a", b"x", 0, seconds * 1000)], (due, b"HD\r\n")) == [STORED]
    except AssertionError:
        assert int(wall_s()) != before, "the second had not passed"


@pytest.mark.parametrize(("only_missing", "second"), [(True, THERE), (False, STORED)])
def test_a_dry_run_looks_and_writes_nothing(only_missing: bool, second: str) -> None:
    looks = (b"mg a u\r\nmg b u\r\n", b"EN\r\nHD\r\n")
    with scripted([HELLO, looks]) as server, target_at(server, only_missing=only_missing, dry=True) as target:
        assert target.write([Item(b"a", b"x"), Item(b"b", b"x")]) == [STORED, second]


def test_other_databases_and_long_keys_go_by_the_other_port() -> None:
    items = [Item(b"a", b"x", database=3), Item(b"k" * 300, b"y"), Item(b"b", b"z")]
    three = [
        (told(b"SELECT", b"3"), b"+OK\r\n"),
        (told(b"SET", b"a", b"x"), b"+OK\r\n"),
    ]
    with (
        scripted([HELLO, (b"ms b 1 F0 MS\r\nz\r\n", b"HD\r\n")]) as memcached,
        scripted(three, [(told(b"SET", b"k" * 300, b"y"), b"+OK\r\n")]) as redis,
        target_at(memcached, redis) as target,
    ):
        assert target.write(items) == [STORED] * 3
    assert "--redis PORT" in _write([items[0]])[0]


def test_who_asks_is_said_first() -> None:
    conversation = [(b"set auth 0 0 5\r\nme pw\r\n", b"STORED\r\n"), HELLO]
    with scripted(conversation) as server:
        connect(msgspec.structs.replace(server, user="me", password="pw")).close()


@pytest.mark.parametrize(
    ("conversation", "says"),
    [
        ([(b"set auth 0 0 5\r\nme pw\r\n", b"CLIENT_ERROR authentication failure\r\n")], "refuses this user"),
        ([(b"set auth 0 0 5\r\nme pw\r\n", b"STORED\r\n"), (b"mn\r\n", b"ERROR\r\n")], "is no memrep node"),
    ],
)
def test_a_node_that_will_not_is_told_of(conversation: Conversation, says: str) -> None:
    with scripted(conversation) as server, pytest.raises(UsageError, match=says):
        connect(msgspec.structs.replace(server, user="me", password="pw"))


def select(database: int, size: int) -> list[tuple[bytes, bytes]]:
    """A database, and how many keys are in it."""
    return [(told(b"SELECT", b"%d" % database), b"+OK\r\n"), (told(b"DBSIZE"), b":%d\r\n" % size)]


def scan(*keys: bytes) -> tuple[bytes, bytes]:
    """All keys at once."""
    listed = b"".join(b"$%d\r\n%b\r\n" % (len(key), key) for key in keys)
    asked = told(b"SCAN", b"0", b"MATCH", b"*", b"COUNT", b"500")
    return asked, b"*2\r\n$1\r\n0\r\n*%d\r\n%b" % (len(keys), listed)


def test_everything_is_read_but_for_locks() -> None:
    redis = [
        INFO,
        *select(0, 3),
        *(pair for database in range(1, 15) for pair in select(database, 0)),
        *select(15, 1),
        (told(b"SELECT", b"0"), b"+OK\r\n"),
        scan(b"a", b"a.lock", b"memc.sess.key.lock.a"),
        (told(b"SELECT", b"15"), b"+OK\r\n"),
        scan(b"far", b"far_LOCK", b"gone"),
        (
            b"".join(told(b"GET", key) + told(b"PTTL", key) for key in (b"far", b"far_LOCK", b"gone")),
            b"$1\r\ny\r\n:99\r\n$6\r\nhost|1\r\n:9\r\n$-1\r\n:-2\r\n",
        ),
    ]
    asked = b"".join(b"mg %b f t v u\r\n" % key for key in (b"a", b"a.lock", b"memc.sess.key.lock.a"))
    answers = b"VA 1 f2 t9\r\nx\r\nVA 1 f768 t9\r\n1\r\nVA 1 f0 t9\r\n1\r\n"
    with (
        scripted(redis) as other,
        scripted([HELLO, (asked, answers)]) as server,
        closing(NodeSource(NodePorts(server, other), LOCKS)) as source,
    ):
        assert source.count() == 4
        found = list(source.read())
    assert [each for each in found if isinstance(each, Item)] == [
        Item(b"a", b"x", 2, 9_000),
        Item(b"far", b"y", 0, 99, 15),
    ]
    assert [each.reason for each in found if isinstance(each, LeftOut)] == ["locks"] * 3 + ["gone meanwhile"]


def test_a_server_that_is_no_node_is_not_dumped() -> None:
    with scripted([(INFO[0], b"$3\r\nx:1\r\n")]) as other, pytest.raises(UsageError, match="is no memrep node"):
        NodeSource(NodePorts(other, other), LOCKS)


def test_a_node_without_a_list_says_how_it_gets_one() -> None:
    with scripted() as server, pytest.raises(UsageError, match="restart one node at a time"):
        NodeSource(NodePorts(server), LOCKS)
