"""An entry: what one key holds. Of two entries of a key the one with the higher version stands.

A deleted, evicted or expired key does not vanish at once. It leaves a tombstone, an entry without a value
that keeps the version, so that an older copy which returns with a lost node is recognised as older. Cassandra
and Riak do the same; a store is told for how long tombstones are kept.

Entries are msgspec structs with `gc=False`: they refer only to bytes and integers, can be part of no cycle,
and a collection over a million of them would otherwise stop the node for a third of a second.
"""

from __future__ import annotations

from typing import Final

import msgspec

from memrep.storage.owner import Owner
from memrep.storage.version import Version, cas_unique

#: A value that is to be made anew, and may be shown until then (protocol.txt, "Meta Delete": I).
STALE: Final = 1

#: A client has been told to make the value anew (protocol.txt, "Meta Get": W and Z).
WON: Final = 2

#: The monotonic time (ms) of an entry that never expires.
NEVER: Final = 1 << 62


#: What makes one request of a client known again at every node: a fingerprint, a number, and the cas unique
#: under which those are counted. It travels with a write; what it is good for is a policy's affair.
RequestId = tuple[int, int, int]


class Entry(msgspec.Struct, gc=False):
    """What one key holds on this node.

    Attributes:
        version: orders this entry among all entries of its key, on all nodes.
        value: the data block; None for a tombstone.
        flags: the client's 32 bits, opaque.
        expires: this node's monotonic clock (ms) at which the value is gone, or at which a tombstone may be
            purged; NEVER for neither.
        cas: the cas unique where it is not the version's own: `touch` and `gat` make a new version of the
            same value, and memcached leaves the cas unique alone then. 0 otherwise.
        owner: whose it is, if it is one of PHP's session locks.
        marks: STALE and WON.
        seen: this node's monotonic clock (ms) when a client read it here last; 0 if none did. That of a
            tombstone tells how it ended (store.py).
    """

    version: Version
    value: bytes | None
    flags: int
    expires: int
    cas: int = 0
    owner: Owner | None = None
    marks: int = 0
    seen: int = 0

    @property
    def cas_unique(self) -> int:
        """Return what `gets` shows for this entry."""
        return self.cas or cas_unique(self.version)
