"""Locks as redis-py, Laravel and Symfony take them: a token with a time, whoever says it, over any connection.

SET NAME TOKEN NX PX MS takes one, a script that compares releases it, another one extends it. Each is said on a
connection of its own, so whoever has a lock has no connection most of the time: it must live on all the same.
Until its time is over nobody else may be granted it, and its holder finds its own token there and can release
it; whatever befalls the nodes.

The names are those of sessions' locks, too: a token is no HOST|PID.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from tests.simulation.phpredis_worker import RedisRequests, Steps
from tests.simulation.resp_codec import RELEASE

if TYPE_CHECKING:
    from tests.simulation.world import World

#: The locks that are taken.
NAMES: Final = (b"job", b"cache:lock", b"page_LOCK")

#: For how long, ms.
_TIMES_MS: Final = (300, 1_000, 2_000, 20_000)

#: redis-py's script: gives a lock that has this token so many ms.
_EXTEND: Final = b"a4e8783852e6b949f9ef3a97212805108459a890"

#: A lock may end so much earlier than it was asked for, ms: nodes count whole ones.
_EARLY_MS: Final = 3.0

#: What a holder does with its lock, by how often.
_DEEDS: Final = ("release", "release", "extend", "forget", "steal")


@attrs.define
class Hold:
    """What is known of the last grant of a lock.

    Attributes:
        token: whose it is.
        since: when it was told.
        until: when it may end; it may have ended before that if it was released.
    """

    token: bytes = b""
    since: float = 0.0
    until: float = 0.0


class TokenLocker(RedisRequests):
    """Whoever takes such locks.

    Args:
        world: where.
        number: tells it from others.
        holds: what is known of each lock; shared by all.
    """

    def __init__(self, world: World, number: int, holds: dict[bytes, Hold]) -> None:
        super().__init__(world, number)
        self._holds = holds
        self._count = 0

    def _alone(self, *words: bytes) -> Steps:
        """Say this on a connection of its own."""
        yield from self.ask(*words)
        self.hang_up()

    def _request(self) -> Steps:
        world, rng = self.world, self.world.rng
        name, ms = rng.choice(NAMES), rng.choice(_TIMES_MS)
        self._count += 1
        token = b"%x-%d" % (0xA000 + self.number, self._count)
        asked = world.now
        yield from self._alone(b"SET", name, token, b"NX", b"PX", b"%d" % ms)
        if self._answer is None or self.reply is None:
            yield rng.choice([5.0, 100.0]) * rng.random()
            return
        assert self.reply == b"+OK", f"SET NX is answered with {self.reply!r}"
        before = self._holds.get(name, Hold())
        assert not (before.since <= asked and world.now < before.until), (
            f"{name!r} is granted to {token!r} and is {before.token!r}'s until {before.until:.1f}"
        )
        hold = self._holds[name] = Hold(token, world.now, asked + ms - _EARLY_MS)
        world.note(f"{token!r} has {name!r} until {hold.until:.1f}")
        yield rng.choice([0.0, 5.0, 50.0, 400.0]) * rng.random()
        deed = rng.choice(_DEEDS)
        if deed == "extend":
            yield from self._extend(name, hold)
        if deed == "steal":
            yield from self._steal(name, hold)
        yield from self._look(name, hold)
        if deed != "forget":
            yield from self._release(name, hold)

    def _look(self, name: bytes, hold: Hold) -> Steps:
        yield from self._alone(b"GET", name)
        if self._answer is not None and self.world.now < hold.until:
            assert self.reply == hold.token, f"{name!r} is {hold.token!r}'s and shows {self.reply!r}"

    def _extend(self, name: bytes, hold: Hold) -> Steps:
        """Let it end so many ms from now; what it was answered tells whether it was still there."""
        asked, ms = self.world.now, self.world.rng.choice(_TIMES_MS)
        until = hold.until
        hold.until = min(until, asked + ms - _EARLY_MS)  # it may be done, and not be told
        yield from self._alone(b"EVALSHA", _EXTEND, b"1", name, hold.token, b"%d" % ms, b"1")
        if self._answer is not None:
            assert self.reply == 1 or self.world.now >= until, f"{hold.token!r} cannot extend {name!r}"
            hold.until = asked + ms - _EARLY_MS if self.reply == 1 else -math.inf

    def _steal(self, name: bytes, hold: Hold) -> Steps:
        """Release it with a token that is not its own."""
        yield from self._alone(b"EVALSHA", RELEASE, b"1", name, hold.token + b"0")
        assert self._answer is None or self.reply == 0, f"{name!r} was released by whose it is not"

    def _release(self, name: bytes, hold: Hold) -> Steps:
        until, hold.until = hold.until, -math.inf
        yield from self._alone(b"EVALSHA", RELEASE, b"1", name, hold.token)
        if self._answer is not None and self.world.now < until:
            assert self.reply == 1, f"{hold.token!r} cannot release {name!r}"
