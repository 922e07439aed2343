"""Locks: who holds them, who may not; and session locks as pecl-memcache takes and releases them.

`incr NAME.lock 1`, `add NAME.lock 768 T 1` and `get NAME` go in one packet; the lock is granted if the first
returns exactly 1 or the second stores. It is released with `set NAME.lock 768 T 1` 0 on the same connection; if
the node has closed that, through all nodes on new ones.

Two rules. Nobody gets the lock while somebody holds it: from the answer that grants it until its release is
sent. And a lock whose taker is gone frees itself: if it is asked for all the time, somebody gets it within T
and a second.

As with any memcached, `incr` does not extend the lifetime that the last release gave: a lock may end by itself
T after that. So a hold counts only as long as the lock is sure to live, which is T less a second for the
clock's granularity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import attrs

from tests.faults.client import ANSWERED, GIVE_UP_S, Attempt, Client, Line, Walk
from tests.faults.findings import Diary
from tests.faults.protocols import MEMCACHED, lines

TIMEOUT_S: Final = 3
_GRANULARITY_S: Final = 1.0
_GRACE_S: Final = 1.0

#: "All the time" means that there was an answer at least so often.
_ASKED_S: Final = 1.5

#: A lock may end a second after its granting node has gone; a hold that was meant to be shorter, but was not
#: because the machine is busy, proves nothing.
_HOLD_MAX_S: Final = 0.9
_SPIN_S: Final = 8.0


@attrs.define(eq=False)
class Hold:
    """Somebody holds a lock."""

    client: str
    since: float
    safe_until: float
    walk: Walk


class Lock:
    """What is known of one lock.

    Args:
        key: the lock's key.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.diary = Diary()
        self._mutex = threading.Lock()
        self._holds: list[Hold] = []
        self._released = float("-inf")
        self._denied_since: float | None = None
        self._denied_last = 0.0
        self._maybe_until = 0.0

    def granted(self, client: str, walk: Walk, by_incr: bool) -> tuple[Hold, str | None]:
        """Somebody got it; and what is wrong with that."""
        now = walk.end
        with self._mutex:
            lifetime_from = self._released if by_incr else walk.attempts[-1].begin
            hold = Hold(client, now, lifetime_from + TIMEOUT_S - _GRANULARITY_S, walk)
            others = [
                other for other in self._holds if now < other.safe_until and now - other.since < _HOLD_MAX_S
            ]
            self._holds.append(hold)
            self._denied_since = None
        if not others:
            return hold, None
        return (
            hold,
            f"{others[0].client} at node {others[0].walk.node} has held it for {now - others[0].since:.3f} s",
        )

    def releasing(self, hold: Hold) -> None:
        """The holder is about to release it."""
        with self._mutex:
            self._holds.remove(hold)
            self._released = time.monotonic()
            self._denied_since = None

    def maybe_taken(self) -> None:
        """Somebody may have taken it without having been told, and for as long as it lasts nobody gets it."""
        self._maybe_until = time.monotonic() + TIMEOUT_S

    def denied(self, begin: float, now: float) -> str | None:
        """Somebody was told that it is held; and what is wrong with that."""
        with self._mutex:
            if self._holds or begin < self._maybe_until:
                self._denied_since = None
                return None
            if self._denied_since is None or begin - self._denied_last > _ASKED_S:
                self._denied_since = begin
            self._denied_last = now
            waited = now - self._denied_since
            if waited < TIMEOUT_S + _GRACE_S:
                return None
            self._denied_since = None
            return f"nobody has got it for {waited:.3f} s, though asked for all the time and held by nobody"


def _answers(reply: bytes) -> bool:
    """Whether all three commands have been answered."""
    return reply.count(b"\r\n") > 2 and reply.endswith(b"END\r\n")


