"""Which keys are PHP's session locks.

Both PHP extensions lock a session by an entry beside it. pecl-memcache calls it SID.lock, php-memcached calls
it PREFIXlock.SID with the prefix `memc.sess.key.` unless configured otherwise. memrep must know them, because
a lock may not be evicted: it would free the session under the request that holds it.
"""

from __future__ import annotations

from typing import Final

#: A held lock lives on for so long, ms, when the node that granted it is gone. That node may have died before
#: it answered: then nobody knows of the lock, nobody will release it, and PHP would spin until its timeout,
#: losing one server after another to further faults. A request that really holds it has so long to finish.
ORPHAN_MS: Final = 1_000


def is_held(key: bytes, value: bytes | None) -> bool:
    """Whether this entry is a lock that somebody holds; pecl-memcache releases one by storing 0."""
    return value not in (None, b"0") and is_lock(key)


def is_lock(key: bytes) -> bool:
    """Whether this key has the shape of a session lock of either PHP extension."""
    return key.endswith(b".lock") or b".lock." in key
