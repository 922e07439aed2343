"""Versions: what orders two writes of one key, and the hybrid clock that hands them out.

Problem: any node may accept a write, wall clocks differ and jump, and yet all nodes must agree which of two
writes is the later one, also after a partition.

A version is (gen, stamp). `gen` is the number of the last view that had a majority of the configured nodes,
so what a majority accepted outranks what a minority accepted, whatever their clocks say. `stamp` is a hybrid
logical clock (Kulkarni et al., 2014): wall milliseconds, a counter, and the node's number, so that it never
repeats. The clock is raised by every stamp that is seen and never refuses one: refusing turns a wrong clock
into an outage, adopting it only makes later writes later, which is what order needs.

A version is kept as 16 big-endian bytes: comparing the bytes compares the versions, they travel as they are,
and the low eight of them are the cas unique, equal on every node.

    stamp:  42 bits wall ms | 14 bits counter | 6 bits node    (62 bits: positive in every client's integers)
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final, NewType

Version = NewType("Version", bytes)

#: Older than every write: the version of a key that never was.
ZERO: Final = Version(b"\0" * 16)

#: Node numbers run from 1 to this.
NODE_MAX: Final = 63

_NODE_BITS: Final = 6
_COUNTER_BITS: Final = 14

#: How often it is written down what a clock knows, ms, and how many times it is remembered: for ten seconds.
_MARK_MS: Final = 25
_MARKS: Final = 400

_PACK: Final = struct.Struct(">QQ").pack
_UNPACK: Final = struct.Struct(">QQ").unpack


def make(gen: int, stamp: int) -> Version:
    """Make the version with this generation and this 62-bit stamp."""
    return Version(_PACK(gen, stamp))


def generation(version: Version) -> int:
    """Return the number of the last majority view that the writer knew."""
    return int.from_bytes(version[:8], "big")


def stamped_by(version: Version) -> int:
    """Return the number of the node that made it."""
    return cas_unique(version) & NODE_MAX


def milliseconds(version: Version) -> int:
    """Return the hybrid clock's milliseconds when it was made."""
    return stamped_at(cas_unique(version))


def stamped_at(unique: int) -> int:
    """Return the hybrid clock's milliseconds when the version was made that has this cas unique."""
    return unique >> (_COUNTER_BITS + _NODE_BITS)


def cas_unique(version: Version) -> int:
    """Return the 64-bit number `gets` shows and `cas` compares (memcached's protocol.txt, "cas unique")."""
    return int.from_bytes(version[8:], "big")


def logical(version: Version) -> int:
    """Return the hybrid clock's reading, without the node number, that the version was stamped with."""
    reading: int = _UNPACK(version)[1] >> _NODE_BITS
    return reading


def latest_unique(clock: Clock, at: int | None = None) -> int:
    """Return a number not below the cas unique of any version that this clock has made or seen.

    Args:
        clock: of this node.
        at: by then, own monotonic ms, or up to 50 ms before; now if it is not given.
    """
    return (clock.logical if at is None else clock.known(at)) << _NODE_BITS | NODE_MAX


class Clock:
    """Time as one node knows it in the present turn.

    The shell reads the real (or virtual) clocks once a turn and hands them in; nothing below the shell
    reads a clock.

    Attributes:
        now: the monotonic clock, ms. Everything that expires or times out is measured on it.
        wall: the wall clock, ms since 1970. Used only for absolute exptimes and inside stamps.
        node: this node's number, 1 to NODE_MAX.
    """

    __slots__ = ("_logical", "_marks", "_wall_logical", "node", "now", "wall")

    def __init__(self, node: int, now: int = 0, wall: int = 0) -> None:
        assert 1 <= node <= NODE_MAX
        self.node = node
        self.now = now
        self.wall = wall
        self._logical = 0
        self._wall_logical = wall << _COUNTER_BITS
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MARKS)

    def turn(self, now: int, wall: int) -> None:
        """Start a turn at these times (ms).

        A clock that has adopted a later reading than its own wall clock's runs on from there. Were it to stand
        until its wall clock has caught up, a node with a slow one would stamp all it accepts in a partition
        before what another node had stamped just before the cut.
        """
        # Finding 28.
        reached = max(self._logical, self._wall_logical) + ((now - self.now) << _COUNTER_BITS)
        self.now = now
        self.wall = wall
        self._wall_logical = max(wall << _COUNTER_BITS, reached)
        if self._logical and (not self._marks or now - self._marks[-1][0] >= _MARK_MS):
            self._marks.append((now, self._logical))

    def known(self, at: int) -> int:
        """Return what `logical` was at this moment, own monotonic ms: it tells if a version was here by then.

        What a hybrid clock shows less what a version bears is not how old that is: this one may be ahead of
        the node's that made it, and either may have been set meanwhile.
        """
        for marked, logical in reversed(self._marks):
            if marked <= at:
                return logical
        marked, logical = self._marks[0] if self._marks else (self.now, self._logical)
        return max(0, logical - ((marked - at) << _COUNTER_BITS))  # before this node knew anything

    @property
    def logical(self) -> int:
        """Return the hybrid clock without the node number; travels in heartbeats and votes."""
        return self._logical

    @property
    def hybrid(self) -> int:
        """Return the hybrid clock's milliseconds; `milliseconds` of a version made now is not below it."""
        return max(self._logical, self._wall_logical) >> _COUNTER_BITS

    def stamp(self, gen: int) -> Version:
        """Make a version later than every version this node has made or seen in `gen` or before."""
        logical = self._logical + 1
        if logical < self._wall_logical:  # noqa: PLR1730 (a call of max costs as much as the rest)
            logical = self._wall_logical
        self._logical = logical
        return _PACK(gen, logical << _NODE_BITS | self.node)  # type: ignore[return-value]

    def observe(self, version: Version) -> None:
        """Let no later stamp be below this version of a peer."""
        self.observe_logical(logical(version))

    def observe_logical(self, logical: int) -> None:
        """Let no later stamp be below this reading of a peer's `logical`."""
        self._logical = max(self._logical, logical)
