"""Which keys are PHP's session locks.

Both PHP extensions lock a session by an entry beside it. pecl-memcache calls it SID.lock, php-memcached calls
it PREFIXlock.SID with the prefix `memc.sess.key.` unless configured otherwise. memrep must know them, because
a lock may not be evicted: it would free the session under the request that holds it.
"""

from __future__ import annotations


def is_lock(key: bytes) -> bool:
    """Whether this key has the shape of a session lock of either PHP extension."""
    return key.endswith(b".lock") or b".lock." in key
