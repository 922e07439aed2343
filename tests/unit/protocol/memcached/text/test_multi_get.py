"""A retrieval shows every key in its place and ends once, however often it has to stop on its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.flow_control import ROUND_MAX, FlowControl
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK
from memrep.protocol.memcached.errors import BAD_EXPTIME, BAD_LINE, ERROR
from memrep.protocol.memcached.limits import deadline
from memrep.protocol.replies import OUTPUT_MAX
from memrep.storage.entry import NEVER
from tests.harness.engine_fixture import Rig, rig_later
from tests.unit.protocol.memcached.text.test_commands import connection_to

END = b"END\r\n"


def _line(verb: bytes, keys: list[bytes]) -> bytes:
    return b" ".join([verb, *keys]) + b"\r\n"


def _shown(keys: list[bytes], value: bytes = b"x") -> bytes:
    return b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(value), value) for key in keys)


def _rest(client: Connection) -> list[bytes]:
    """What is said at each step until nothing is left."""
    steps = []
    while client.blocked:
        steps.append(client.resume())
    return steps


def _keys(count: int) -> list[bytes]:
    return [b"key%d" % number for number in range(count)]


def _holding(keys: list[bytes]) -> Rig:
    rig = Rig()
    for key in keys:
        rig.holding(b"x", key)
    return rig


# --- many keys


@given(st.lists(st.sampled_from([b"a", b"b", b"none"]), min_size=1, max_size=50))
def test_every_key_that_is_held_is_shown_in_its_place_as_often_as_it_is_named(keys: list[bytes]) -> None:
    client = connection_to(_holding([b"a", b"b"]).engine)
    assert client.receive(_line(b"get", keys)) == _shown([key for key in keys if key != b"none"]) + END


@pytest.mark.parametrize("verb", [b"get", b"gat 60"])
def test_a_turn_that_has_lasted_long_enough_ends_a_step_and_no_key_is_lost(verb: bytes) -> None:
    keys = _keys(5 * COMMANDS_A_LOOK + 3)
    client = connection_to(_holding(keys).engine)
    client.spent = lambda: True
    steps = [client.receive(_line(verb, keys)), *_rest(client)]
    assert b"".join(steps) == _shown(keys) + END
    assert max(step.count(b"VALUE") for step in steps) == COMMANDS_A_LOOK


def test_looking_for_what_is_not_there_ends_a_step_too() -> None:
    client = connection_to(Rig().engine)
    assert client.receive(_line(b"get", [b"a"] * (OUTPUT_MAX // 8))) == b""
    steps = _rest(client)
    assert len(steps) > 1
    assert b"".join(steps) == END


def test_what_stands_behind_it_waits_until_it_has_come_to_its_end() -> None:
    keys = _keys(40)
    client = connection_to(_holding(keys).engine)
    client.spent = lambda: True
    steps = [client.receive(_line(b"get", keys) + b"mn\r\n"), *_rest(client)]
    assert b"".join(steps) == _shown(keys) + END + b"MN\r\n"


@pytest.mark.parametrize(("verb", "writes"), [(b"get", False), (b"gat 60", True)])
def test_while_too_much_is_on_its_way_it_waits_behind_the_keys_that_it_has_shown(
    verb: bytes, writes: bool
) -> None:
    """Out to clients what is shown is on its way; round the cluster only what is touched."""
    keys = _keys(40)
    for crowd, waits in ((_unsent, True), (_rounds, writes)):
        client = connection_to(_holding(keys).engine)
        client.spent = lambda: True
        told = client.receive(_line(verb, keys))
        crowd(client.flow, 1)
        told += client.resume()
        assert client.crowded == waits
        crowd(client.flow, -1)
        assert told + b"".join(_rest(client)) == _shown(keys) + END


def _unsent(flow: FlowControl, sign: int) -> None:
    flow.keep(sign * (flow.unsent_max + 1))


def _rounds(flow: FlowControl, sign: int) -> None:
    (flow.begin if sign > 0 else flow.end)(ROUND_MAX)


def test_a_key_that_is_being_written_is_shown_in_its_place_when_that_is_done() -> None:
    rig = rig_later(a=b"x", b=b"old", c=b"x")
    writer, reader = connection_to(rig.engine), connection_to(rig.engine)
    writer.receive(b"set b 0 0 1\r\nx\r\n")
    assert reader.receive(b"get a b c\r\n") == _shown([b"a"])
    rig.later.succeed()
    assert reader.resume() == _shown([b"b", b"c"]) + END


# --- keys that are too long, and none


@pytest.mark.parametrize("verb", [b"get", b"gets"])
def test_a_key_that_is_too_long_spoils_the_whole_line(verb: bytes) -> None:
    rig = Rig().holding(b"x")
    client = connection_to(rig.engine)
    assert client.receive(_line(verb, [b"a", b"k" * 251, b"a"])) == BAD_LINE
    assert client.receive(_line(verb, [b"a", b"k" * 250])).endswith(b"\r\nx\r\nEND\r\n")
    assert rig.counters.get_hits == 1


def test_a_gat_touches_what_stands_before_a_key_that_is_too_long_and_shows_nothing() -> None:
    rig = _holding([b"a", b"b"])
    client = connection_to(rig.engine)
    assert client.receive(_line(b"gat 60", [b"a", b"k" * 251, b"b"])) == BAD_LINE
    assert rig.entry(b"a").expires == deadline(rig.clock, 60)
    assert rig.entry(b"b").expires == NEVER


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"get", ERROR),
        (b"gets", ERROR),
        (b"gat", ERROR),
        (b"gat 60", END),
        (b"gats soon", BAD_EXPTIME),
        (b"gat soon a", BAD_EXPTIME),
    ],
)
def test_a_line_without_keys_or_without_a_time_is_answered_once(line: bytes, answer: bytes) -> None:
    client = connection_to(Rig().holding(b"x").engine)
    assert client.receive(line + b"\r\nmn\r\n") == answer + b"MN\r\n"


def test_a_gat_lets_every_key_end_anew_under_the_cas_unique_that_it_had() -> None:
    rig = _holding([b"a", b"b"])
    uniques = [rig.unique(b"a"), rig.unique(b"b")]
    told = connection_to(rig.engine).receive(b"gats 60 a b\r\n")
    assert told == b"VALUE a 0 1 %d\r\nx\r\nVALUE b 0 1 %d\r\nx\r\nEND\r\n" % tuple(uniques)
    assert [rig.entry(key).expires for key in (b"a", b"b")] == [deadline(rig.clock, 60)] * 2
    assert [rig.unique(b"a"), rig.unique(b"b")] == uniques


def test_a_get_behind_a_gat_touches_nothing() -> None:
    rig = _holding([b"a", b"b"])
    client = connection_to(rig.engine)
    client.receive(b"gat 60 a a\r\nget b b\r\n")
    assert rig.entry(b"b").expires == NEVER
    assert rig.counters.cmd_touch == 2
