"""A client of lines is answered once for each command, in its place, now or later, or not at all."""

from __future__ import annotations

import pytest

from memrep.engine.future import Future
from memrep.engine.operations import DELETED, LATER, STORED, Result
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.text.client import TextClient
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to


def _client() -> tuple[TextClient, Connection]:
    rig = Rig()
    connection = connection_to(rig.engine)
    context = ServerContext(
        version=b"1", reports={}, reset=lambda: None, set_verbosity=lambda level: None, shutdown=None
    )
    return TextClient(connection, rig.engine, rig.engine, context), connection


def _shown(result: Result) -> bytes:
    return b"<%b>" % (result if isinstance(result, bytes) else b"?")


@pytest.mark.parametrize(("outcome", "line"), [(STORED, b"STORED\r\n"), (b"7", b"7\r\n"), (LATER, b"")])
def test_an_outcome_is_told_unless_no_reply_was_asked_for(outcome: Result, line: bytes) -> None:
    client, connection = _client()
    client.answer(outcome, noreply=False)
    client.answer(outcome, noreply=True)
    assert connection.resume() == line


@pytest.mark.parametrize("noreply", [False, True])
def test_what_is_known_later_is_told_in_its_place(noreply: bool) -> None:
    client, connection = _client()
    future = Future()
    client.answer(future, noreply)
    client.answer(DELETED, noreply=False)
    assert connection.resume() == b""
    future.resolve(STORED)
    assert connection.resume() == (b"" if noreply else b"STORED\r\n") + b"DELETED\r\n"


def test_a_command_may_have_words_of_its_own_now_and_later_and_none_while_it_is_deferred() -> None:
    client, connection = _client()
    future = Future()
    client.show(b"now", _shown)
    client.show(LATER, _shown)
    client.show(future, _shown)
    assert client.connection.size == len(b"<now>")
    future.resolve(b"later")
    assert connection.resume() == b"<now><later>"


def test_only_plain_writes_keep_the_queue_plain() -> None:
    client, _ = _client()
    client.answer(Future(), noreply=False, plain=True)
    assert client.replies.plain
    client.show(Future(), _shown)
    assert not client.replies.plain


def test_a_refusal_is_not_told_where_no_reply_was_asked_for() -> None:
    client, connection = _client()
    client.refuse(b"no\r\n")
    client.refuse(b"never\r\n", noreply=True)
    assert connection.resume() == b"no\r\n"


def test_a_block_that_is_passed_over_ends_with_its_line_end() -> None:
    client, _ = _client()
    client.skip_block(3, b"no\r\n")
    assert (client.skip, client.skip_reply) == (len(b"abc\r\n"), b"no\r\n")
