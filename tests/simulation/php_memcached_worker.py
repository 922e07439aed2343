"""PHP's memcached extension on one session, in virtual time: lock, read, count, write, release.

As the real one does it by the binary protocol, with `memcached.sess_number_of_replicas` = the nodes less one
and failed servers removed. Lock and session hash to nodes of their own, L and D. ADD lock goes to L, and is
asked for again while somebody holds it; GETK goes to D; SET goes to D and is waited for, while a SETQ for each
other node waits in that connection's buffer. The release ends the request: DELETE lock to L, with the SETQ in
front of it, DELETEQ lock to the others, with theirs. Those may be late: nobody waits for them.

When a connection breaks instead of an answer, ADD is tried again there, and so is SET, each try putting one
more SETQ into the buffers; when the port refuses the next node of the ring has its part. GETK is not tried
again: the request fails, and the session stays as it is. Some requests only read, some die half-way, and some
connections break for no reason; but never that which holds the lock, for its end is the lock's. Where the
workers' lists of nodes differ (own node first) so do L and D.

The promise is that of php_worker.py. A visit counts when its SET was answered. It holds as well where the site
has a prefix of its own of which the nodes have not been told.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tests.fuzz.grammar import HEADER, packet
from tests.simulation import requests

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

#: A session's name, and how its key begins: as the nodes have been told, or in a site's own way.
_SID: Final = b"0123456789abcdefghijklmnop"
_PREFIX: Final = b"memc.sess.key."
_OWN_PREFIX: Final = b"shop."

_GETK, _SET, _ADD, _DELETE, _QUIT, _SETQ, _DELETEQ = 0x0C, 0x01, 0x02, 0x04, 0x07, 0x11, 0x14
_OK, _NOT_FOUND, _EXISTS = 0, 1, 2

#: The lock's timeout (max_execution_time) and the session's, s.
_LOCK_S: Final = 30
_DATA_S: Final = 1440

#: How often ADD is tried; and SET, each time on a new connection.
_ADDS: Final = 30
_SETS: Final = 5

#: The share of questions whose connection breaks before the answer, and of those whose node dies or freezes.
_BREAKS: Final = 0.04
_STRIKES: Final = 0.03

#: The answer to an opcode: its status, and what it brings.
_Answer = tuple[int, bytes]
_Steps = requests.Steps[_Answer]


class _Wire(requests.Wire[_Answer]):
    """One connection of a request, and what is not sent yet."""

    def __init__(self, visitor: MemcachedVisitor, host: Host) -> None:
        super().__init__(visitor, host)
        self.buffer = b""

    def take(self, kind: int) -> _Answer | None:
        """See `requests.Wire`; the kind is the opcode."""
        start = 0
        while len(self.reply) >= start + HEADER.size:
            _, told, keys, extras, _, status, size, _, _ = HEADER.unpack_from(self.reply, start)
            end = start + HEADER.size + size
            if len(self.reply) < end:
                return None
            body = self.reply[start + HEADER.size + extras + keys : end]
            if told == kind:
                self.reply = self.reply[end:]
                return status, body
            start = end
        return None


def _store(opcode: int, key: bytes, value: bytes, exptime: int) -> bytes:
    return packet(opcode, key, value, bytes(4) + exptime.to_bytes(4, "big"))


class MemcachedVisitor(requests.Requests[_Answer]):
    """One PHP worker: one request after another.

    See `visitor.Worker`.
    """

    def __init__(self, world: World, number: int, patience: float) -> None:
        super().__init__(world, number, patience)
        prefix = _OWN_PREFIX if world.plan.own_prefix else _PREFIX
        self.data = prefix + _SID
        self._lock_key = prefix + b"lock." + _SID
        self._first = number if world.plan.own_first else 0  # where its list of nodes begins
        self._wires: dict[int, _Wire] = {}
        self._lock: _Wire | None = None

    # --- connections

    def _ring(self, first: int) -> Host | None:
        """The first node of the ring, from this one on, whose port does not refuse."""
        hosts = list(self.world.hosts.values())
        first = (first + self._first) % len(hosts)
        ring = hosts[first:] + hosts[:first]
        return next((host for host in ring if self._accepts(host)), None)

    def _wire(self, host: Host) -> _Wire:
        """The connection to a node, which may be a new one."""
        wire = self._wires.get(host.number)
        if wire is None or wire.gone:
            wire = self._wires[host.number] = _Wire(self, host)
        return wire

    def _ask(self, wire: _Wire, opcode: int, data: bytes) -> _Steps:
        """Send what is in the buffer and this, and wait; the answer is in `_answer`, None if there is none."""
        self._answer = None
        wire.say(wire.buffer + data)
        wire.buffer = b""
        world, random_bytes = self.world, self.world.rng.random()
        moment = 3 * world.delay() * world.rng.random()
        if wire is not self._lock and random_bytes < _BREAKS:
            world.later(moment, partial(self._break, wire, self._step))
        elif random_bytes > 1 - _STRIKES:
            world.later(moment, partial(world.faults.strike_now, wire.host.number))
        yield wire, opcode

    def _break(self, wire: _Wire, step: int) -> None:
        if self._step == step + 1 and not wire.gone:
            self.world.note(f"visitor {self.number} loses its connection to node {wire.host.number}")
            self.lost(wire)

    # --- one request

    def _request(self) -> _Steps:
        world = self.world
        seen = sum(visitor.counted for visitor in world.visitors)
        self._wires = {}
        self._lock = None
        yield from self._take_lock()
        if self._lock is not None:
            world.note(f"visitor {self.number} has the lock at node {self._lock.host.number}")
            dies = world.rng.choice(["", "", "", "", "", "", "", "", "", "reading", "writing"])
            if world.plan.own_prefix:
                dies = ""  # its lock would stay for its whole timeout
            yield from self._visit(seen, dies)
            if dies:
                world.note(f"visitor {self.number} dies")
                for wire in self._wires.values():
                    wire.hang_up()
                return
        yield from self._quit()

    def _take_lock(self) -> _Steps:
        world = self.world
        for _ in range(_ADDS):
            host = None if world.quiet else self._ring(world.lock_node)
            if host is None:
                yield 1.0 + world.rng.random() * 10
                if world.quiet:
                    return
                continue
            wire = self._wire(host)
            yield from self._ask(wire, _ADD, _store(_ADD, self._lock_key, b"1", _LOCK_S))
            if self._answer is None:
                continue
            status, _ = self._answer
            assert status in (_OK, _EXISTS), f"ADD lock is answered with the status {status}"
            if status == _OK:
                self._lock = wire
                return
            yield world.rng.choice([2.0, 5.0, 20.0, 150.0])

    def _visit(self, seen: int, dies: str) -> _Steps:
        """What a request does that has the lock, up to its release."""
        world = self.world
        host = self._ring(world.data_node)
        if host is None:
            return
        yield from self._ask(self._wire(host), _GETK, packet(_GETK, self.data))
        if self._answer is not None:
            status, body = self._answer
            assert status in (_OK, _NOT_FOUND), f"GETK is answered with the status {status}"
            count = int(body) if status == _OK else 0
            world.note(f"visitor {self.number} reads {count} at node {host.number}")
            assert count >= seen, f"the session shows {count} visits, {seen} were acknowledged before"
            yield world.rng.choice([0.0, 1.0, 30.0]) * world.rng.random()
            if dies == "reading":
                return
            if world.rng.random() < 0.9 or world.plan.own_prefix:  # nodes learn by its copies that it is PHP's
                yield from self._write(b"%d" % (count + 1))
        if not dies:
            yield from self._release()

    def _write(self, value: bytes) -> _Steps:
        world = self.world
        self.uncertain += 1
        for _ in range(_SETS):
            host = self._ring(world.data_node)
            if host is None:
                return
            wire = self._wire(host)
            for other in world.hosts.values():
                if other is not host and self._accepts(other):
                    self._wire(other).buffer += _store(_SETQ, self.data, value, _DATA_S)
            yield from self._ask(wire, _SET, _store(_SET, self.data, value, _DATA_S))
            if self._answer is not None:
                assert self._answer[0] == _OK, f"SET is answered with the status {self._answer[0]}"
                self.counted += 1
                self.uncertain -= 1
                world.note(f"visitor {self.number} has written {value!r} to node {host.number}")
                return

    def _release(self) -> _Steps:
        """Tell all nodes of it; the lock's is told first, and aloud."""
        world, lock = self.world, self._lock
        assert lock is not None
        if lock.gone and not self._accepts(lock.host):
            host = self._ring(world.lock_node)  # it was removed from the ring
            lock = None if host is None else self._wire(host)
        late = world.rng.choice([0.2, 1.0, 30.0, 60.0])
        for host in world.hosts.values():
            if self._accepts(host) and (lock is None or host is not lock.host):
                wire = self._wire(host)
                wire.say(wire.buffer + packet(_DELETEQ, self._lock_key), world.rng.random() * late)
                wire.buffer = b""
        if lock is not None and not lock.gone:
            yield from self._ask(lock, _DELETE, packet(_DELETE, self._lock_key))

    def _quit(self) -> _Steps:
        """Close all connections, each when its node has."""
        for wire in self._wires.values():
            if not wire.gone:
                wire.say(packet(_QUIT))
        for wire in self._wires.values():
            if not wire.gone:
                yield wire, None
