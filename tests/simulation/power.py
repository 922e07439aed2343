"""Power cuts: all nodes die at once, some disks are lost or old, clocks are set; they come back as they come.

Each key has one client, which writes 1, 2, 3 ... under it or deletes it, and goes on when it has been answered
or has given up. So there is a line of states, and after a power cut all nodes must be at the same place of it:
not before what had been acknowledged two seconds before, where a disk is left that was not behind. Then what
was written behind that place has never been, and the client goes on from there.

Between power cuts nodes are killed and come back one at a time, with their disks: beside others that hold
everything, where a disk must not bring back a thing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from random import Random

import attrs

from tests.simulation.disks import Disks
from tests.simulation.plan import Broken
from tests.simulation.sameness import differences
from tests.simulation.workload import Client, Part
from tests.simulation.world import World

KIND = "power"

#: What was acknowledged so long before the power went must be there, ms: a batch, and a bit.
LOST_MS = 2_000.0

#: How long nodes may take to come back, ms: the others are waited for, and what differs is fetched.
_BACK_MS = 16_000.0

#: So much earlier or later a value may end here than there, ms.
_OFF_MS = 100.0

_KEYS = 6
_ROUNDS = 4


@attrs.define
class _State:
    """What one write makes of a key.

    Attributes:
        number: its place in the line.
        value: None if it is a delete.
        sent: when it was sent, ms,
        acked: and when it was answered; infinity if it was not.
        ends: when the value runs out; infinity if it does not.
    """

    number: int
    value: bytes | None
    sent: float
    acked: float = math.inf
    ends: float = math.inf


@attrs.define
class _Writing:
    """One write, as an exchange of the simulator's clients."""

    line: bytes
    state: _State
    begin: float = 0.0
    unread: int = 0
    heard: bytes = b""

    def hear(self, data: bytes, now: float) -> None:
        """Take what a node says."""
        self.heard += data
        if self.heard.endswith(b"\r\n"):
            assert self.heard in (b"STORED\r\n", b"DELETED\r\n", b"NOT_FOUND\r\n"), self.heard
            self.state.acked = now

    @property
    def over(self) -> bool:
        """Whether it is answered."""
        return self.heard.endswith(b"\r\n")

    def goes_on(self) -> bool:
        """It does not."""
        return False

    def parts(self) -> Sequence[Part]:
        """Nothing that is checked otherwise."""
        return ()


