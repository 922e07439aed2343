"""SEAM: the locks that PHP's sessions have now, as JSON: who holds which, and who waits for it."""

from __future__ import annotations

import msgspec


class LockStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that is held.

    Attributes:
        session: whose it is: the session's key, or a hash of that (see `LocksStatus.keys`).
        node: the node whose client holds it; "" if that node has lost its clients since, and it ends by its
            timeout unless it is released.
        holder: that client's host and port; "" if it is another node's client, who is known only there.
        age_s: for how long it has been held, seconds.
        left_s: after how many seconds it ends by itself; None if never.
        waiting: how many clients of the asked node have asked for it within the last seconds.
        in_doubt: whether its node died in the moment of granting: perhaps nobody holds it, and it ends soon.
        maybe: whether it only looks like one of php-memcached's, under a prefix that --lock-prefix has not.
    """

    session: str
    node: str
    holder: str
    age_s: float
    left_s: float | None
    waiting: int
    in_doubt: bool
    maybe: bool


class LocksStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The locks that are held, as one node knows them.

    Attributes:
        node: its address in --nodes.
        total: how many there are in the cluster.
        waiting: how many wait at this node, for whichever.
        locks: those that have been held longest, first.
        keys: whether sessions are told by their keys.
        format: of all this.
    """

    node: str
    total: int
    waiting: int
    locks: list[LockStatus]
    keys: bool = False
    format: int = 1
