"""What a shell hands to a node, and what a node does without it."""

from __future__ import annotations

import attrs
import pytest

from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import ProcessInfo, Shell, Start
from tests.harness.lone_node import WALL


def test_a_shell_that_knows_nothing_of_a_process_is_enough() -> None:
    node = Node(NodeOptions(), Start(inc=1, now=5_000, wall=WALL), Shell(random_bytes=bytes))
    connection = node.clients.connect()
    node.turn(5_100, WALL + 3_600_000)
    node.tick()
    assert not list(node.end_turn())
    lines = node.clients.receive(connection, b"stats\r\n").split(b"\r\n")
    assert lines[0] == b"STAT uptime 0", "no line on the process stands before it"
    assert b"STAT time %d" % ((WALL + 3_600_000) // 1000) in lines
    assert node.clients.receive(connection, b"shutdown\r\n").startswith(b"ERROR: shutdown not enabled")


def test_an_incarnation_is_the_starts_own() -> None:
    first, second = (
        Node(NodeOptions(), Start(inc=inc, now=0, wall=WALL), Shell(random_bytes=bytes)) for inc in (7, 8)
    )
    assert (first.replica.state.inc, second.replica.state.inc) == (7, 8)


def test_what_a_client_orders_of_the_process_comes_to_the_shell() -> None:
    levels: list[int] = []
    ended: list[str] = []
    shell = Shell(random_bytes=bytes, set_verbosity=levels.append, shutdown=lambda: ended.append("now"))
    node = Node(NodeOptions(), Start(inc=1, now=0, wall=WALL), shell)
    connection = node.clients.connect()
    assert node.clients.receive(connection, b"verbosity 2\r\n") == b"OK\r\n"
    node.clients.receive(connection, b"shutdown\r\n")
    assert (levels, ended) == ([2], ["now"])


def test_none_of_it_can_be_changed_afterwards() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Start(inc=1, now=0, wall=WALL).inc = 2  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Shell(random_bytes=bytes).process = ProcessInfo()  # type: ignore[misc]
