"""Who waits for a lock at this node. PHP does not queue for one: it asks again and again until it is granted.

So whoever was refused a moment ago waits. That is noted where a refusal is given anyway, in one dict; who has
not asked again for a while has the lock, or has given up.
"""

from __future__ import annotations

from typing import Final

from memrep.php.lock_holder import LockHolder
from memrep.storage.version import Clock

#: How long PHP rests at most before it asks again, ms: php-memcached up to `memcached.sess_lock_wait_max`,
#: which is 2 s unless set, pecl-memcache and phpredis less.
ASKS_AGAIN_MS: Final = 2_000

#: Clients that are remembered; of very many those that asked longest ago go.
_REMEMBERED_MAX: Final = 1_024


class LockWaiters:
    """Those who have asked one node for a lock that was held.

    Args:
        clock: the time of the present turn.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[tuple[bytes, LockHolder], int] = {}  # when last, the latest last

    def refused(self, lock: bytes, holder: LockHolder) -> None:
        """Note that this client has just been refused this lock."""
        refused = self._refused
        refused.pop((lock, holder), None)
        refused[lock, holder] = self._clock.now
        if len(refused) > _REMEMBERED_MAX:
            del refused[next(iter(refused))]

    def tick(self) -> None:
        """Forget who has not asked again."""
        latest = self._clock.now - ASKS_AGAIN_MS
        while self._refused and next(iter(self._refused.values())) < latest:
            del self._refused[next(iter(self._refused))]

    def counts(self) -> dict[bytes, int]:
        """Return how many wait for each lock for which somebody does."""
        self.tick()
        counts: dict[bytes, int] = {}
        for lock, holder in self._refused:
            if not (holder.gone or lock in holder.locks):
                counts[lock] = counts.get(lock, 0) + 1
        return counts
