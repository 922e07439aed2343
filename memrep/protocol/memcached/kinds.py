"""Which commands go round the cluster, and which may show much, by verb and by opcode: see flow_control.py."""

from __future__ import annotations

from typing import Final

from memrep.protocol.memcached.binary import packet

#: Commands of the text protocol that write.
WRITING: Final = frozenset(
    b"set add replace append prepend cas ms incr decr touch gat gats delete md ma flush_all".split()
)

#: Flags with which a meta get writes: a new exptime, an entry where there is none, an early recache.
_WRITING_FLAGS: Final = (b"T", b"N", b"R")

#: Those that show values. Not `stats`: who wants to know what is the matter must not wait for it.
SHOWING: Final = frozenset(b"get bget gets gat gats mg".split())

#: The loud opcodes of the binary protocol that store a value.
STORING: Final = frozenset([packet.SET, packet.ADD, packet.REPLACE, packet.APPEND, packet.PREPEND])

#: Those that write.
WRITING_OPCODES: Final = STORING | {
    packet.DELETE, packet.INCR, packet.DECR, packet.FLUSH, packet.TOUCH, packet.GAT, packet.GATK,
}  # fmt: skip

#: Those that show values.
SHOWING_OPCODES: Final = frozenset([packet.GET, packet.GETK, packet.GAT, packet.GATK])

#: Statistics are a long answer to a short line, and take so many times as long to make as a value of that size
#: takes to read. They count so much more against the output that a connection may have made in one go.
SLOWNESS: Final = 16


def writes(words: list[bytes]) -> bool:
    """Tell whether a line of the text protocol goes round the cluster, as far as the line tells.

    A meta get that wins the right to make a stale value anew does so, too; that only the entry tells.
    """
    verb = words[0] if words else b""
    return verb in WRITING or (verb == b"mg" and any(word.startswith(_WRITING_FLAGS) for word in words[2:]))
