"""PHP's policy: each client is given commands that know its connection, and its locks end as it ends."""

from __future__ import annotations

import pytest

from memrep.php.commands import PhpCommands
from memrep.php.options import PhpOptions
from memrep.php.policy import PhpPolicy
from memrep.storage.entry import Entry
from tests.harness.lone_node import LoneConnection, LoneNode, lone_node
from tests.unit.php.story import ADD, ASK, GRANTED, LOCK, READ


@pytest.fixture
def lone() -> LoneNode:
    return lone_node()


def _policy(lone: LoneNode) -> PhpPolicy:
    policy = lone.node.policy
    assert isinstance(policy, PhpPolicy)
    return policy


def _granted(lone: LoneNode) -> LoneConnection:
    """A client that has just been granted the lock."""
    client = lone.connect()
    assert client.receive(ASK + ADD + READ) == GRANTED
    return client


def _lock(lone: LoneNode) -> Entry:
    entry = lone.node.store.peek(LOCK)
    assert entry is not None
    return entry


def test_without_php_everybody_is_given_the_engines_own_commands() -> None:
    lone = lone_node(php_options=PhpOptions(on=False))
    connection = lone.connect().connection
    assert _policy(lone).commands(connection) is _policy(lone).engine
    assert connection.gate is None


def test_with_php_each_client_is_given_commands_of_its_own_at_the_gate_of_its_connection(
    lone: LoneNode,
) -> None:
    policy = _policy(lone)
    connections = [lone.connect().connection for _ in range(2)]
    one, other = map(policy.commands, connections)
    assert isinstance(one, PhpCommands) and isinstance(other, PhpCommands)
    assert [one.gate, other.gate] == [connection.gate for connection in connections]
    assert one.gate is not other.gate


def test_it_counts_the_locks_that_were_granted(lone: LoneNode) -> None:
    _granted(lone)
    assert _policy(lone).figures() == {"lock_grants": 1, "locks_in_doubt": 0, "locks_ended": 0, "copies": 0}


@pytest.mark.parametrize(("cut", "left"), [(False, b"0"), (True, b"1")])
def test_the_lock_of_a_client_that_has_left_is_due_to_be_released(
    lone: LoneNode, cut: bool, left: bytes
) -> None:
    """Who was cut off may come back: its lock lives on for a moment."""
    client, policy = _granted(lone), _policy(lone)
    assert not policy.due
    policy.left(client.connection, cut)
    assert policy.due
    assert _lock(lone).value == b"1"
    policy.release()
    assert not policy.due
    assert _lock(lone).value == left


def test_who_leaves_without_a_lock_or_twice_or_was_never_here_leaves_nothing_to_do(lone: LoneNode) -> None:
    owner, client, policy = _granted(lone), lone.connect(), _policy(lone)
    for _ in range(2):
        policy.left(client.connection, cut=False)
    policy.left(lone_node().connect().connection, cut=True)
    assert not policy.due
    policy.left(owner.connection, cut=False)
    policy.release()
    policy.left(owner.connection, cut=False)
    assert not policy.due


def test_a_client_that_is_deserted_and_knows_of_its_lock_keeps_it_and_nobody_owns_it(lone: LoneNode) -> None:
    client, policy = _granted(lone), _policy(lone)
    policy.deserted(client.connection)
    policy.left(client.connection, cut=False)
    policy.release()
    assert _lock(lone).value == b"1"
    owner = _lock(lone).owner
    assert owner is not None and owner.node == 0


def test_a_client_that_is_deserted_before_it_was_told_of_its_lock_does_not_have_it(lone: LoneNode) -> None:
    client, policy = lone.connect(), _policy(lone)
    assert client.receive(ASK + ADD) == b""
    assert _lock(lone).value == b"1"
    policy.deserted(client.connection)
    policy.left(client.connection, cut=False)
    policy.release()
    assert _lock(lone).value is None


def test_when_all_clients_are_forgotten_their_locks_stay_held(lone: LoneNode) -> None:
    client, policy = _granted(lone), _policy(lone)
    policy.forget()
    policy.left(client.connection, cut=False)
    assert not policy.due
    assert _lock(lone).value == b"1"
