"""A client of packets is answered once for each request, in its place, now or later; a deferred one is not."""

from __future__ import annotations

import pytest

from memrep.engine.future import Future
from memrep.engine.operations import LATER, STORED, Result
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.binary.client import BinaryClient, exptime_of
from memrep.protocol.users import Users
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to


def _client(users: Users | None = None) -> tuple[BinaryClient, Connection]:
    rig = Rig()
    connection = connection_to(rig.engine)
    context = ServerContext(
        version=b"1",
        reports={},
        reset=lambda: None,
        set_verbosity=lambda level: None,
        shutdown=None,
        users=users,
    )
    return BinaryClient(connection, rig.engine, rig.engine, context), connection


def _spell(result: Result) -> bytes:
    return b"<%b>" % (result if isinstance(result, bytes) else b"?")


def test_what_is_known_is_told_now_and_counts_as_output() -> None:
    client, connection = _client()
    client.answer(b"now", _spell)
    assert connection.size == len(b"<now>")
    assert connection.resume() == b"<now>"


def test_what_is_known_later_is_told_in_its_place() -> None:
    client, connection = _client()
    future = Future()
    client.answer(future, _spell)
    client.answer(b"behind", _spell)
    assert connection.resume() == b""
    future.resolve(STORED)
    assert connection.resume() == b"<?><behind>"


def test_a_deferred_command_is_not_answered() -> None:
    client, connection = _client()
    client.answer(LATER, _spell)
    assert connection.resume() == b""


def test_only_plain_writes_keep_the_queue_plain() -> None:
    client, _ = _client()
    client.answer(Future(), _spell, plain=True)
    assert client.replies.plain
    client.answer(Future(), _spell)
    assert not client.replies.plain


def test_a_login_is_asked_for_only_where_there_are_users() -> None:
    assert _client()[0].login is None
    login = _client(Users({b"user": b"secret"}))[0].login
    assert login is not None and not login.admitted


@pytest.mark.parametrize(("extras", "exptime"), [(b"", 0), (b"\0\0\0\x3c", 60), (b"\xff" * 4, 0xFFFFFFFF)])
def test_an_exptime_has_no_sign_and_may_be_left_out(extras: bytes, exptime: int) -> None:
    assert exptime_of(extras) == exptime
