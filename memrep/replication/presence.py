"""Presence: which nodes are heard, which are gone, and whose lease this node holds.

A node is gone when it has been silent for the failure timeout T; or at once when its end of our link was
closed and nobody answers its port any more, which is what a killed process looks like and nothing else does:
a firewall that rejects leaves established links alone.

A lease lets a node serve. Each answered heartbeat allows it for LEASE counted from the moment it was *sent*,
so the lease ends at the holder before the granter could have done without it: LEASE + one tick < T, and a
node votes for a view that excludes another only after T of its own silence (election.py). So a node that
others have given up does not serve any more, even if it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from memrep.entry import NEVER
from memrep.replication.message import Beat
from memrep.replication.view import Standing


@attrs.frozen(kw_only=True)
class Timing:
    """The constants of membership, ms. They scale together with the failure timeout.

    The inequalities that they have to keep are argued in docs/replication.md: lease + tick < silence,
    2 x beat + a round trip < lease, 2 x round trip < propose.
    """

    silence: int = 600
    lease: int = 400
    beat: int = 100
    propose: int = 150
    promise: int = 300
    ignore: int = 1_000
    chunk: int = 500
    cold_start: int = 10_000
    hold: int = 750

    @classmethod
    def scaled(cls, failure_timeout_ms: int, cold_start_ms: int = 10_000) -> Timing:
        """The constants for another failure timeout."""

        def scale(ms: int) -> int:
            return max(1, ms * failure_timeout_ms // 600)

        return cls(
            silence=failure_timeout_ms,
            lease=scale(400),
            beat=scale(100),
            propose=scale(150),
            promise=scale(300),
            ignore=scale(1_000),
            chunk=scale(500),
            hold=scale(750),
            cold_start=cold_start_ms,
        )


@attrs.define(eq=False)
class Peer:
    """What this node knows of another one.

    Attributes:
        node: its number.
        name: its address as in --nodes.
        inc: its incarnation, 0 before it was heard.
        linked: whether its link to us is open.
        dialled: whether our link to it is open.
        heard: when something last came from it, own monotonic ms.
        gone: why it is known to be gone; empty if it is not.
        disagrees: why it turned this node away; empty if it did not.
        since: when its state for `stats` last changed, own wall ms.
        state: its state as last reported, for `stats` and the log.
        beat: its last heartbeat.
        lease: until when it lets this node serve, own monotonic ms.
        ignored: until when it is left out because it did not vote.
        installed: the latest view that it is known to have installed.
        reminded: when it was last sent the present view, own monotonic ms.
        offset: how far its clock was ahead of ours, ms.
        synced: when it last became full in our view, own wall ms; 0 for never.
    """

    node: int
    name: str
    inc: int = 0
    linked: bool = False
    dialled: bool = False
    heard: int = 0
    gone: str = "never heard"
    disagrees: str = ""
    since: int = 0
    state: str = "down"
    beat: Beat | None = None
    lease: int = 0
    ignored: int = 0
    installed: int = 0
    reminded: int = 0
    offset: int = 0
    synced: int = 0

    def restarted(self, inc: int) -> None:
        """It has another incarnation than before: what was known of its process is void."""
        self.inc = inc
        self.beat = None
        self.lease = 0
        self.installed = 0
        self.synced = 0


class Presence:
    """The peers of one node, by number.

    Args:
        standing: where this node stands.
        names: the addresses of all nodes; node n is the n-th.
        timing: the constants.
    """

    def __init__(self, standing: Standing, names: list[str], timing: Timing) -> None:
        self.peers = {node: Peer(node, name) for node, name in enumerate(names, start=1) if node != standing.me}
        self._standing = standing
        self._timing = timing

    def here(self, now: int) -> list[Peer]:
        """The peers that are heard, whether ignored or not."""
        silence = self._timing.silence
        return [p for p in self.peers.values() if not p.gone and now - p.heard < silence]

    def reach(self, now: int) -> dict[int, int]:
        """The nodes that could form a view with this one, itself included: numbers to incarnations."""
        standing = self._standing
        reach = {p.node: p.inc for p in self.here(now) if self._counts(p, now)}
        reach[standing.me] = standing.inc
        return reach

    def _counts(self, peer: Peer, now: int) -> bool:
        """Whether a peer that is heard may be in a view: a newcomer must be able to hear us, too."""
        if peer.ignored > now:
            return False
        member = self._standing.view.members.get(peer.node) == peer.inc
        return member or (peer.dialled and peer.beat is not None)

    def heard(self, node: int, now: int) -> None:
        """Something came from this peer."""
        self.peers[node].heard = now

    def installed(self, now: int) -> None:
        """A view begins: every member counts as heard now, no lease is left, nobody is ignored.

        Without the first a node that heals after a long silence would at once replace the fresh view. A member
        may have restarted without this node having noticed: others have heard it, so it gets its time to show.
        """
        members = self._standing.view.members
        for peer in self.peers.values():
            peer.lease = 0
            peer.ignored = 0
            peer.reminded = now
            inc = members.get(peer.node)
            if peer.gone and inc not in (None, peer.inc):
                peer.restarted(inc)
                peer.gone = ""
            if inc == peer.inc and not peer.gone:
                peer.heard = now

    def ignore(self, nodes: Iterable[int], until: int) -> None:
        """Leave these nodes out of proposals for a while."""
        for node in nodes:
            self.peers[node].ignored = until

    @property
    def confirmed(self) -> bool:
        """Whether every member is known to have installed the view.

        Before that nobody may be told of anything that the view has settled: a member that lost the message
        and all others would know nothing of it.
        """
        vid = self._standing.view.vid
        return vid > 0 and all(self.peers[node].installed >= vid for node in self._standing.others)

    def serves_until(self) -> int:
        """Until when (own monotonic ms) this node may execute clients' commands (rule S1).

        Not at all unless it is full and not paused and every member has installed the view. In a view with a
        majority the leases of a majority of the configured nodes count, itself included; in one without, those
        of all members. The answer holds until a lease comes or anything else of these changes.
        """
        standing = self._standing
        if not standing.full or standing.paused or not self.confirmed:
            return 0
        leases = sorted((self.peers[node].lease for node in standing.others), reverse=True)
        needed = standing.majority - 1 if standing.view.quorate else len(leases)
        return leases[needed - 1] if needed else NEVER
