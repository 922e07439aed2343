"""The host gate: which hosts may be served while this node may have been left behind.

Problem: a node that was cut off from everybody goes on alone, and what it holds grows old. When the cable is
plugged in again its clients are there at once, the other nodes a moment later: it would show them old data, and
take writes that give way.

Rule (N1 to N3, finding 25 in docs/replication.md): in a view without a majority that came about by silence, a
client's host that was not heard within the last moment is itself a sign that the network may be whole again.
What it sends is kept, and what is ready for it is not said, while every missed node is dialled afresh. If one
is heard this node is paused until it has a view with it (Replica), and what was kept goes the way of all that
comes to a node which does not hold everything. If none is, in a time that leaves a client with one second's
patience enough of it, that host is on this side of a real partition, or this node is the last one: the host is
served until it has been quiet for a while.

So a real partition and a last survivor cost each host one short wait, and a node that comes back shows nothing
old. A host that talks to this node all through the cut is not covered, for it is on this side: the two sides
are two clusters then (docs/guarantees.md).

The while is longer the longer the view has lasted, so that a site with few visitors does not wait for each.
"""

from __future__ import annotations

from typing import Final

import attrs

from memrep.replication.membership.timing import Timing
from memrep.storage.version import Clock

#: A host that has been quiet for this part of the view's age has to be looked at again,
_QUIET_SHARE: Final = 4

#: but not within so many ms, and always after so many.
_QUIET_MIN_MS: Final = 2_000
_QUIET_MAX_MS: Final = 60_000

#: How long, in dials, the missed nodes are given at least: for a client that has waited since before the view.
_DIALS: Final = 2


@attrs.define(eq=False)
class _Host:
    """A client's host that has asked for something.

    Attributes:
        due: when it is served if no missed node is heard, own monotonic ms.
        heard: when it asked for a key last, or was let in; only of use once it is served.
        served: whether it is.
        visited: whether it has asked for a key since.
    """

    due: int
    heard: int
    served: bool = False
    visited: bool = False


class HostGate:
    """The clients' hosts, in one view without a majority.

    Args:
        clock: the time.
        timing: the constants.
        vid: the view.
        silence: since when the missed nodes are silent, own monotonic ms.
    """

    def __init__(self, clock: Clock, timing: Timing, vid: int, silence: int) -> None:
        self.vid = vid
        self._clock = clock
        self._timing = timing
        self._since = clock.now
        self._silence = silence
        self._dialled = 0
        self._hosts: dict[str, _Host] = {}
        self._asked = clock.now  # until when a client waits that asked before the silence

    @property
    def age(self) -> int:
        """Tell for how long this has been in doubt, ms."""
        return self._clock.now - self._since

    @property
    def grace(self) -> int:
        """Tell how much longer than elsewhere a client may wait, ms: it waited before the doubt began."""
        return _DIALS * self._timing.redial

    def lets_in(self, host: str) -> bool:
        """Tell whether this host, of which something has just come, is served."""
        return self._served(host, self._clock.now)

    def heard(self, host: str) -> None:
        """Note that a client of this host, which is served, has asked for a key."""
        known = self._hosts.get(host)
        if known is not None:
            known.heard, known.visited = self._clock.now, True

    def forget(self, host: str) -> None:
        """Forget a host that has not acknowledged an answer: it may be cut off, and is looked at again."""
        self._hosts.pop(host, None)

    def answers(self, host: str, since: int) -> bool:
        """Tell whether a client of this host that has been waiting since then is answered, or heard.

        If it asked when the others were silent already it is on this side. Who asked before may be cut off as
        well: it gets its answer in time, as from a last survivor, but that says nothing of what it sends next.
        """
        if since - self._silence > self._timing.relay:  # else N2
            return self._served(host, since)
        due = max(since + self._timing.knock, self._since + self.grace)
        self._asked = max(self._asked, due)
        return self._clock.now >= due and self._has_dialled

    def serves(self, host: str) -> bool:
        """Tell whether this host is served by now."""
        known = self._hosts.get(host)
        return known is not None and known.served

    def _served(self, host: str, since: int) -> bool:
        now = self._clock.now
        known = self._hosts.get(host)
        if known is None or (known.served and now - known.heard > self._quiet(known)):
            due = max(since + self._timing.knock, now + self.grace)
            known = self._hosts[host] = _Host(due, now)
        return known.served

    def tick(self) -> None:
        """Serve those who have waited long enough, forget those who have been quiet for long."""
        now = self._clock.now
        for name, host in list(self._hosts.items()):
            if host.served:
                if now - host.heard > self._quiet(host):
                    del self._hosts[name]
            elif host.due <= now and self._has_dialled:
                host.served = True
                host.heard = now

    @property
    def _has_dialled(self) -> bool:
        """Tell whether the missed nodes have had time to answer the last dial."""
        return self._clock.now - self._dialled >= self._timing.redial // 2

    def _quiet(self, host: _Host) -> int:
        """Tell how long a host may be quiet, ms; but a moment if it was let in and asked for no key."""
        if not host.visited:
            return self._timing.relay
        return min(max(_QUIET_MIN_MS, (self._clock.now - self._since) // _QUIET_SHARE), _QUIET_MAX_MS)

    @property
    def waiting(self) -> bool:
        """Tell whether a host waits to be served."""
        return self._clock.now < self._asked or any(not host.served for host in self._hosts.values())

    def take_dial(self) -> bool:
        """Tell whether to dial the missed nodes afresh now: a host waits, and the last dial is old."""
        now = self._clock.now
        if not self.waiting or now - self._dialled < self._timing.redial:
            return False
        self._dialled = now
        return True
