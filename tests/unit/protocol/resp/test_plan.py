"""A plan says what is going to be done, and making it does nothing."""

from __future__ import annotations

import pytest

from memrep.engine.operations import Result
from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.plan import NOTHING, Plan, Step, each, one, read
from memrep.protocol.resp.table import COMMANDS
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import redis_to, said

FOUND = Entry(make(1, 1), b"x", 0, NEVER)


def test_a_read_shows_what_is_there_and_changes_nothing() -> None:
    assert read(FOUND) is FOUND
    assert read(None) is None


def test_one_result_or_several_are_spelled_in_the_order_of_their_steps() -> None:
    def spell(result: Result) -> bytes:
        return result.value or b"" if isinstance(result, Entry) else b"nothing"

    step = Step(b"a", read)
    assert step.length == NOTHING
    single = one(step, spell)
    assert single.finish is not None and single.finish([FOUND]) == b"x"
    several = each([step, step], lambda results: b" ".join(map(spell, results)))
    assert several.finish is not None and several.finish([None, FOUND]) == b"nothing x"
    assert not single.phased and not several.phased


#: A command of each kind that does something to keys, on a key that is there.
SAID = [
    b"get a", b"mget a b", b"strlen a", b"set a y", b"set a y nx get", b"setex a 60 y", b"setnx a y",
    b"mset a y",
    b"msetnx a y", b"getset a y", b"getdel a", b"getex a persist", b"append a y", b"setrange a 1 y", b"incr a",
    b"decrby a 2", b"incrbyfloat a 1", b"del a", b"exists a", b"touch a", b"type a", b"ttl a", b"expire a 60",
    b"persist a", b"rename a b", b"renamenx a b", b"watch a",
]  # fmt: skip


@pytest.mark.parametrize("line", SAID)
def test_a_handler_touches_nothing(line: bytes) -> None:
    rig = Rig().holding(b"5")
    connection = redis_to(rig.engine)
    before, hits = rig.entry(b"a"), rig.counters.get_hits
    words = line.split()
    client = connection._dialect._client  # type: ignore[attr-defined]
    made = COMMANDS[words[0]].handler(client, words)
    assert isinstance(made, Plan)
    assert rig.entry(b"a") is before
    assert (len(rig.store), rig.counters.get_hits, before.seen) == (1, hits, 0)


@pytest.mark.parametrize("line", [b"flushdb", b"flushall"])
def test_a_plan_that_is_not_carried_out_flushes_nothing(line: bytes) -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SET", "a", "x") + said("MULTI") + said(line) + said("DISCARD"))
    assert client.receive(said("EXISTS", "a")) == b":1\r\n"
