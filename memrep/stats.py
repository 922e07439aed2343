"""Every counter, each declared once: a line here and a `+= 1` where it happens.

The names and their order are memcached's (protocol.txt, "General-purpose statistics"), so that existing
monitoring finds what it looks for. The `stats` reply is made by walking over the fields.
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Counters:
    """What has happened at this node since it started, or since `stats reset`."""

    total_connections: int = 0
    rejected_connections: int = 0
    cmd_set: int = 0
    cmd_flush: int = 0
    cmd_touch: int = 0
    get_hits: int = 0
    get_misses: int = 0
    delete_misses: int = 0
    delete_hits: int = 0
    incr_misses: int = 0
    incr_hits: int = 0
    decr_misses: int = 0
    decr_hits: int = 0
    cas_misses: int = 0
    cas_hits: int = 0
    cas_badval: int = 0
    touch_hits: int = 0
    touch_misses: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    total_items: int = 0
    evictions: int = 0
    fences: int = 0

    def reset(self) -> None:
        """All to zero, as `stats reset` asks."""
        for field in attrs.fields(Counters):
            setattr(self, field.name, 0)
