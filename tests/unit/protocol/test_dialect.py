"""A dialect has to say how commands are executed, and nothing else: of what it does not say nothing follows."""

from __future__ import annotations

import pytest

from memrep.protocol.connection import Connection
from memrep.protocol.dialect import Dialect, ServerContext


def _context() -> ServerContext:
    return ServerContext(
        version=b"1", reports={}, reset=lambda: None, set_verbosity=lambda level: None, shutdown=None
    )


class Echo(Dialect):
    """Says what it hears."""

    def __init__(self, connection: Connection) -> None:
        self._out = connection.out

    def execute(self, data: bytes, start: int) -> int:
        self._out.append(data[start:])
        return len(data)


def test_to_execute_is_enough() -> None:
    connection = Connection(_context(), lambda connection: None)
    connection.speak(Echo(connection))
    assert connection.receive(b"a") + connection.receive(b"b") == b"ab"
    assert not (connection.busy or connection.blocked or connection.waiting)


def test_without_a_word_of_its_own_no_command_is_suspended_or_oversized_and_nothing_is_read_ahead() -> None:
    dialect = Dialect()
    assert not dialect.suspended
    assert not dialect.oversized(bytearray(b"x" * 10_000))
    assert list(dialect.said(b"get a\r\n", 0)) == []


def test_without_a_word_of_its_own_any_reply_answers_a_retrieval_so_that_none_is_held_for_ever() -> None:
    assert Dialect().answers_retrieval(b"x")


def test_who_does_not_say_how_commands_are_executed_executes_none() -> None:
    with pytest.raises(NotImplementedError):
        Dialect().execute(b"x", 0)


def test_by_default_everybody_may_come_in_all_is_obeyed_and_no_turn_ends_early() -> None:
    context = _context()
    assert context.users is None
    assert context.flush_all and context.lists
    assert not context.spent()
    assert context.prefixes is not _context().prefixes
