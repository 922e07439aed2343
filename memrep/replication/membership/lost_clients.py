"""Lost clients: whose clients are gone when a view begins, and since when what they were told is uncertain.

Problem: an entry may belong to a client for as long as its connection lasts, a lock for example. When that
client's node dies, or closes its connections, the entry is nobody's. But nodes do not know the same of a peer,
nor at the same moment, and such an entry must end everywhere or nowhere (finding 21). So the proposer of a view
says it for all.

With each node it tells from which moment on what that node told its clients is in doubt. Nobody knows what a
node still said after it was heard last, and a grant that its client has never seen must not be held against
others for long (finding 22). The moment is one of the hybrid clock, which every grant carries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from memrep.replication.membership.membership import Membership
from memrep.replication.membership.peer_process import TOOK_LEAVE
from memrep.replication.message import Install
from memrep.storage.version import latest_unique, stamped_at

#: What a node has said to its clients in so long a time before it was heard last may have reached nobody, ms: a
#: reply leaves in the very turn in which its write is committed.
UNCERTAIN_MS: Final = 250


def lost_clients(view: Install, membership: Membership) -> dict[int, int]:
    """Return the nodes that lost their clients since the last view, and from when on their grants are in doubt.

    Args:
        view: the view that begins.
        membership: the proposer's, which still stands in the last one.

    Returns:
        By node, the ms of the hybrid clock after those of all that was known here when it was heard last.
    """
    lost: dict[int, int] = {}
    clock, peers = membership.clock, membership.detector.peers
    for node, inc in {**view.members, **membership.state.view.members}.items():
        if view.members.get(node) != inc or node not in view.full or node in view.alone:
            peer = peers.get(node)
            heard = min(clock.now, peer.contact.heard) if peer is not None else clock.now
            # It has answered everything before its goodbye, so nothing of it is in doubt.
            took_leave = peer is not None and peer.process.gone == TOOK_LEAVE
            # Finding 42: by what was here then. How old a version is no difference of two clocks tells.
            known = stamped_at(latest_unique(clock, heard - UNCERTAIN_MS))
            lost[node] = 1 + (clock.hybrid if took_leave else known)
    return lost


def still_living(nodes: Iterable[int], membership: Membership) -> list[int]:
    """Return which of these nodes are the same processes still, as far as is known: clients may wait there."""
    peers, members = membership.detector.peers, membership.state.view.members
    living = []
    for node in nodes:
        process = peers[node].process if node in peers else None
        if process is not None and process.inc == members.get(node, process.inc) and not process.gone:
            living.append(node)
    return living
