"""Without a policy clients are taken at their word, whatever their keys look like and however they leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memrep.engine.operations import DELETED, NOT_FOUND, STORED, add
from memrep.protocol.client_policy import ClientCommands, ClientPolicy
from memrep.protocol.connection import Connection
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import ZERO
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to

#: What PHP's session handlers say when they take a lock and read the session that it guards.
LOCK = b"add memc.sess.key.lock.abc 0 30 1\r\n1\r\n"
SESSION = b"get memc.sess.key.abc\r\n"


class Server:
    """An engine, the policy that bends nothing, and clients."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.policy = ClientPolicy(self.rig.engine)

    def connect(self) -> Connection:
        return connection_to(self.rig.engine)


def test_a_client_has_the_engines_own_commands() -> None:
    server = Server()
    one, other = server.connect(), server.connect()
    assert server.policy.commands(one) is server.policy.commands(other) is server.rig.engine


def test_a_lock_is_a_value_like_any_other_and_nobody_waits_for_it() -> None:
    server = Server()
    holder, other = server.connect(), server.connect()
    assert holder.receive(LOCK) == b"STORED\r\n"
    assert other.receive(LOCK + SESSION) == b"NOT_STORED\r\nEND\r\n"
    assert other.receive(b"delete memc.sess.key.lock.abc\r\n") == b"DELETED\r\n"
    assert not (holder.busy or other.busy)


@pytest.mark.parametrize("cut", [False, True])
def test_who_leaves_leaves_behind_what_it_has_stored(cut: bool) -> None:
    server = Server()
    holder = server.connect()
    holder.receive(LOCK)
    server.policy.left(holder, cut)
    server.policy.tick(server.rig.clock.now)
    server.policy.release()
    assert server.rig.value(b"memc.sess.key.lock.abc") == b"1"


def test_it_counts_nothing() -> None:
    assert Server().policy.figures() == {}


def test_who_claims_what_is_free_gets_it_as_anybody_would_and_nobody_is_told() -> None:
    server = Server()
    decide = add(Entry(ZERO, b"web1|71", 0, NEVER))
    assert server.policy.claim(server.connect())(b"s_LOCK", b"web1|71", decide) == (decide, None)


def _left(policy: ClientPolicy, connection: Connection) -> None:
    policy.left(connection, cut=True)


def _deserted(policy: ClientPolicy, connection: Connection) -> None:
    policy.deserted(connection)


def _forget(policy: ClientPolicy, connection: Connection) -> None:
    policy.forget()


def _tick(policy: ClientPolicy, connection: Connection) -> None:
    policy.tick(0)


@pytest.mark.parametrize("happens", [_left, _deserted, _forget, _tick])
def test_nothing_is_ever_due_and_no_connection_is_touched(
    happens: Callable[[ClientPolicy, Connection], None],
) -> None:
    server = Server()
    connection = server.connect()
    connection.receive(LOCK)
    happens(server.policy, connection)
    assert not server.policy.due
    assert not (connection.busy or connection.closing)
    assert connection.receive(SESSION) == b"END\r\n"


SUCCESSES: list[Callable[[ClientCommands, bytes, bool], object]] = [
    lambda commands, key, show: commands.set(key, 0, NEVER, b"1", show=show),
    lambda commands, key, show: commands.add(key + b"+", 0, NEVER, b"1", show=show),
    lambda commands, key, show: commands.incr(key, 1, show=show),
    lambda commands, key, show: commands.touch(key, NEVER, show=show),
]


@pytest.mark.parametrize("succeed", SUCCESSES)
def test_who_asks_to_be_shown_a_success_is_shown_what_is_stored_and_others_are_not(
    succeed: Callable[[ClientCommands, bytes, bool], object],
) -> None:
    rig = Rig().holding(b"1", b"a").holding(b"1", b"b")
    commands = ClientPolicy(rig.engine).commands(connection_to(rig.engine))
    shown = succeed(commands, b"a", True)
    assert isinstance(shown, Entry)
    assert shown in (rig.store.peek(b"a"), rig.store.peek(b"a+"))
    assert not isinstance(succeed(commands, b"b", False), Entry)


def test_to_ask_for_no_answer_makes_no_difference_to_what_is_done() -> None:
    for quiet in (False, True):
        rig = Rig()
        commands = ClientPolicy(rig.engine).commands(connection_to(rig.engine))
        assert commands.set(b"a", 7, NEVER, b"x", quiet=quiet) is STORED
        assert (rig.value(b"a"), rig.entry(b"a").flags) == (b"x", 7)
        assert commands.delete(b"a", quiet=quiet) is DELETED
        assert commands.delete(b"a", quiet=quiet) is NOT_FOUND
