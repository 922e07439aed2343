"""What befalls simulated nodes: kills, stops, cuts, resets, clocks that are set; never more than they survive.

One node is always spared that is awake, open and in the newest view.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.host import Host

if TYPE_CHECKING:
    from tests.simulation.world import World

#: The share of faults that break a link rather than a process.
_RESETS = 0.25

#: And of those that cut ways, and set clocks.
_CUTS = 0.15
_JUMPS = 0.05

#: And of those that stop all processes at once.
_PAUSES = 0.03

#: And of the rest in runs where the sides go on by themselves.
_CUTS_SPLIT = 0.4

#: When the others have gone on without who was cut off, about, and how long a node is busy then, ms.
_SILENT_MS = 600.0
_ABOUT_MS = 300.0
_BUSY_TURNS_MS = [80.0, 160.0, 240.0]

#: How long a connection lives that is cut, ms.
_USER_TIMEOUT_MS = 2_000.0

#: How much later at most a cut heals that must not heal now, ms.
_LATER_MS = 20.0

#: How long after a cut has healed the nodes that bridged it are still needed, ms.
_BRIDGED_MS = 1_500.0


class Faults:
    """The faults of one run."""

    def __init__(self, world: World) -> None:
        self._world = world

    def spared(self) -> list[int]:
        """The nodes that hold all of the newest view that anybody has: one of them must stay."""
        views: dict[int, tuple[int, int]] = {}
        for n, host in self._world.hosts.items():
            if host.node is not None and host.node.replica.state.full:
                view = host.node.replica.state.view
                views[n] = (view.gen, view.vid)
        views = {n: view for n, view in views.items() if n not in self._world.behind}
        # A view in which nobody was served yet may be lost: all that was acknowledged is in the one before.
        # Its name tells, not its generation: who comes back from a majority's view that never began has that of
        # a majority, but nothing of what a minority has acknowledged meanwhile.
        if self._world.spite is not None:
            return [n for n, (_, vid) in views.items() if vid >= self._world.served and self.awake(n)]
        newest = max(views.values(), default=(0, 0))
        return [n for n, view in views.items() if view >= newest and self.awake(n)]

    def awake(self, number: int) -> bool:
        host = self._world.hosts[number]
        return host.node is not None and host.node.open and not host.leaving and not host.frozen

    def strike(self) -> None:
        """One fault, then the next after a while."""
        if self._world.quiet or self.unharmed:
            return
        rng = self._world.rng
        up = [n for n, host in self._world.hosts.items() if host.node is not None]
        victim = rng.choice(list(self._world.hosts))
        kind = rng.random()
        if self._world.spite is not None and self._world.spite.unsettles(victim):
            pass
        elif kind < _RESETS:
            self._reset(rng.choice(list(self._world.hosts.values())))
        elif kind < _RESETS + _CUTS or (self._world.plan.cuts_often and rng.random() < _CUTS_SPLIT):
            self.cut()
        elif kind < _RESETS + _CUTS + _JUMPS:
            self._jump(self._world.hosts[victim])
        elif kind < _RESETS + _CUTS + _JUMPS + _PAUSES and self.may_freeze() and not self.any_frozen:
            self._pause_all()
        elif victim not in up:
            self._world.start(victim)
        elif self.survivable(victim):
            if rng.random() < 0.4 and self.may_freeze():
                self.freeze(victim, rng.choice([100.0, 300.0, 700.0, 1_500.0, 3_000.0]))
            else:
                self.stop_for_a_while(victim)
        self._world.later(rng.choice([10.0, 100.0, 600.0]) * rng.random() + 1, self.strike)

    @property
    def unharmed(self) -> bool:
        """Whether nothing befalls the nodes: a lock of an unknown prefix is no more than memcached's."""
        return self._world.plan.own_prefix and self._world.plan.php == "php-memcached"

    def strike_now(self, number: int) -> None:
        """A node dies or freezes in just this moment, if the others can do without it."""
        if not (self._world.quiet or self.unharmed) and self.awake(number) and self.survivable(number):
            if self._world.rng.random() < 0.5 and self.may_freeze():
                self.freeze(number, self._world.rng.choice([200.0, 1_800.0]))
            else:
                self.stop_for_a_while(number)

    def stop_for_a_while(self, victim: int) -> None:
        self._world.stop(victim, kill=self._world.rng.random() < 0.75)
        ms = self._world.rng.choice([5.0, 60.0, 300.0, 1500.0]) * self._world.rng.random()
        self._world.later(ms, partial(self._world.start, victim))

    def survivable(self, victim: int) -> bool:
        """Whether another node is left that has everything, and no cut that only this one bridges."""
        return victim not in self._world.bridges and bool([n for n in self.spared() if n != victim])

    def may_freeze(self) -> bool:
        """Whether a stop is no second cut: those that are cut off or stopped together could be a majority."""
        return not (self._world.plan.isolates and self._world.behind)

    @property
    def any_frozen(self) -> bool:
        """Whether any process is stopped."""
        return any(host.frozen for host in self._world.hosts.values())

    def _pause_all(self) -> None:
        """The one machine is paused on which all nodes are; its clients are not."""
        ms = self._world.rng.choice([200.0, 700.0, 1_200.0])
        for number, host in self._world.hosts.items():
            if host.node is not None:
                self.freeze(number, ms, self._world.rng.random() * 20)

    def freeze(self, number: int, ms: float, jitter: float | None = None) -> None:
        """A process is stopped (SIGSTOP, swapping, a paused virtual machine) and goes on after a while."""
        host = self._world.hosts[number]
        if host.frozen or host.node is None:
            return
        ms = ms * (0.5 + self._world.rng.random()) if jitter is None else ms + jitter
        self._world.note(f"node {number} is frozen for {ms:.0f} ms")
        host.freeze()

        def thaw(boot: int = host.boot) -> None:
            if host.boot == boot and host.frozen:
                self._world.note(f"node {number} thaws")
                host.thaw()

        self._world.later(ms, thaw)

    def _jump(self, host: Host) -> None:
        """A wall clock is set."""
        host.skew += self._world.rng.choice(
            [1_000, -1_000, 60_000, -60_000, 3_600_000, -3_600_000, -86_400_000]
        )
        self._world.note(f"the clock of node {host.number} is off by {host.skew} ms now")

    def cut(self) -> None:
        """Some ways are cut for a while: one link where the cluster must stay whole, else what chance takes."""
        rng, numbers = self._world.rng, list(self._world.hosts)
        if self._world.cuts or self._world.bridges or self._world.behind:
            return
        if self._world.plan.kind == "whole":
            up = [n for n in numbers if self.awake(n)]
            if len(up) < 3:
                return
            a, b, *bridges = rng.sample(up, len(up))
            cuts = rng.choice([{(a, b)}, {(a, b), (b, a)}])
            self._world.bridges = set(bridges)
        elif self._world.plan.isolates:
            cuts = self._isolate()
            if not cuts:
                return
        else:
            side = set(rng.sample(numbers, rng.randint(1, len(numbers) - 1)))
            cuts = {(a, b) for a in numbers for b in numbers if a != b and (a in side) != (b in side)}
            if rng.random() < 0.2:  # one direction only
                cuts = {(a, b) for a, b in cuts if a in side}
            elif rng.random() < 0.2:
                cuts = {rng.choice(sorted(cuts))}
            elif rng.random() < 0.2:  # what is left leads round no corner, or round one of them only
                cuts = {pair for pair in sorted(cuts) if rng.random() < 0.7}
        self._world.note("cut: " + " ".join(f"{a}-{b}" for a, b in sorted(cuts)))
        self._world.cuts = cuts
        alone = [n for n in numbers if 2 * sum((m, n) in cuts for m in numbers) >= len(numbers)]
        if self._world.plan.kind == "majority" and alone:
            busy = partial(self._is_busy, rng.choice(alone))
            self._world.later(_SILENT_MS + _ABOUT_MS * (rng.random() - 0.5), busy)
        ms = self._length_of_cut()
        for pair in cuts:
            self._world.later(min(ms, _USER_TIMEOUT_MS), partial(self._time_out, pair, frozenset(cuts)))
        self._world.later(ms, self._heal_in_time)

    def _is_busy(self, number: int) -> None:
        """A node has no time for its sockets, for not so long that it would take itself for stopped.

        Leases must bound what it answers from then: it looks whom it hears after it has executed what came.
        """
        if self.awake(number):
            self.freeze(number, self._world.rng.choice(_BUSY_TURNS_MS), 0.0)

    def _length_of_cut(self) -> float:
        rng = self._world.rng
        ms = rng.choice([100.0, 400.0, 1_000.0, 3_000.0]) * (0.5 + rng.random())
        if self._world.plan.kind == "split":
            return ms + 1_000  # both sides have time to form views and to accept writes
        if self._world.spite is not None:
            return self._world.spite.cut()
        if self._world.plan.isolates:
            return rng.choice([300.0, 800.0, 1_000.0, 1_500.0]) * (0.7 + 0.6 * rng.random())
        return ms

    def _isolate(self) -> set[tuple[int, int]]:
        """Some nodes, no majority, are cut off from the others and from all clients, who can do without."""
        rng, numbers = self._world.rng, list(self._world.hosts)
        side = set(rng.sample(numbers, rng.randint(1, len(numbers) // 2)))
        if not [n for n in self.spared() if n not in side] or self.any_frozen:
            return set()
        self._world.behind = side
        darken = partial(self._world.ways.dark.update, side)
        if rng.random() < 0.5:
            darken()
        else:
            self._world.later(rng.random() * 40, lambda: darken() if self._world.cuts else None)
        return {(a, b) for a in numbers for b in numbers if a != b and (a in side) != (b in side)}

    def _time_out(self, pair: tuple[int, int], cuts: frozenset[tuple[int, int]]) -> None:
        """The sender's kernel gives a connection up whose bytes nobody acknowledges (TCP_USER_TIMEOUT)."""
        if self._world.cuts == cuts:
            host = self._world.hosts[pair[0]]
            pipe = host.pipes.get(pair[1])
            if pipe is not None:
                pipe.open = False
                del host.pipes[pair[1]]
                self._world.dial(pair[0], pair[1], host.boot, established=True)

    def _heal_in_time(self) -> None:
        """The cut heals, but not just before a node answers, which could not know of it (guarantees.md)."""
        if self._world.ways.answer_is_due():
            self._world.later(_LATER_MS * self._world.rng.random(), self._heal_in_time)
        else:
            self.heal()

    def heal(self) -> None:
        """All ways are open again; what the kernels have kept leaves now."""
        if not self._world.cuts:
            return
        self._world.note("healed")
        self._world.ways.heal()
        unheard = {
            (a, b)
            for a, b in self._world.cuts
            if a in self._world.behind and not self._world.quiet and self._world.plan.arp
        }
        if unheard and unheard != self._world.cuts:
            self._world.cuts = unheard
            self._world.later(self._world.plan.arp, self.heal)
        else:
            self._world.cuts = set()
            if self._world.spite is None:
                self._world.later(_BRIDGED_MS, self._world.behind.clear)
            else:
                self._world.spite.healed()
        for host in self._world.hosts.values():
            for pipe in host.pipes.values():
                kept, pipe.kept = pipe.kept, []
                for data in kept:
                    self._world.send(pipe, data)
        self._world.later(_BRIDGED_MS, self._world.bridges.clear)

    def _reset(self, host: Host) -> None:
        """A link to this host breaks, with what is in it; both ends see it a moment later."""
        if host.node is not None and host.links:
            link = self._world.rng.choice(list(host.links))
            self._world.note(f"a link to node {host.number} is reset")
            self._world.close(host, link)
            self._world.later(self._world.delay(), partial(self._world.link_closed, host, link))
