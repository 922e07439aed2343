"""A client of memcached's is answered once for each command, now or later; a deferred one is not."""

from __future__ import annotations

from memrep.engine.future import Future
from memrep.engine.operations import LATER, STORED, Result
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.client import MemcachedClient
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to


def _client() -> tuple[MemcachedClient, Connection]:
    rig = Rig()
    connection = connection_to(rig.engine)
    context = ServerContext(
        version=b"1", reports={}, reset=lambda: None, set_verbosity=lambda level: None, shutdown=None
    )
    return MemcachedClient(connection, rig.engine, rig.engine, context), connection


def _spell(result: Result) -> bytes:
    return b"<%b>" % (result if isinstance(result, bytes) else b"?")


def test_what_is_known_is_told_now_and_counts_as_output() -> None:
    client, connection = _client()
    client.show(b"now", _spell)
    assert connection.size == len(b"<now>")
    assert connection.resume() == b"<now>"


def test_what_is_known_later_is_told_in_its_place() -> None:
    client, connection = _client()
    future = Future()
    client.show(future, _spell)
    client.show(b"behind", _spell)
    assert connection.resume() == b""
    future.resolve(STORED)
    assert connection.resume() == b"<?><behind>"


def test_a_deferred_command_is_not_answered() -> None:
    client, connection = _client()
    client.show(LATER, _spell)
    assert connection.resume() == b""


def test_only_plain_writes_keep_the_queue_plain() -> None:
    client, _ = _client()
    client.show(Future(), _spell, plain=True)
    assert client.replies.plain
    client.show(Future(), _spell)
    assert not client.replies.plain
