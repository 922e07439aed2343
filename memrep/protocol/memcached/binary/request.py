"""A request of the binary protocol, as far as its replies go: their spelling, and whether they are given."""

from __future__ import annotations

from typing import Final

import attrs

from memrep.engine import operations
from memrep.engine.operations import NOT_FOUND, STORED, Outcome, Result
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import error, response
from memrep.storage.entry import Entry

_SHOWS_KEY: Final = frozenset([packet.GETK, packet.GATK])


@attrs.frozen
class Request:
    """What a reply has to repeat of its request, and whether it is given at all.

    Attributes:
        opcode: as the client sent it.
        base: what it does, quiet or not.
        quiet: whether the expected is not told.
        opaque: comes back.
        cas: the condition, 0 for none.
        key: the key.
    """

    opcode: int
    base: int
    quiet: bool
    opaque: int
    cas: int
    key: bytes

    def fails(self, status: int) -> bytes:
        """Return the reply of a command that fails; a quiet one tells that, too."""
        return error(self.opcode, self.opaque, status)

    def done(self, cas: int = 0, value: bytes = b"") -> bytes:
        """Return the reply of a command that succeeds."""
        return b"" if self.quiet else response(self.opcode, self.opaque, value=value, cas=cas)

    def stored(self, result: Result) -> bytes:
        """Return the reply of a storage command."""
        if isinstance(result, Entry):
            return self.done(result.cas_unique)
        if result is STORED:
            return self.done()
        assert isinstance(result, Outcome)
        if result is operations.NOT_STORED:  # memcached says why: there is something, or there is nothing
            reasons = {packet.ADD: operations.EXISTS, packet.REPLACE: NOT_FOUND}
            result = reasons.get(self.base, result)
        return self.fails(packet.STATUS[result])

    def counted(self, result: Result) -> bytes:
        """Return the reply of incr and decr."""
        if isinstance(result, Outcome):
            return self.fails(packet.STATUS[result])
        entry = result if isinstance(result, Entry) else None
        digits = entry.value if entry is not None else result
        assert isinstance(digits, bytes)
        return self.done(entry.cas_unique if entry is not None else 0, int(digits).to_bytes(8, "big"))

    def removed(self, result: Result) -> bytes:
        """Return the reply of a delete."""
        if result is operations.DELETED:
            return self.done()
        assert isinstance(result, Outcome)
        return self.fails(packet.STATUS[result])

    def touched(self, result: Result) -> bytes:
        """Return the reply of a touch, which shows the flags."""
        if isinstance(result, Entry):
            flags = result.flags.to_bytes(4, "big")
            return response(self.opcode, self.opaque, extras=flags, cas=result.cas_unique)
        return self.fails(packet.STATUS[NOT_FOUND])

    def shown(self, result: Result) -> bytes:
        """Return the reply of a get; a miss of a quiet one is silence."""
        key = self.key if self.base in _SHOWS_KEY else b""
        if isinstance(result, Entry):
            flags = result.flags.to_bytes(4, "big")
            value = result.value or b""
            return response(self.opcode, self.opaque, extras=flags, key=key, value=value, cas=result.cas_unique)
        if self.quiet:
            return b""
        status = packet.STATUS[NOT_FOUND]
        return response(self.opcode, self.opaque, status=status, key=key) if key else self.fails(status)
