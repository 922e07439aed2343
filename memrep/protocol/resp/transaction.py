"""What one client has said since MULTI: a queue of commands, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.protocol.resp.arguments import CommandError
from memrep.protocol.resp.command import Command

Words = Sequence[bytes]

#: A queue may have so many words.
_WORDS_MAX: Final = 20_000

#: A queue may cost so many bytes, of which each command costs so many beside its words.
_QUEUE_MAX: Final = 64 << 20
_COMMAND_BYTES: Final = 200


class Transaction:
    """What one client has said since MULTI.

    Attributes:
        queue: the commands.
        broken: whether one of them was refused already.
    """

    __slots__ = ("_size", "_words", "broken", "queue")

    def __init__(self) -> None:
        self.queue: list[tuple[Command, Words]] = []
        self.broken = False
        self._size = 0
        self._words = 0

    def add(self, command: Command, words: Words) -> None:
        """Queue a command.

        Raises:
            CommandError: the queue is full.
        """
        self._size += sum(map(len, words)) + _COMMAND_BYTES
        self._words += len(words)
        if self._size > _QUEUE_MAX or self._words > _WORDS_MAX:
            self.broken = True
            raise CommandError(b"ERR the transaction is too large")
        self.queue.append((command, words))
