"""A plan is carried out whole: at once where it can be, else when all its results are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memrep.engine.operations import Result
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.execution import Execution
from memrep.protocol.resp.plan import Plan, Step, read
from memrep.protocol.resp.spelling import integer
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.resp.test_dialect import redis_to


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
