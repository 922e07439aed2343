"""memcached's limits on keys and times (its doc/protocol.txt): how long a key may be, when an exptime ends.

A time has three meanings to memcached, told apart by how large it is: seconds from now on up to 30 days,
seconds since 1970 beyond that, and 0 for never. The engine knows none of that. It takes deadlines of this
node's monotonic clock, so that a wall clock that is set does not end what was stored for an hour. Another
protocol has another such function beside its commands, and the same engine.
"""

from __future__ import annotations

from typing import Final

from memrep.storage.entry import NEVER
from memrep.storage.version import Clock

#: Longest key, bytes (protocol.txt, "Keys").
KEY_BYTES_MAX: Final = 250

#: An exptime above this many seconds is an absolute time (protocol.txt, "Expiration times").
RELATIVE_EXPTIME_MAX_S: Final = 60 * 60 * 24 * 30


def deadline(clock: Clock, exptime: int) -> int:
    """Tell when an exptime as the client sent it ends (protocol.txt, "Expiration times").

    Args:
        clock: the time of the present turn.
        exptime: seconds. 0 never ends, a negative one has ended, above 30 days it is a wall-clock time.

    Returns:
        Own monotonic ms, not before now; NEVER for 0.
    """
    if exptime == 0:
        return NEVER
    now = clock.now
    if exptime < 0:
        return now
    if exptime <= RELATIVE_EXPTIME_MAX_S:
        return now + exptime * 1000
    return min(max(now, now + exptime * 1000 - clock.wall), NEVER - 1)


def seconds_left(clock: Clock, ends: int) -> int:
    """Tell how many seconds are left until a deadline, begun ones counted; -1 for NEVER, as memcached does."""
    return -1 if ends >= NEVER else max(0, ends - clock.now + 999) // 1000
