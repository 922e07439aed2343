"""Which commands go round the cluster, and which may show much, by verb and by opcode: see flow_control.py."""

from __future__ import annotations

from typing import Final

from memrep.protocol.memcached.binary import packet

#: Commands of the text protocol that write.
WRITING: Final = frozenset(
    b"set add replace append prepend cas ms incr decr touch gat gats delete md ma flush_all".split()
)

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
