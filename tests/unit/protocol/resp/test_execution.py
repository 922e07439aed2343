"""A plan is carried out whole: at once where it can be, else when all its results are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from memrep.engine.operations import Result
from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.execution import MOMENT, Execution
from memrep.protocol.resp.plan import Plan, Step, read
from memrep.protocol.resp.spelling import integer
from tests.harness.engine_fixture import Rig
from tests.unit.node.test_slices import Shell, hurried
from tests.unit.protocol.resp.test_dialect import one_told, redis_to, said, told


def _execution() -> tuple[Execution, list[bytes]]:
    rig = Rig()
    connection = redis_to(rig.engine)
    dialect = connection._dialect
    execution: Execution = dialect._execution  # type: ignore[attr-defined]
    assert isinstance(dialect._client, Client)  # type: ignore[attr-defined]
    return execution, connection.out


def _count(results: Sequence[Result]) -> bytes:
    return integer(len(results))


def test_a_reply_is_said_and_nothing_runs() -> None:
    execution, out = _execution()
    execution.begin(b"+OK\r\n")
    assert (out, execution.runs) == ([b"+OK\r\n"], False)


def test_a_plan_that_needs_no_other_node_is_done_at_once_with_its_second_half() -> None:
    execution, out = _execution()
    steps = [Step(b"a", read), Step(b"b", read)]
    execution.begin(Plan(steps, lambda results: Plan(steps, _count), phased=True))
    assert (out, execution.runs) == ([b":2\r\n"], False)


def test_what_is_said_piece_by_piece_stops_when_enough_is_said_and_goes_on() -> None:
    execution, out = _execution()

    def pieces() -> Iterator[bytes]:
        yield bytes(1 << 20)
        yield b"end"

    execution.begin(pieces())
    assert (len(out), execution.runs) == (1, True)
    execution._connection.size = 0
    execution.go_on()
    assert (out[1], execution.runs) == (b"end", False)


def test_what_a_plan_collects_piece_by_piece_is_its_one_result() -> None:
    execution, out = _execution()

    def around(results: Sequence[Result]) -> bytes:
        assert isinstance(results[0], bytes)
        return b"<" + results[0] + b">"

    execution.begin(Plan((), around, phased=True, walk=iter([b"a", b"b"])))
    assert (out, execution.runs) == ([b"<ab>"], False)


def test_whoever_wants_no_answer_gets_none() -> None:
    execution, out = _execution()
    execution.mute = True
    execution.begin(b"+OK\r\n")
    execution.begin(Plan([Step(b"a", read)], _count))
    assert out == []


# --- moments; the time of a turn is up at once, and another client has one between any two


def _pairs(count: int, value: str) -> list[str]:
    return [word for number in range(count) for word in (f"k{number}", value)]


@pytest.mark.parametrize("command", ["MSET", "MSETNX"])
def test_what_is_stored_under_not_too_many_keys_is_stored_in_one_moment(command: str) -> None:
    shell = Shell(hurried())
    writer, reader = shell.connect(REDIS), shell.connect(REDIS)
    shell.turn((writer, said(command, *_pairs(MOMENT - 1, "new"))))
    seen = set()
    for _ in range(5):
        seen |= set(told(shell.ask(reader, said("GET", "k0") + said("GET", f"k{MOMENT - 2}"))))
    shell.finish()
    assert seen == {b"new"}
    assert told(shell.told[writer]) == [b"+OK" if command == "MSET" else 1]


@pytest.mark.parametrize(
    ("command", "words", "told_of"),
    [
        ("MSET", _pairs(3 * MOMENT, "x"), b"+OK"),
        ("MSETNX", _pairs(3 * MOMENT, "x"), 0),
        ("DEL", _pairs(3 * MOMENT, "k1")[::2], 3 * MOMENT),
        ("EXISTS", _pairs(3 * MOMENT, "k1")[::2], 3 * MOMENT),
        ("MGET", _pairs(3 * MOMENT, "k1")[::2], [b"v"] * (3 * MOMENT)),
    ],
    ids=["MSET", "MSETNX", "DEL", "EXISTS", "MGET"],
)
def test_a_command_on_more_keys_gives_way_and_what_stands_behind_it_waits(
    command: str, words: list[str], told_of: object
) -> None:
    shell = Shell(hurried())
    asker, other = shell.connect(REDIS), shell.connect(REDIS)
    shell.turn((asker, said("MSET", *_pairs(3 * MOMENT, "v"))))
    shell.finish()
    shell.told[asker] = b""
    shell.turn((asker, said(command, *words) + said("ECHO", "behind")))
    answered = 0
    while shell.lone.node.behind:
        answered += one_told(shell.ask(other, said("ECHO", "other"))) == b"other"
    assert answered >= 2
    assert told(shell.told[asker]) == [told_of, b"behind"]


def test_of_a_client_that_leaves_in_the_midst_of_a_long_command_nothing_stays_to_be_done() -> None:
    shell = Shell(hurried())
    writer, other = shell.connect(REDIS), shell.connect(REDIS)
    shell.turn((writer, said("MSET", *_pairs(3 * MOMENT, "x"))))
    assert shell.lone.node.behind
    shell.lone.node.clients.disconnect(writer)
    shell.finish()
    stored = one_told(shell.ask(other, said("DBSIZE")))
    assert stored % MOMENT == 0 and stored < 3 * MOMENT
    assert not shell.lone.node.clients.waits
    assert shell.told[writer] == b""
