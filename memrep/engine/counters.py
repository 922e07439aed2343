"""Every counter, each declared once: a line here and a `+= 1` where it happens.

A command that may have to wait is counted once, when its outcome is known, however often it was tried: what is
told its outcome is a method of the counters.

The names and their order are memcached's (protocol.txt, "General-purpose statistics"), so that existing
monitoring finds what it looks for. The `stats` reply is made by walking over the fields.

`Prefixes` counts for whoever has asked for it (`stats detail on`), which nobody does all day.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs

from memrep.engine.operations import DELETED, EXISTS, NOT_FOUND, STORED, TOUCHED, Outcome, Result
from memrep.storage.entry import Entry

#: What `stats items` tells, and not the general group.
ITEMS: Final = "items"

#: So many prefixes are told apart. Clients make up keys as they like; the rest is not counted.
_PREFIXES_MAX: Final = 1_000


def _of_items() -> Any:
    return attrs.field(default=0, metadata={ITEMS: True})


@attrs.define(eq=False)
class Counters:
    """What has happened at this node since it started, or since `stats reset`."""

    total_connections: int = 0
    rejected_connections: int = 0
    cmd_set: int = 0
    cmd_flush: int = 0
    cmd_touch: int = 0
    cmd_meta: int = 0
    get_hits: int = 0
    get_misses: int = 0
    get_expired: int = 0
    get_flushed: int = 0
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
    store_too_large: int = 0
    store_no_memory: int = 0
    conn_yields: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    total_items: int = 0
    evictions: int = 0
    evicted_unfetched: int = 0
    evicted_nonzero: int = _of_items()
    evicted_time: int = _of_items()
    fences: int = 0
    slow_readers: int = 0

    def reset(self) -> None:
        """Set all to zero."""
        for field in attrs.fields(Counters):
            setattr(self, field.name, 0)

    @property
    def on_keys(self) -> int:
        """Return how often clients' commands have read or written a key, found or not; it only grows."""
        reads = self.get_hits + self.get_misses + self.touch_hits + self.touch_misses
        deletes = self.delete_hits + self.delete_misses
        counts = self.incr_hits + self.incr_misses + self.decr_hits + self.decr_misses
        return reads + self.cmd_set + deletes + counts

    # --- what an outcome counts as

    def count_stored(self, result: Result) -> None:
        """Count what a command has stored; nothing for any other outcome."""
        self.total_items += result is STORED or type(result) is Entry

    def count_cas(self, result: Result) -> None:
        """Count how a compare-and-swap has ended."""
        self.count_stored(result)
        self.cas_hits += result is STORED or type(result) is Entry
        self.cas_badval += result is EXISTS
        self.cas_misses += result is NOT_FOUND

    def counted(self, verb: str) -> Callable[[Result], None]:
        """Make what counts a hit or a miss of this verb, by whether something was found."""
        return partial(self._count_found, f"{verb}_hits", f"{verb}_misses")

    def _count_found(self, hits: str, misses: str, result: Result) -> None:
        if result is None or result is NOT_FOUND:
            name = misses
        elif isinstance(result, Outcome) and result not in (DELETED, TOUCHED):
            return
        else:
            name = hits
        setattr(self, name, getattr(self, name) + 1)


class Prefixes:
    """What is asked for and stored, by what stands before the first ":" of a key.

    Attributes:
        on: whether anything is counted.
    """

    def __init__(self) -> None:
        self.on = False
        self._counts: dict[bytes, list[int]] = {}  # gets, hits, sets, deletes

    def got(self, key: bytes, hit: bool) -> None:
        """Count that a key was asked for, which was there or not."""
        counts = self._of(key)
        counts[0] += 1
        counts[1] += hit

    def stored(self, key: bytes) -> None:
        """Count that a value was sent, whatever became of it."""
        self._of(key)[2] += 1

    def deleted(self, key: bytes) -> None:
        """Count that a key's end was asked for."""
        self._of(key)[3] += 1

    def clear(self) -> None:
        """Begin anew."""
        self._counts.clear()

    def dump(self) -> bytes:
        """Return all lines."""
        line = b"PREFIX %b get %d hit %d set %d del %d\r\n"
        return b"".join(line % (prefix, *counts) for prefix, counts in self._counts.items()) + b"END\r\n"

    def _of(self, key: bytes) -> list[int]:
        prefix, colon, _ = key.partition(b":")
        counts = self._counts.get(prefix)
        if counts is None:
            counts = [0, 0, 0, 0]
            if (
                colon
                and prefix.isascii()
                and prefix.decode().isprintable()
                and len(self._counts) < _PREFIXES_MAX
            ):
                self._counts[prefix] = counts  # a binary key may hold anything, the end of this very list too
        return counts
