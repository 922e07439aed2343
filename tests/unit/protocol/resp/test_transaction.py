"""What one client queues is bounded, whatever it consists of."""

from __future__ import annotations

import pytest

from memrep.protocol.resp.arguments import CommandError
from memrep.protocol.resp.table import COMMANDS
from memrep.protocol.resp.transaction import Transaction
from tests.unit.protocol.resp.test_dialect import OK, lone_client, one_told, said


def test_a_queue_is_bounded() -> None:
    transaction = Transaction()
    megabyte = b"x" * (1 << 20)
    with pytest.raises(CommandError):
        for _ in range(65):
            transaction.add(COMMANDS[b"set"], [b"set", b"a", megabyte])
    assert transaction.broken
    assert len(transaction.queue) == 63


def test_small_commands_fill_a_queue_too() -> None:
    transaction = Transaction()
    with pytest.raises(CommandError):
        for _ in range(400_000):
            transaction.add(COMMANDS[b"multi"], [b""])


def test_a_queue_that_is_full_is_not_executed() -> None:
    client = lone_client(item_max=32 << 20, memory=256 << 20)
    huge = said("SET", "a", b"x" * (20 << 20))
    assert client.receive(said("MULTI")) == OK
    replies = b"".join(client.receive(huge) for _ in range(4))
    assert replies == b"+QUEUED\r\n" * 3 + b"-ERR the transaction is too large\r\n"
    assert one_told(client.receive(said("EXEC"))).startswith(b"-EXECABORT ")
    assert one_told(client.receive(said("DBSIZE"))) == 0
