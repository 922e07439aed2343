"""Sameness: whether other nodes hold the same entries as this one, found out bit by bit without crying wolf.

With what a node says of itself each second goes a window of its digests (storage/digest.py), WINDOW of the
buckets, the next ones each time; whoever hears it holds them against its own. Writes are on their way at every
moment, so one comparison shows nothing, and on a busy site no sum ever stands still. But sums are sums: what
one node has and another has not adds the same to their difference however much is written besides, until that
key is written anew, while what is on its way adds something else each time.

Rule: a bucket differs only if the difference was the same number, not 0, in successive comparisons over
LASTING_MS, in one view, between two nodes that serve. And only values count, no tombstones.

For when a tombstone is purged is each node's own affair, by an hour and more: one that was stopped (SIGSTOP)
notices late what has run out; one that is short of memory purges early, and who joins from it lacks the same;
who has joined has its tombstones in another order, and the first that has not had its time holds up those
behind it (storage/store.py). None of that is seen by anybody, for a tombstone is a miss like a lack of one.

When a value ends, on the other hand, is the same for all, but for clocks that run at different speeds and for
sweeps. LASTING_MS is well above that: of 30 days, the longest time that clients give as a number of seconds, a
clock that is off by 0.01 % makes 260 s, and a round of a sweep takes 15 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

import attrs

from memrep.replication.membership.peer import Peer
from memrep.replication.membership.view import View
from memrep.status.facts import DOWN, SILENT, Sameness, read_about
from memrep.storage.digest import BUCKETS, PRIME
from memrep.storage.store import Store

#: Buckets that are told at once: all of them in about 130 s. What is said each second is to stay small.
WINDOW: Final = 8

#: For how long a difference must be the same, ms.
LASTING_MS: Final = 600_000

_TOLD: Final = Struct(f">H{WINDOW}Q")


@attrs.define(eq=False)
class _Compared:
    """What is known of one process in one view: when a bucket was compared, what differs since when."""

    of: tuple[int, int]
    heard: int = -1
    at: dict[int, int] = attrs.Factory(dict)
    differs: dict[int, tuple[int, int]] = attrs.Factory(dict)
    lasting: dict[int, int] = attrs.Factory(dict)


class DigestExchange:
    """What one node tells of its digests, and what it makes of the others'.

    Args:
        store: whose digests these are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = 0
        self._peers: dict[int, _Compared] = {}

    def tell(self) -> bytes:
        """Return the next window; each call goes on."""
        first = self._next
        self._next = (first + WINDOW) % BUCKETS
        return _TOLD.pack(first, *self._of_values(first))

    def _of_values(self, first: int) -> list[int]:
        """Return this node's sums from this bucket on, over values alone."""
        return self._store.digest.without(self._store.dead, first, first + WINDOW)

    def look(self, view: View, peers: Iterable[Peer], now: int) -> None:
        """Compare what is new of what peers tell; forget those that do not serve in this view.

        Args:
            view: the view that this node is in.
            peers: the others; none if this node does not serve.
            now: own monotonic ms.
        """
        here = {
            peer.node: peer
            for peer in peers
            if view.members.get(peer.node) == peer.process.inc and peer.state not in (DOWN, SILENT)
        }
        for node in self._peers.keys() - here.keys():
            del self._peers[node]
        for node, peer in here.items():
            compared, of = self._peers.get(node), (view.vid, peer.process.inc)
            # It says something once a second and is looked at at each tick: read is only what is new.
            if compared is not None and compared.of == of and compared.heard == peer.about_at:
                continue
            about = read_about(peer.about)
            if about is None or not about.digests:
                self._peers.pop(node, None)
                continue
            if compared is None or compared.of != of:
                compared = self._peers[node] = _Compared(of)
            compared.heard = peer.about_at
            self._heard(compared, about.digests, now)

    def _heard(self, compared: _Compared, digests: bytes, now: int) -> None:
        if len(digests) != _TOLD.size:
            return
        first, *theirs = _TOLD.unpack(digests)
        if first <= BUCKETS - WINDOW:
            for bucket, (our, their) in enumerate(zip(self._of_values(first), theirs, strict=True), first):
                self._compare(compared, bucket, our - their, now)

    def _compare(self, compared: _Compared, bucket: int, difference: int, now: int) -> None:
        compared.at[bucket] = now
        if not difference:
            compared.differs.pop(bucket, None)
            compared.lasting.pop(bucket, None)
            return
        # Sums are told modulo a prime, and a difference may come from either side of it.
        difference %= PRIME
        was, since = compared.differs.get(bucket, (0, now))
        if was != difference:
            compared.differs[bucket] = difference, now
            compared.lasting.pop(bucket, None)
        elif now - since >= LASTING_MS:
            compared.lasting[bucket] = since

    def told(self, names: list[str], now: int) -> Sameness:
        """Return what is known now (ms), by the names of the nodes."""
        peers = self._peers.values()
        return Sameness(
            nodes=[names[node - 1] for node in sorted(self._peers)],
            of=BUCKETS,
            buckets=min((len(each.at) for each in peers), default=0),
            oldest_s=max((now - at for each in peers for at in each.at.values()), default=0) / 1000,
            differing={names[n - 1]: len(each.lasting) for n, each in self._peers.items() if each.lasting},
            since_s=max((now - at for each in peers for at in each.lasting.values()), default=0) / 1000,
        )
