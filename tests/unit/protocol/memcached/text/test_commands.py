"""The text protocol beyond what transcripts show: limits, waiting, and bytes that come in any cuts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from itertools import pairwise
from types import FunctionType, MethodType, ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memrep.engine.engine import Engine
from memrep.flow_control import FlowControl
from memrep.php.lock_table import LockTable
from memrep.protocol.client_policy import ClientPolicy
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.intake import Intake
from memrep.protocol.memcached.text.commands import GET_LINE_MAX, LINE_MAX
from memrep.protocol.negotiation import connect
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX
from memrep.storage.entry import NEVER
from memrep.storage.store import Store
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import LoneConnection, lone_node

#: As much as the daemon reads at a time.
PIECE = 1 << 14


Code = type | FunctionType | MethodType | ModuleType


def held(connection: Connection) -> int:
    """How many bytes of input and output a connection keeps, wherever it keeps them."""
    seen: set[int] = set()
    todo: list[object] = [connection]
    total = 0
    while todo:
        thing = todo.pop()
        not_its_own = Engine | Store | ServerContext | LockTable | Intake | FlowControl | Code
        if id(thing) in seen or isinstance(thing, not_its_own):
            continue
        seen.add(id(thing))
        if isinstance(thing, bytes | bytearray):
            total += len(thing)
        todo += gc.get_referents(thing)
    return total


def pieces(data: bytes, size: int = PIECE) -> Iterable[bytes]:
    """The data as a socket hands it out."""
    return (data[start : start + size] for start in range(0, len(data), size))


def connection_to(engine: Engine, ready: Callable[[Connection], None] = lambda connection: None) -> Connection:
    """A client of a bare engine."""
    context = ServerContext(
        version=b"1",
        reports={},
        reset=lambda: None,
        set_verbosity=lambda level: None,
        shutdown=None,
    )
    return connect(ClientPolicy(engine), context, ready)


class Waiting:
    """A client of an engine whose writes are postponed until the test lets them succeed."""

    def __init__(self) -> None:
        self.rig = Rig("later")
        self.rang = 0
        self.connection = connection_to(self.rig.engine, self._ring)

    def _ring(self, connection: Connection) -> None:
        self.rang += 1

    def receive(self, data: bytes) -> bytes:
        """What is answered at once."""
        return self.connection.receive(data)

    def succeed(self) -> bytes:
        """The oldest write is held everywhere; what is answered then."""
        self.rig.later.succeed()
        return self.connection.resume()

    def proposed(self) -> list[bytes]:
        """The keys that are being written."""
        return [one.key for one in self.rig.later.rounds]


# --- many at once -------------------------------------------------------------------------------------------


def test_a_get_of_a_thousand_keys_shows_each_in_order() -> None:
    client = lone_node().connect()
    for number in range(1_000):
        client.receive(b"set key%d 0 0 3\r\n%03d\r\n" % (number, number))
    line = b"get " + b" ".join(b"key%d" % number for number in range(1_000)) + b"\r\n"
    expected = b"".join(b"VALUE key%d 0 3\r\n%03d\r\n" % (number, number) for number in range(1_000))
    assert client.receive(line) == expected + b"END\r\n"
    assert b"".join(map(client.receive, pieces(line, 1_000))) == expected + b"END\r\n"


def test_a_key_that_is_named_twice_is_shown_twice() -> None:
    client = lone_node().connect()
    client.receive(b"set a 0 0 1\r\nx\r\n")
    assert client.receive(b"get a b a\r\n") == 2 * b"VALUE a 0 1\r\nx\r\n" + b"END\r\n"


def test_a_pipeline_of_ten_thousand_commands_is_answered_in_order() -> None:
    client = lone_node().connect()
    commands = b"".join(
        b"set k%d 0 0 5\r\n%05d\r\nget k%d\r\n" % (number % 97, number, number % 97) for number in range(10_000)
    )
    expected = b"".join(
        b"STORED\r\nVALUE k%d 0 5\r\n%05d\r\nEND\r\n" % (number % 97, number) for number in range(10_000)
    )
    assert b"".join(map(client.receive, pieces(commands))) == expected


def test_a_pipeline_may_come_as_one_piece() -> None:
    client = lone_node().connect()
    assert client.receive(b"incr n 1\r\n" * 10_000) == b"NOT_FOUND\r\n" * 10_000


# --- the output limit ---------------------------------------------------------------------------------------

HUGE = b"v" * 400_000
SHOWN = b"VALUE huge 0 400000\r\n" + HUGE + b"\r\n"


def _with_a_huge_value() -> tuple[LoneConnection, Connection]:
    lone = lone_node()
    client = lone.connect()
    assert client.receive(b"set huge 0 0 400000\r\n" + HUGE + b"\r\n") == b"STORED\r\n"
    return client, client.connection


def test_a_get_of_huge_values_stops_at_the_limit_and_goes_on_when_that_has_been_sent() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"get" + b" huge" * 100 + b"\r\n")]
    while connection.blocked:
        steps.append(connection.resume())
    assert b"".join(steps) == SHOWN * 100 + b"END\r\n"
    assert max(map(len, steps)) < OUTPUT_MAX + len(SHOWN)
    assert len(steps) > 30


def test_the_limit_holds_across_commands() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"get huge\r\n" * 100)]
    while connection.blocked:
        steps.append(connection.resume())
    assert b"".join(steps) == (SHOWN + b"END\r\n") * 100
    assert max(map(len, steps)) < OUTPUT_MAX + 2 * len(SHOWN)


def test_a_get_that_was_cut_short_holds_no_more_than_its_keys() -> None:
    _, connection = _with_a_huge_value()
    connection.receive(b"get" + b" huge" * 100 + b"\r\n")
    assert connection.blocked
    assert held(connection) < 5_000


def test_what_comes_behind_a_get_that_was_cut_short_is_answered_behind_it() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"get" + b" huge" * 9 + b"\r\ndelete huge\r\nget huge\r\n")]
    while connection.blocked:
        steps.append(connection.resume())
    assert b"".join(steps) == SHOWN * 9 + b"END\r\nDELETED\r\nEND\r\n"


def test_what_arrives_while_a_get_is_cut_short_is_kept_for_later() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"get" + b" huge" * 9 + b"\r\n")]
    connection.take_in(b"version\r\nget hu")
    while connection.blocked:
        steps.append(connection.resume())
    assert b"".join(steps).startswith(SHOWN * 9 + b"END\r\nVERSION ")
    assert connection.receive(b"ge\r\n") == SHOWN + b"END\r\n"


def test_quit_behind_a_get_that_was_cut_short_waits_for_it() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"get" + b" huge" * 9 + b"\r\nquit\r\nget huge\r\n")]
    while connection.blocked and not connection.closing:
        steps.append(connection.resume())
    assert b"".join(steps) == SHOWN * 9 + b"END\r\n"
    assert connection.closing


def test_a_gat_of_huge_values_is_cut_short_too() -> None:
    _, connection = _with_a_huge_value()
    steps = [connection.receive(b"gats 100" + b" huge" * 9 + b"\r\n")]
    while connection.blocked:
        steps.append(connection.resume())
    assert b"".join(steps).count(HUGE) == 9
    assert max(map(len, steps)) < OUTPUT_MAX + 2 * len(SHOWN)


def test_values_that_were_waited_for_are_sent_in_bounded_steps_too() -> None:
    client = Waiting()
    client.receive(b"set a 0 0 100000\r\n" + b"x" * 100_000 + b"\r\n")
    client.receive(b"set b 0 0 1\r\ny\r\n")
    reader = connection_to(client.rig.engine)
    keys = 500
    steps = [reader.receive(b"get" + b" a" * keys + b"\r\n")]
    client.succeed()
    steps.append(reader.resume())
    while reader.blocked:
        steps.append(reader.resume())
    assert b"".join(steps).count(b"VALUE a ") == keys
    assert max(map(len, steps)) < 2 * OUTPUT_MAX


# --- lines without end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [b"", b" ", b"set ", b"x", b"gat 0 ", b"get\t", b"\0", b"stats ", b"\r"],
)
@pytest.mark.parametrize("size", [1, 100, PIECE])
def test_a_line_without_end_closes_the_connection(start: bytes, size: int) -> None:
    client = lone_node().connect()
    sent = 0
    while not client.closing:
        assert client.receive(start + b"x" * size if not sent else b"x" * size) == b""
        sent += size
        assert held(client.connection) <= LINE_MAX + size + 10
        assert sent <= LINE_MAX + 2 * size
    assert client.connection.busy


def test_a_get_line_without_end_closes_the_connection_at_its_own_limit() -> None:
    client = lone_node().connect()
    most = 0
    for piece in pieces(b"get " + b"key " * GET_LINE_MAX):
        client.receive(piece)
        most = max(most, held(client.connection))
        if client.closing:
            break
    assert client.closing
    assert GET_LINE_MAX <= most <= GET_LINE_MAX + 2 * PIECE


def test_a_get_line_below_its_limit_is_answered() -> None:
    client = lone_node().connect()
    line = b"get " + b"key " * (GET_LINE_MAX // 4 - 10) + b"\r\n"
    assert b"".join(map(client.receive, pieces(line))) == b"END\r\n"


def test_nothing_is_answered_after_a_line_without_end() -> None:
    client = lone_node().connect()
    client.receive(b"x" * (LINE_MAX + 1))
    assert client.closing
    assert client.receive(b"\r\nversion\r\n") == b""


# --- commands that wait -------------------------------------------------------------------------------------


def test_a_write_is_answered_when_it_is_held_everywhere() -> None:
    client = Waiting()
    assert client.receive(b"set a 0 0 1\r\nx\r\n") == b""
    assert client.connection.waiting and client.connection.busy and not client.connection.blocked
    assert client.succeed() == b"STORED\r\n"
    assert client.rang == 1
    assert not client.connection.waiting and not client.connection.busy


def test_plain_writes_behind_plain_writes_go_out_at_once() -> None:
    client = Waiting()
    client.receive(b"set a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\n")
    client.receive(b"set c 0 0 1\r\nz\r\n")
    assert client.proposed() == [b"a", b"b", b"c"]
    assert [client.succeed() for _ in range(3)] == [b"STORED\r\n"] * 3


@pytest.mark.parametrize(
    "command",
    [
        b"get b\r\n",
        b"gets b\r\n",
        b"gat 0 b\r\n",
        b"add b 0 0 1\r\ny\r\n",
        b"replace b 0 0 1\r\ny\r\n",
        b"append b 0 0 1\r\ny\r\n",
        b"cas b 0 0 1 1\r\ny\r\n",
        b"incr b 1\r\n",
        b"touch b 0\r\n",
        b"delete b\r\n",
        b"flush_all\r\n",
    ],
)
def test_a_command_that_reads_is_not_executed_before_the_write_in_front_of_it(command: bytes) -> None:
    client = Waiting()
    client.receive(b"set a 0 0 1\r\nx\r\n" + command)
    assert client.proposed() == [b"a"]
    assert client.rig.counters.get_misses == client.rig.counters.cmd_flush == 0
    assert client.connection.blocked
    client.succeed()
    counters = client.rig.counters
    executed = counters.cmd_set > 1 or counters.get_misses or counters.touch_misses or counters.cmd_flush
    assert executed or counters.incr_misses or counters.delete_misses


def test_a_read_behind_a_lock_sees_what_was_written_before_the_lock_was_had() -> None:
    """pecl-memcache sends both in one packet."""
    client = Waiting()
    client.receive(b"add s.lock 0 15 1\r\n1\r\nget s\r\n")
    client.rig.engine.set(b"s", 0, NEVER, b"of the one who held the lock")
    assert client.succeed() == b"STORED\r\n"
    assert client.succeed() == b"VALUE s 0 28\r\nof the one who held the lock\r\nEND\r\n"


def test_a_plain_write_behind_a_command_that_reads_waits_as_well() -> None:
    client = Waiting()
    client.receive(b"add a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\n")
    assert client.proposed() == [b"a"]
    assert client.succeed() == b"STORED\r\n"
    assert client.proposed() == [b"b"]


def test_replies_come_in_the_order_of_the_commands_though_some_are_known_at_once() -> None:
    client = Waiting()
    assert client.receive(b"version\r\nset a 0 0 1\r\nx\r\nset b 0 0 bad\r\nversion\r\n") == b"VERSION 1\r\n"
    assert client.succeed() == b"STORED\r\nCLIENT_ERROR bad command line format\r\nVERSION 1\r\n"


def test_a_command_behind_a_write_that_came_in_two_pieces_is_answered_after_it() -> None:
    client = Waiting()
    client.receive(b"set a 0 0 100\r\n")
    client.receive(b"v" * 100 + b"\r\nversion\r\n")
    assert client.succeed() == b"STORED\r\nVERSION 1\r\n"


def test_a_write_with_noreply_is_waited_for_and_says_nothing() -> None:
    client = Waiting()
    assert client.receive(b"set a 0 0 1 noreply\r\nx\r\nget a\r\n") == b""
    assert client.succeed() == b"VALUE a 0 1\r\nx\r\nEND\r\n"


def test_a_command_behind_a_gat_with_a_bad_key_waits_for_the_keys_that_it_has_touched() -> None:
    client = Waiting()
    client.rig.engine.set(b"a", 0, NEVER, b"old")
    client.rig.later.succeed()
    assert client.receive(b"gat 0 a a %b\r\nset a 0 0 3\r\nnew\r\n" % (b"k" * 251)) == b""
    assert client.proposed() == [b"a"]
    assert client.succeed() + client.succeed() == b"CLIENT_ERROR bad command line format\r\n"
    assert client.succeed() == b"STORED\r\n"
    assert client.rig.value(b"a") == b"new"


def test_a_get_of_several_keys_waits_for_those_that_are_pending() -> None:
    client = Waiting()
    for key in (b"a", b"b", b"c"):
        client.rig.engine.set(key, 0, NEVER, b"x" + key)
    client.rig.later.succeed()
    assert client.receive(b"get a b - c\r\n") == b"VALUE a 0 2\r\nxa\r\n"
    assert client.succeed() == b"VALUE b 0 2\r\nxb\r\n"
    assert client.succeed() == b"VALUE c 0 2\r\nxc\r\nEND\r\n"


def test_replies_that_wait_are_bounded() -> None:
    client = Waiting()
    count = 10_000
    client.receive(b"".join(b"set k%d 0 0 1\r\nx\r\n" % number for number in range(count)))
    assert client.connection.blocked
    assert len(client.proposed()) <= QUEUE_MAX
    replies = b""
    while client.connection.waiting:
        assert len(client.proposed()) <= QUEUE_MAX
        replies += client.succeed()
    assert replies == b"STORED\r\n" * count


def test_quit_is_obeyed_when_what_was_sent_before_it_has_been_answered() -> None:
    client = Waiting()
    client.receive(b"set a 0 0 1\r\nx\r\nquit\r\n")
    assert not client.connection.closing
    assert client.succeed() == b"STORED\r\n"
    assert client.connection.closing


def test_a_client_that_leaves_abandons_what_was_not_started() -> None:
    client = Waiting()
    client.receive(b"set a 0 0 1\r\nx\r\nincr a 1\r\n")
    client.connection.abandon()
    client.succeed()
    assert client.proposed() == []
    assert client.rig.value(b"a") == b"x"
    assert client.rig.counters.incr_hits == 0


# --- any bytes in any cuts ----------------------------------------------------------------------------------

words = st.sampled_from(
    [
        *(b"get gets gat gats set add replace append prepend cas incr decr delete touch flush_all").split(),
        *(
            b"version verbosity quit noreply a b c 0 1 2 5 10 -1 99 junk 4294967297 18446744073709551615"
        ).split(),
        b"k" * 250,
        b"k" * 251,
        b"\xff",
        b"\0",
        b"\t",
        b"",
    ]
)
lines = st.builds(
    lambda parts, end: b" ".join(parts) + end,
    st.lists(words, max_size=7),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""]),
)
stores = st.builds(
    lambda verb, key, length, value, end: b"%b %b 0 0 %d\r\n%b%b" % (verb, key, length, value, end),
    st.sampled_from([b"set", b"set", b"add", b"append", b"replace"]),
    st.sampled_from([b"a", b"b", b"c"]),
    st.integers(0, 4),
    st.binary(max_size=4),
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r", b"xy"]),
)
good_stores = st.builds(
    lambda verb, key, value, noreply: b"%b %b 0 0 %d%b\r\n%b\r\n" % (verb, key, len(value), noreply, value),
    st.sampled_from([b"set", b"add", b"append", b"prepend", b"replace"]),
    st.sampled_from([b"a", b"b", b"c"]),
    st.one_of(st.binary(max_size=6), st.integers(0, 99).map(lambda number: b"%d" % number)),
    st.sampled_from([b"", b" noreply"]),
)
too_large = st.integers(120, 400).map(lambda size: b"set a 0 0 %d\r\n%b\r\n" % (size, b"v" * size))
talk = st.lists(st.one_of(lines, stores, good_stores, too_large, st.binary(max_size=20)), max_size=25).map(
    b"".join
)


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def _conversation(parts: Iterable[bytes], check: Callable[[LoneConnection], None]) -> tuple[bytes, bool]:
    """All replies to the parts, and whether the connection was closed."""
    lone = lone_node(item_max=200)
    lone.node.clients._context.reports.clear()  # some figures do depend on the pieces
    client = lone.connect()
    replies = b""
    for part in parts:
        if client.closing:
            break
        replies += client.receive(part)
        check(client)
    return replies, client.closing


def _is_bounded(client: LoneConnection) -> None:
    assert held(client.connection) < 2 * LINE_MAX + 1_000


@settings(max_examples=300)
@given(talk, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"set a 0 0 1\r\nx\rz\r\nget a\r\n", [13, 14, 15, 16])
@example(b"set a 0 0 200\r\n" + b"v" * 200 + b"\r\nversion\r\n", [14, 100, 215, 216])
def test_any_bytes_in_any_cuts_are_answered_as_if_they_came_in_one_piece(
    data: bytes, places: list[int]
) -> None:
    whole = _conversation([data], _is_bounded)
    assert _conversation(_cut(data, places), _is_bounded) == whole


@settings(max_examples=50)
@given(talk)
def test_any_bytes_one_by_one_are_answered_as_if_they_came_in_one_piece(data: bytes) -> None:
    whole = _conversation([data], _is_bounded)
    assert _conversation([data[place : place + 1] for place in range(len(data))], _is_bounded) == whole


@settings(max_examples=100)
@given(st.lists(st.one_of(st.binary(max_size=3_000), talk), max_size=6))
def test_no_bytes_make_it_fail_or_hold_more_than_a_line(parts: list[bytes]) -> None:
    _conversation(parts, lambda client: None if client.closing else _is_bounded_by_pieces(client))


def _is_bounded_by_pieces(client: LoneConnection) -> None:
    assert held(client.connection) < 2 * LINE_MAX + 3_000


@settings(max_examples=100)
@given(talk, st.lists(st.integers(0, 10_000), max_size=8))
def test_a_node_that_has_to_wait_answers_as_one_that_has_not(data: bytes, places: list[int]) -> None:
    alone = connection_to(Rig(item_max=200).engine)
    client = Waiting()
    client.rig.engine.item_limit.item_max = 200
    expected = alone.receive(data)
    replies = b""
    for part in _cut(data, places):
        if client.connection.closing:
            break
        replies += client.receive(part)
        while client.rig.later.rounds:
            replies += client.succeed()
    assert (replies, client.connection.closing) == (expected, alone.closing)


def test_no_key_is_ever_listed() -> None:
    lone = lone_node()
    client = lone.connect()
    assert client.receive(b"set secret 0 0 1\r\nx\r\n") == b"STORED\r\n"
    for asked in (b"stats cachedump 1 0", b"lru_crawler metadump all"):
        assert client.receive(asked + b"\r\n") == b"END\r\n"
    for asked in (b"watch fetchers", b"watch mutations"):
        assert b"not allowed" in client.receive(asked + b"\r\n")
        assert b"secret" not in client.receive(b"stats items\r\nstats slabs\r\nstats conns\r\n")
