"""PHP's policy for clients: which commands each is given, and what becomes of its locks when it is gone."""

from __future__ import annotations

from collections.abc import Iterator

from memrep.php.commands import PhpCommands
from memrep.php.held_locks import HeldLock, held_locks
from memrep.php.lock_table import LockTable
from memrep.php.session_search import SessionSearch
from memrep.protocol.claim import Claim, as_said
from memrep.protocol.client_policy import ClientCommands, ClientPolicy
from memrep.protocol.connection import Connection


class PhpPolicy(ClientPolicy):
    """Every client may be PHP, and is given the commands that find out.

    Args:
        table: what this node knows of everybody's locks.

    Attributes:
        sessions: looks for them, for an operator.
    """

    def __init__(self, table: LockTable) -> None:
        super().__init__(table.engine)
        self.sessions = SessionSearch(table)
        self.due = table.due
        self._table = table
        self._clients: dict[Connection, PhpCommands] = {}

    def commands(self, connection: Connection) -> ClientCommands:
        """Return commands that see what this connection says, if PHP is provided for; its locks end with it."""
        if not self._table.php_options.on:
            return self.engine
        client = self._clients[connection] = PhpCommands(self._table, connection.open_gate())
        return client

    def claim(self, connection: Connection) -> Claim:
        """Return phpredis' way to take locks, if PHP is provided for."""
        client = self._clients.get(connection)
        return as_said if client is None else client.claiming

    def left(self, connection: Connection, cut: bool) -> None:
        """Release the locks of a client that is gone."""
        client = self._clients.pop(connection, None)
        if client is not None:
            self._table.left(client, cut)

    def deserted(self, connection: Connection) -> None:
        """Give up the locks of a client that may go on with them at another node; it was told of them."""
        client = self._clients.get(connection)
        if client is not None and not client.gate.holding:
            self._table.deserted(client)

    def forget(self) -> None:
        """Forget who holds which lock."""
        self._table.forget()

    def release(self) -> None:
        """Release the locks that are due."""
        self._table.release()

    def figures(self) -> dict[str, int]:
        """Return what has become of locks and of copies here."""
        return self._table.figures()

    def held_locks(self) -> Iterator[HeldLock | None]:
        """Yield what there is to say of each key that may be a lock; None of one that is not held."""
        return held_locks(self._table, self._clients)

    def tick(self, all_heard: int) -> None:
        """See which remembered releases count now, and which doubts are over."""
        self._table.tick(all_heard)
