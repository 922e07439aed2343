"""pecl-memcache 8.2's walk over the nodes: is who asks for a held lock its own holder, come by once more?

See the package on why it walks. A rival is let in by mistake only if it comes from the same host, within a
second of the grant, by another node, for a session that does not exist yet.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from zlib import crc32

from memrep.entry import Entry
from memrep.nodes import host_of
from memrep.replication.view import Standing
from memrep.version import Clock, milliseconds

#: pecl 8.2 walks on at once.
_WALK_MS: Final = 1_000

#: Walks that are remembered at a time.
_REMEMBERED_MAX: Final = 10_000


class Walk:
    """Who walks.

    Args:
        habit: see `Habits.walk`.
        nodes: the addresses of all nodes.
        own_host: this node's address as other nodes see it, if `nodes` has names.
        standing: which node this is, and since when its view is.
        clock: the time.
    """

    def __init__(self, habit: str, nodes: list[str], own_host: str, standing: Standing, clock: Clock) -> None:
        self._habit = habit
        self._standing = standing
        self._clock = clock
        hosts = [host_of(node) for node in nodes]
        self._distinct = len(set(hosts)) == len(hosts)
        self._own_host = own_host or hosts[standing.me - 1]
        self._walked: dict[bytes, int] = {}

    def origin(self, host: str) -> int:
        """A number for a client's host, the same on every node; 0 where hosts cannot be told apart."""
        if not self._distinct:
            return 0
        host = host.removeprefix("::ffff:")
        return crc32((self._own_host if not host or _is_loopback(host) else host).encode()) | 1

    def comes_by(self, key: bytes, entry: Entry, origin: int) -> bool:
        """Whether who asks, from this origin, for this held lock of no session must be its holder.

        It comes by once, and soon. Since the grant no node may have failed its clients: who comes then has been
        sent on without a lock.
        """
        hold = entry.hold
        if self._habit == "off" or hold is None or hold.node in (0, self._standing.me) or entry.cas != 0:
            return False
        granted = milliseconds(entry.version)
        if self._clock.hybrid - granted > _WALK_MS or granted <= self._standing.since:
            return False
        if not (self._habit == "on" or hold.origin == origin != 0) or self._walked.get(key) == entry.cas_unique:
            return False
        if len(self._walked) >= _REMEMBERED_MAX:
            del self._walked[next(iter(self._walked))]
        self._walked[key] = entry.cas_unique
        return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
