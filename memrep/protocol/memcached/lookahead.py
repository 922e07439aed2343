"""What stands in a client's input behind the command that is about to be executed: read, not executed.

Only what PHP's session handlers say is read, and only as they spell it. Everything else is some other command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from memrep.protocol.command import OTHER, Said
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES
from memrep.protocol.memcached.numbers import of_storage

#: A value that is longer is not waited for; a lock's is one byte.
_VALUE_MAX: Final = 1 << 20

_STORED: Final = 5
_COUNTED: Final = 3
_NAMED: Final = 2

_VERBS: Final = {
    packet.GET: b"get", packet.GETK: b"get", packet.SET: b"set", packet.ADD: b"add", packet.INCR: b"incr",
    packet.DELETE: b"delete",
}  # fmt: skip


def lines(data: bytes, start: int) -> Iterator[Said]:
    """Yield the whole commands of the text protocol from `start`; one that is not known is the last."""
    while (end := data.find(b"\n", start)) >= 0:
        words = data[start:end].removesuffix(b"\r").split(b" ")
        verb, start = words[0], end + 1
        if verb in (b"set", b"add") and len(words) == _STORED:
            numbers = of_storage(words[2], words[3], words[4])
            if numbers is None or numbers[2] > 1:
                yield OTHER  # of the text protocol only locks are of interest here
                return
            flags, _, length = numbers
            if len(data) < start + length + 2:
                return
            yield Said(verb, words[1], flags, data[start : start + length])
            start += length + 2
        elif verb == b"incr" and len(words) == _COUNTED:
            yield Said(verb, words[1], value=words[2])
        elif verb in (b"get", b"delete") and len(words) == _NAMED:
            yield Said(verb, words[1])
        else:
            yield OTHER
            return


def packets(data: bytes, start: int) -> Iterator[Said]:
    """Yield the whole commands of the binary protocol from `start`; one that is not known is the last."""
    while len(data) >= start + HEADER_BYTES:
        magic, opcode, keys, extras, _, _, length, _, cas = HEADER.unpack_from(data, start)
        base = packet.QUIET.get(opcode, opcode)
        body = start + HEADER_BYTES
        verb = _VERBS.get(base)
        if verb is None or magic != packet.REQUEST or cas or not keys + extras <= length <= _VALUE_MAX:
            yield OTHER
            return
        if len(data) < body + length:
            return
        key = data[body + extras : body + extras + keys]
        value = data[body + extras + keys : body + length]
        if base == packet.INCR:
            value = b"%d" % int.from_bytes(data[body : body + 8], "big")
        stores = verb in (b"set", b"add")
        flags = int.from_bytes(data[body : body + 4], "big") if stores else 0
        yield Said(verb, key, flags, value, opcode != base)
        start = body + length
