"""The storage commands of the text protocol: set add replace append prepend cas.

Each has a data block behind its line, of which the line tells the length (protocol.txt, "Storage commands"). So
a command is looked at as soon as its line is there. What is refused for its line alone has no data block:
memcached takes what follows for the next command. What is refused for its size is passed over without being
kept, and the refusal stands behind it.

Invariant: a set that fails for want of room leaves no old value behind, as in memcached; all else that fails
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.engine.future import Future
from memrep.engine.operations import NO_MEMORY, TOO_LARGE, Result
from memrep.protocol.memcached.errors import BAD_LINE, ERROR, OUT_OF_MEMORY
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline
from memrep.protocol.memcached.numbers import of_storage, unsigned
from memrep.protocol.memcached.text.client import TextClient, Words
from memrep.protocol.memcached.text.data_block import BAD_CHUNK, LARGE, VALUE_MAX, end_of_block
from memrep.storage.entry import NEVER

#: Stores a value: client, key, flags, exptime, value, and the cas unique if the line has one.
Store = Callable[[TextClient, bytes, int, int, bytes, int], Result | Future]


class StorageCommand:
    """A storage command.

    Args:
        verb: its verb.
        store: what it does with its value.
        words: how many words its line has without `noreply`.
    """

    __slots__ = ("_cas", "_set", "_store", "_words", "verb")

    def __init__(self, verb: bytes, store: Store, words: int = 5) -> None:
        self.verb = verb
        self._set = verb == b"set"
        self._cas = verb == b"cas"
        self._words = words
        self._store = store

    def execute(self, client: TextClient, words: Words, data: bytes, body: int) -> int:
        """Execute the command of this line, whose data block begins at `body`.

        Returns:
            Where the next command begins; or, if the data block is not here yet, minus the number of bytes
            that are missing.
        """
        count = len(words) - self._words
        if count not in (0, 1):
            client.refuse(ERROR)
            return body
        noreply = words[-1] == b"noreply"
        key = words[1]
        numbers = of_storage(words[2], words[3], words[4])
        unique = unsigned(words[5]) if self._cas else 0
        if len(key) > KEY_BYTES_MAX or numbers is None or unique is None or numbers[2] >= VALUE_MAX:
            client.refuse(BAD_LINE, noreply)
            return body
        flags, exptime, length = numbers
        if client.engine.item_limit.too_large(key, flags, length):
            _note(client, key)
            client.engine.counters.store_too_large += 1
            if self._set:
                client.answer(client.engine.refuse(key, TOO_LARGE), noreply=True)
            client.skip_block(length, b"" if noreply else LARGE)
            return body
        end = body + length
        after = end_of_block(data, end)
        if after >= 0:
            _note(client, key)
        if after <= 0:
            if not after:
                client.refuse(BAD_CHUNK, noreply)
            elif client.connection.refused:
                drop(client, key, length, empty=self._set, noreply=noreply)
                return body
            return after or end + 2
        client.connection.next = after
        result = self._store(client, key, flags, exptime, data[body:end], unique)
        client.answer(result, noreply, plain=self._set)
        return after


def drop(client: TextClient, key: bytes, length: int, *, empty: bool, noreply: bool) -> None:
    """Refuse a value that has come half, for want of memory.

    Args:
        client: whose.
        key: where it was to be stored.
        length: of its data block, bytes, which is passed over.
        empty: whether no old value is left behind.
        noreply: whether that is told.
    """
    client.connection.refused = False
    client.engine.counters.store_no_memory += 1
    if empty:
        client.answer(client.engine.refuse(key, NO_MEMORY), noreply=True)
    client.skip_block(length, b"" if noreply else OUT_OF_MEMORY)


def _note(client: TextClient, key: bytes) -> None:
    if client.prefixes.on:
        client.prefixes.stored(key)


def _set(client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, _: int) -> Result | Future:
    ends = NEVER if exptime == 0 else deadline(client.engine.clock, exptime)
    return client.commands.set(key, flags, ends, value, sent=exptime)


def _add(client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, _: int) -> Result | Future:
    return client.commands.add(key, flags, deadline(client.engine.clock, exptime), value)


def _replace(client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, _: int) -> Result | Future:
    return client.engine.replace(key, flags, deadline(client.engine.clock, exptime), value)


# These two ignore flags and exptime, as protocol.txt says.
def _append(client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, _: int) -> Result | Future:
    return client.engine.append(key, value)


def _prepend(client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, _: int) -> Result | Future:
    return client.engine.prepend(key, value)


def _cas(
    client: TextClient, key: bytes, flags: int, exptime: int, value: bytes, unique: int
) -> Result | Future:
    return client.engine.cas(key, flags, deadline(client.engine.clock, exptime), value, unique)


SET: Final = StorageCommand(b"set", _set)
ADD: Final = StorageCommand(b"add", _add)
REPLACE: Final = StorageCommand(b"replace", _replace)
APPEND: Final = StorageCommand(b"append", _append)
PREPEND: Final = StorageCommand(b"prepend", _prepend)
CAS: Final = StorageCommand(b"cas", _cas, words=6)
