"""Owners: an entry may belong to a client of some node, as long as that client's connection lasts.

etcd binds a key to a lease, ZooKeeper an ephemeral node to its connection; here an entry names the node whose
client owns it. Who it is only that node knows. Whose an entry is is no part of its version: when a node has
lost its clients all others take its number out, at the same view, and no write is needed for that.

What follows from an owner is not decided here: `OwnedKeys` (owned_keys.py) is where a policy says it.
"""

from __future__ import annotations

import msgspec


class Owner(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """To whom an entry belongs.

    Attributes:
        node: the node whose client owns it; 0 if nobody does, or if nobody knows any more.
        span: its full timeout, ms; it starts when the entry is taken.
        maybe: whether it may just as well be some other client's, which keeps its plain meaning.
    """

    node: int
    span: int
    maybe: bool = False