class Line(Client):
    """The one client of one key."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.key = b"key%d" % number
        self.states = [_State(0, None, 0.0, 0.0)]
        self._rng = Random(f"line {world.seed} {number}")
        self._pauses = number % 2 == 1
        self._rests = False

    def go(self) -> None:
        """Send the next command; every other line makes pauses, so that what was deleted is forgotten."""
        self._rests = self._pauses and not self._rests
        if self._rests:
            self._world.later(self._rng.choice([10.0, 6_000.0]), self.go)
        else:
            super().go()

    def _draw(self, rng: Random) -> _Writing:
        state = _State(self.states[-1].number + 1, None, self._world.now)
        if self._rng.random() < 0.3:
            line = b"delete %b\r\n" % self.key
        else:
            state.value = b"%d" % state.number
            seconds = self._rng.choice([0, 0, 0, 3, 30])
            state.ends = self._world.now + 1_000 * seconds if seconds else math.inf
            line = b"set %b 0 %d %d\r\n%b\r\n" % (self.key, seconds, len(state.value), state.value)
        self.states.append(state)
        return _Writing(line, state)

    def judge(self, found: bytes | None, known: float, *, clocks_set: bool) -> str:
        """What is wrong with what was found; "" if nothing is. The line goes on from there.

        Args:
            found: the value.
            known: what was acknowledged by then must be there, ms.
            clocks_set: whether some clock has been set in a power cut, so that ends are not what they were.
        """
        now = self._world.now
        floor = max((state.number for state in self.states if state.acked <= known), default=0)
        for state in reversed(self.states):
            # What runs out just now may be there or not: clocks are a little apart, and so are the nodes.
            unsure = clocks_set and state.ends < math.inf
            gone = state.value is None or now >= state.ends - _OFF_MS or unsure
            there = state.value is not None and (now <= state.ends + _OFF_MS or unsure)
            if (found is None and gone) or (found is not None and there and found == state.value):
                if state.number < floor:
                    break
                del self.states[self.states.index(state) + 1 :]
                return ""
        told = [f"{s.number}:{s.value!r} acked {s.acked:.0f} ends {s.ends:.0f}" for s in self.states[-8:]]
        return f"{self.key!r} is {found!r}, {floor} was acknowledged in time; {'; '.join(told)}"


def simulate_power(seed: int) -> int:
    """Run one seed; how many power cuts there were.

    Raises:
        Broken: with the reason, what happened, and the command that replays it.
    """
    world = World(seed, KIND, redis=False)
    world.disks = Disks(world, seed)
    try:
        return _simulate(world, world.disks)
    except AssertionError as error:
        tail = "\n".join(world.trace[-200:])
        replay = f"Replay: python -m tests.simulate --seed {seed} --kind {KIND}"
        raise Broken(f"seed {seed} ({world.plan})\n{tail}\n{error}\n{replay}") from error


def _simulate(world: World, disks: Disks) -> int:
    rng = world.rng
    for number in world.hosts:
        world.later(rng.random() * 30, partial(world.start, number))
    world.run(1_500)
    lines = [Line(world, number) for number in range(_KEYS)]
    for line in lines:
        world.later(rng.random() * 20, line.go)
    jumps, clocks_set = rng.random() < 0.4, False
    for _ in range(_ROUNDS):
        _go_on(world)
        if rng.random() < 0.5:
            _rest(world, lines, clocks_set=clocks_set)
        cut = _cut_power(world, disks)
        known = _lose_disks(world, disks, cut)
        if jumps:
            clocks_set = _set_clocks(world) or clocks_set
        world.run(world.now + rng.choice([5.0, 500.0, 10_000.0]) * rng.random())
        disks.powered = True
        _come_back(world)
        _check(world, lines, known, clocks_set=clocks_set)
        world.quiet = False
        for line in lines:
            world.later(rng.random() * 20, line.go)
    return _ROUNDS


def _go_on(world: World) -> None:
    """Let clients write, and a node die and come back now and then, with its disk."""
    rng = world.rng
    end = world.now + rng.choice([300.0, 2_500.0, 5_000.0])
    while world.now < end:
        world.run(world.now + 50 + rng.random() * 900)
        victim = rng.choice(list(world.hosts))
        if rng.random() < 0.6 and world.hosts[victim].node is not None and world.faults.survivable(victim):
            world.stop(victim, kill=rng.random() < 0.7)
            world.later(rng.choice([20.0, 400.0, 2_000.0]) * rng.random(), partial(world.start, victim))


def _rest(world: World, lines: list[Line], *, clocks_set: bool) -> None:
    """Let clients rest and all nodes come back: what was deleted meanwhile must not have come back with one."""
    world.quiet = True
    world.run(world.now + 1_500)
    _come_back(world)
    _check(world, lines, world.now, clocks_set=clocks_set)


def _cut_power(world: World, disks: Disks) -> float:
    world.note("the power goes")
    disks.powered = False
    cut = world.now
    world.quiet = True
    for number in world.hosts:
        world.stop(number, kill=True)
    return cut


def _lose_disks(world: World, disks: Disks, cut: float) -> float:
    """Some disks are lost; what had been acknowledged by when must be there."""
    rng = world.rng
    # What a node that was not full any more has saved is of an earlier view.
    newest = max((disk.facts.gen, disk.facts.view) for disk in disks.disks.values())
    for number in world.hosts:
        if rng.random() < 0.25:
            world.note(f"the disk of node {number} is lost")
            disks.erase(number)
    left = [d for d in disks.disks.values() if (d.facts.gen, d.facts.view) == newest]
    fresh = any(disk.saved >= cut - LOST_MS for disk in left)
    return cut - LOST_MS if fresh else -1.0


def _set_clocks(world: World) -> bool:
    """Some clocks are set while it is dark; whether any was."""
    jumps = [world.rng.choice([0, 0, 0, -3_600_000, 60_000]) for _ in world.hosts]
    for host, ms in zip(world.hosts.values(), jumps, strict=True):
        host.skew += ms
    return any(jumps)


def _come_back(world: World) -> None:
    rng = world.rng
    for number in world.hosts:
        world.later(rng.random() * rng.choice([10.0, 3_000.0]), partial(world.start, number))
    end = world.now + _BACK_MS
    while world.now < end:
        world.run(world.now + 100)
        for number in world.hosts:
            world.start(number) if world.now > end - _BACK_MS + 3_100 else None
        if all(host.node is not None and host.node.serving for host in world.hosts.values()):
            break
    world.run(world.now + 200)


def _check(world: World, lines: list[Line], known: float, *, clocks_set: bool) -> None:
    nodes = {number: host.node for number, host in world.hosts.items()}
    for number, node in nodes.items():
        assert node is not None and node.open, f"node {number} does not serve"
    first = nodes[1]
    assert first is not None
    now = 1_000 + int(world.now)
    for number, node in nodes.items():
        assert node is not None
        different = differences(first.store, node.store, now, purged=True)
        assert not different, f"nodes 1 and {number} differ: " + ", ".join(different[:3])
    for line in lines:
        entry = first.store.get(line.key, now)
        wrong = line.judge(None if entry is None else entry.value, known, clocks_set=clocks_set)
        assert not wrong, wrong