class Locking(Client):
    """Takes and releases locks; in which way, its kind says."""

    def __init__(self, *args: object, locks: Sequence[Lock]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._locks = locks
        self._lock = locks[0]
        self._spins = 0
        self._asking_since = 0.0

    def ask(self, lock: Lock) -> Walk:
        """Ask for it once; the connection to the node that answered is kept."""
        raise NotImplementedError

    def is_granted(self, walk: Walk) -> bool:
        """Whether it was granted."""
        raise NotImplementedError

    def is_older(self, walk: Walk) -> bool:
        """Whether what was granted has its lifetime from the last release."""
        return False

    def release(self, lock: Lock, line: Line) -> None:
        """Release it: over this connection, or otherwise."""
        raise NotImplementedError

    def step(self) -> None:
        """Ask for a lock, once; if it is granted, hold and release it."""
        now = time.monotonic()
        if not self._spins or now - self._asking_since > _SPIN_S:
            self._lock = self.rng.choice(self._locks)
            self._asking_since = now
        lock = self._lock
        walk = self.ask(lock)
        lock.diary.note(self.name, "take", walk)
        if not walk.answered:
            self._spins += 1
            return
        assert walk.line is not None
        try:
            self._answered(lock, walk, walk.line)
        finally:
            walk.line.close()

    def _answered(self, lock: Lock, walk: Walk, line: Line) -> None:
        if self.is_granted(walk):
            self._spins = 0
            hold, wrong = lock.granted(self.name, walk, by_incr=self.is_older(walk))
            self._report("double", lock, walk, wrong)
            long = self.rng.random() < 0.1
            time.sleep(self.rng.uniform(0.05, 0.4) if long else self.rng.uniform(0.005, 0.05))
            lock.releasing(hold)
            self.release(lock, line)
        else:
            self._spins += 1
            self._report("outlived", lock, walk, lock.denied(walk.begin, walk.end))
            self.world.rest(min(0.005 * 2 ** min(self._spins, 6), 0.2))

    def _report(self, kind: str, lock: Lock, walk: Walk, wrong: str | None) -> None:
        if wrong is not None:
            when = f"from {walk.begin - self.world.start:.3f} to {walk.end - self.world.start:.3f} s"
            told = (
                f"{lock.key}: {self.name}, {when} at node {walk.node}, was answered {walk.reply!r}, but {wrong}"
            )
            self.world.found(kind, told, lock.diary)


class PeclLocking(Locking):
    """As pecl-memcache does it."""

    def ask(self, lock: Lock) -> Walk:
        """See `Locking`."""
        key = lock.key.encode()
        session = key.removesuffix(b".lock")
        request = b"incr %b 1\r\nadd %b 768 %d 1\r\n1\r\nget %b\r\n" % (key, key, TIMEOUT_S, session)
        return self.request(MEMCACHED.said(request, _answers), keep=True)

    def is_granted(self, walk: Walk) -> bool:
        """See `Locking`."""
        return self.is_older(walk) or walk.reply.split(b"\r\n")[1] == b"STORED"

    def is_older(self, walk: Walk) -> bool:
        """See `Locking`."""
        return walk.reply.startswith(b"1\r\n")

    def release(self, lock: Lock, line: Line) -> None:
        """See `Locking`."""
        request = b"set %b 768 %d 1\r\n0\r\n" % (lock.key.encode(), TIMEOUT_S)
        attempt = line.ask(MEMCACHED.said(request))
        lock.diary.note(self.name, "release", Walk(attempt.begin, attempt.end, [attempt]))
        self.world.tally.attempted(attempt, healthy=False)
        if attempt.fate != ANSWERED:
            line.close()
            self._release_everywhere(lock, request)

    def _release_everywhere(self, lock: Lock, request: bytes) -> None:
        begin = time.monotonic()
        nodes = [node for node in range(self.world.count) if node not in self.world.avoided]

        def release(node: int) -> Attempt:
            line = Line(self.world, node)
            reply = b""
            if line.connect(begin + GIVE_UP_S):
                line.send(request)
                reply = line.receive(lines(1), begin + GIVE_UP_S)
            line.close()
            return Attempt(node, begin, time.monotonic(), line.fate, reply)

        with ThreadPoolExecutor(len(nodes)) as pool:
            attempts = list(pool.map(release, nodes))
        lock.diary.note(self.name, "release everywhere", Walk(begin, time.monotonic(), attempts))
