"""Spite: faults that come where they hurt most, instead of anywhere.

Some rules matter only if a cut comes in the very turn in which a node votes or a view begins, before anybody
else has heard of it: that a view in which not every member has been begins nothing (N6), or who is heard again
while a view is formed without it. Where faults come at any moment one run in ten thousand has that. Here they
come in that moment; what is on its way then is lost, too, as on a real cable; nodes are restarted and stopped
inside a cut, and cut off again as soon as they are back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.simulation.world import World

#: The share of votes and of views, and of cuts that heal, which a fault follows at once,
_AT_ONCE: Final = 0.4

#: that of those faults which are cuts, if there is none; and beyond which it is a stop.
_CUTS: Final = 0.6
_STOPS: Final = 0.85

#: The share of cuts in which what is on its way is lost.
_LOSES: Final = 0.7

#: The share of all other faults that are short stops: each makes a view of nodes that all have everything.
_UNSETTLES: Final = 0.5

#: How long at least a cut lasts after which kernels have forgotten hardware addresses, ms.
_FORGETS_MS: Final = 1_000.0

#: How often it is looked whether those who were cut off are back, ms.
_LOOK_MS: Final = 20.0


class Spite:
    """What makes one run's faults come in the worst moment."""

    def __init__(self, world: World) -> None:
        self._world = world

    def strike(self, number: int) -> None:
        """This node has just voted, or a view has begun at it, or a cut has healed; nobody else knows yet."""
        world, rng = self._world, self._world.rng
        if world.quiet or world.faults.unharmed or rng.random() >= _AT_ONCE:
            return
        victim = rng.choice([number, number, *world.hosts])
        what = rng.random()
        if what < _CUTS and not (world.cuts or world.behind):
            world.faults.cut()
        elif not world.faults.awake(victim):
            world.start(victim)
        elif world.faults.survivable(victim):
            if what > _STOPS and world.faults.may_freeze():
                world.faults.freeze(victim, rng.choice([100.0, 700.0, 1_500.0]))
            else:
                world.faults.stop_for_a_while(victim)

    def unsettles(self, victim: int) -> bool:
        """Stop this node for a moment, maybe: say whether."""
        world, rng = self._world, self._world.rng
        if rng.random() >= _UNSETTLES or not (world.faults.awake(victim) and world.faults.survivable(victim)):
            return False
        if not world.faults.may_freeze():
            return False
        world.faults.freeze(victim, rng.choice([300.0, 400.0, 900.0]))
        return True

    def cut(self) -> float:
        """A cut has just begun; how long it lasts, ms."""
        rng = self._world.rng
        if rng.random() < _LOSES:
            self._world.turn_back()
        forgotten = _FORGETS_MS if self._world.plan.arp else 0.0
        return forgotten + rng.choice([100.0, 700.0, 1_500.0, 2_500.0]) * (0.7 + 0.6 * rng.random())

    def healed(self) -> None:
        """A cut has healed; whoever was cut off may be cut off again as soon as it has met the others."""
        world = self._world
        world.later(_LOOK_MS, self._look)
        self.strike(world.rng.choice(list(world.hosts)))

    def _look(self) -> None:
        world = self._world
        served = {
            number: host.node.replica.state.view.vid
            for number, host in world.hosts.items()
            if host.node is not None and host.node.serving
        }
        ahead = {vid for number, vid in served.items() if number not in world.behind}
        world.behind = {
            number
            for number in world.behind
            if world.hosts[number].node is not None and served.get(number) not in ahead
        }
        if world.behind:
            world.later(_LOOK_MS, self._look)
