"""Flap damping: who comes and goes is let in again later each time (rule B1).

Problem: a process that ends a moment after each start, or a link that carries for a second and fails for one,
costs the others a change of view each time it comes and each time it goes, and in each of them everybody's
writes wait. Routers have the same trouble with routes that flap (RFC 2439).

Rule: a membership that ends too soon is a false start. The first one is free, for once is no habit; from the
second on the node waits before it is let in, twice as long each time, up to a bound. A membership that was long
enough makes up for all of them. What is long enough depends on how it ended: a process that ends is noticed at
once and costs little, one that falls silent makes the others wait for the failure timeout. It is the machine
that is damped and not its process, for each start is another one.

A node that is needed for a majority is let in all the same (failure_detector.py).

"""

from __future__ import annotations

from typing import Final

import attrs

#: A membership that ends sooner was a false start: if its process ended, which costs the others little,
STEADY_MS: Final = 250

#: or if it fell silent, for which they had to wait.
HEARD_STEADY_MS: Final = 5_000

#: How long who has false starts is kept out, at first and at most.
_BACK_OFF_MS: Final = 1_000
_BACK_OFF_MAX_MS: Final = 5_000

#: Beyond so many doublings the bound is reached anyway; a larger shift would only make a larger number.
_DOUBLINGS_MAX: Final = 10


@attrs.define(eq=False)
class FlapDamping:
    """How steady one peer is as a member.

    Attributes:
        joined: when it last became a member, own monotonic ms.
        false_starts: how many of its last memberships were short.
        kept_out: until when it is not let in for that reason, own monotonic ms.
    """

    joined: int = 0
    false_starts: int = 0
    kept_out: int = 0

    def entered(self, now: int) -> None:
        """Note that it has become a member."""
        self.joined = now

    def left(self, now: int, *, ended: bool) -> None:
        """Note that it is no member any more; `ended` if it is known that its process is gone."""
        if now - self.joined >= (STEADY_MS if ended else HEARD_STEADY_MS):
            self.false_starts = 0
            return
        if self.false_starts:
            doublings = min(self.false_starts - 1, _DOUBLINGS_MAX)
            self.kept_out = now + min(_BACK_OFF_MS << doublings, _BACK_OFF_MAX_MS)
        self.false_starts += 1
