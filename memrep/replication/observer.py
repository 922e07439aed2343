"""SEAM: what replication tells whoever has an interest in writes and owners; nobody by default.

A policy for clients has to know of things that only replication sees: that another node's write is on its way,
that one has accepted a write, that one has lost its clients, and that this node was out of touch. It is told in
the very turn, after the store has been changed; it may look into the store, and must not write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from memrep.storage.entry import Entry, RequestId
from memrep.storage.owner import Owner

Disowned = list[tuple[bytes, Entry, Owner]]


class ReplicationObserver:
    """Who is told; this one makes nothing of it."""

    def proposed(self, key: bytes, entry: Entry) -> None:
        """Note that another node's write of something that has an owner is on its way."""

    def accepted(self, key: bytes, request: RequestId) -> None:
        """Note that another node has accepted the write of this request."""

    def owners_lost(
        self, disowned: Disowned, lost: Mapping[int, int], silent: Collection[int], away: Collection[int]
    ) -> None:
        """Note that a view begins, and that these nodes have lost their clients.

        Args:
            disowned: what those clients owned: key, entry, and its former owner.
            lost: each such node, and the hybrid clock's ms from which on what it has told its
                clients is uncertain.
            silent: those of them that may yet live.
            away: the nodes that this one is without and that may yet live.
        """

    def settled_for_lost(self, key: bytes, entry: Entry, away: Collection[int]) -> None:
        """Note that a view settled a write whose owner's node has lost its clients; no client owns it now.

        Args:
            key: the key.
            entry: as it is in the store now.
            away: the other nodes that this one is without and that may yet live.
        """

    def out_of_touch(self) -> None:
        """Note that clients may be waiting: a node that may yet live was left out, or this one was stopped."""

    def yielded(self) -> None:
        """Note that this node's data gave way to another side's: what it knew of requests counts no more."""
