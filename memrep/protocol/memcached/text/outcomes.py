"""How the classic text protocol spells outcomes, and entries that it shows."""

from __future__ import annotations

from typing import Final

from memrep.engine.operations import (
    DELETED,
    EXISTS,
    FLUSHED,
    LATER,
    NO_MEMORY,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    STORED,
    TOUCHED,
    Outcome,
    Result,
)
from memrep.protocol.memcached.errors import NO_NUMBER, OUT_OF_MEMORY
from memrep.storage.entry import Entry

#: The spelling of each outcome.
REPLIES: Final[dict[Outcome, bytes]] = {
    STORED: b"STORED\r\n",
    LATER: b"",
    NOT_STORED: b"NOT_STORED\r\n",
    EXISTS: b"EXISTS\r\n",
    NOT_FOUND: b"NOT_FOUND\r\n",
    DELETED: b"DELETED\r\n",
    TOUCHED: b"TOUCHED\r\n",
    FLUSHED: b"OK\r\n",
    NOT_A_NUMBER: NO_NUMBER,
    NO_MEMORY: OUT_OF_MEMORY,
}


def silent(result: Result) -> bytes:
    """Return nothing, for commands with `noreply`."""
    return b""


def spell(result: Result) -> bytes:
    """Spell an outcome, or a number."""
    if isinstance(result, Outcome):
        return REPLIES[result]
    assert isinstance(result, bytes)
    return result + b"\r\n"


def show(key: bytes, entry: Entry) -> bytes:
    """Spell an entry as get shows it."""
    value = entry.value
    assert value is not None
    return b"VALUE %b %d %d\r\n%b\r\n" % (key, entry.flags, len(value), value)


def show_cas(key: bytes, entry: Entry) -> bytes:
    """Spell an entry as gets shows it."""
    value = entry.value
    assert value is not None
    return b"VALUE %b %d %d %d\r\n%b\r\n" % (key, entry.flags, len(value), entry.cas_unique, value)
