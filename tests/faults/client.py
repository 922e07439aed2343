"""A request as PHP makes it: to one node after the other, in random order, until one answers.

A worker connects, sends all that belongs to one operation and waits. If the node refuses, hangs up or says
nothing for a second, it goes to the next one. What was sent to a node that did not answer may have been carried
out or not; the checks must know, so every attempt is kept, with both times. A new request begins elsewhere:
some faults show only to clients that change nodes all the time.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from tests.faults.protocols import MEMCACHED, Complete, Said, Speaks

if TYPE_CHECKING:
    from tests.faults.world import World

GIVE_UP_S: Final = 1.0

#: What became of an attempt. Only the last two leave open whether the command was carried out.
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
UNREACHABLE: Final = "unreachable"
CLOSED: Final = "closed"
SILENT: Final = "silent"


@attrs.frozen
class Attempt:
    """One node was asked."""

    node: int
    begin: float
    end: float
    fate: str
    reply: bytes


class Walk:
    """One operation: the attempts it took.

    Attributes:
        begin: when it began.
        end: when it was answered, or given up.
        attempts: each node that was asked, in order.
        speaks: the protocol in which they were.
        line: the connection to the node that answered, if it was to be kept.
    """

    def __init__(
        self,
        begin: float,
        end: float,
        attempts: list[Attempt],
        line: Line | None = None,
        speaks: Speaks = MEMCACHED,
    ) -> None:
        self.begin = begin
        self.end = end
        self.attempts = attempts
        self.line = line
        self.speaks = speaks

    @property
    def answered(self) -> bool:
        """Whether any node answered."""
        return bool(self.attempts) and self.attempts[-1].fate == ANSWERED

    @property
    def reply(self) -> bytes:
        """The answer."""
        return self.attempts[-1].reply

    @property
    def value(self) -> bytes | None:
        """The value that was read; None if there was none."""
        return self.speaks.value(self.reply)

    @property
    def stored(self) -> bool:
        """Whether it was a write, and was done."""
        return self.speaks.stored(self.reply)

    @property
    def node(self) -> int:
        """Who answered."""
        return self.attempts[-1].node

    @property
    def unknown(self) -> int:
        """How many attempts may have been carried out or not."""
        return sum(attempt.fate in (CLOSED, SILENT) for attempt in self.attempts)

    def told(self, start: float) -> str:
        """When and where, for the evidence."""
        where = " ".join(
            f"n{attempt.node}:{attempt.fate if attempt.fate != ANSWERED else attempt.reply[:36]!r}"
            f"@{attempt.end - start:.3f}"
            for attempt in self.attempts
        )
        return f"{self.begin - start:9.3f}-{self.end - start:.3f} {self.speaks.name} {where}"


class Line:
    """A connection to a node, at the port of this protocol."""

    def __init__(self, world: World, node: int, speaks: Speaks = MEMCACHED) -> None:
        self.node = node
        self._speaks = speaks
        self._world = world
        self._sock: socket.socket | None = None
        self.fate = ANSWERED
        world.talking[node].add(self)

    def connect(self, deadline: float) -> bool:
        """Whether the node accepts the connection."""
        try:
            left = max(0.001, deadline - time.monotonic())
            self._sock = socket.create_connection(self._world.address(self.node, self._speaks), timeout=left)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except ConnectionRefusedError:
            self.fate = REFUSED
        except OSError:
            self.fate = UNREACHABLE
        return self.fate == ANSWERED

    def send(self, data: bytes) -> None:
        """Send, if the connection still stands."""
        assert self._sock is not None
        try:
            self._sock.sendall(data)
        except TimeoutError:
            self.fate = SILENT
        except OSError:
            self.fate = CLOSED

    def receive(self, complete: Complete, deadline: float) -> bytes:
        """What the node answers until the deadline."""
        assert self._sock is not None
        reply = b""
        try:
            while self.fate == ANSWERED and not complete(reply):
                self._sock.settimeout(max(0.001, deadline - time.monotonic()))
                received = self._sock.recv(1 << 16)
                reply += received
                if not received:
                    self.fate = CLOSED
        except TimeoutError:
            self.fate = SILENT
        except OSError:
            self.fate = CLOSED
        return reply

    def ask(self, said: Said) -> Attempt:
        """One more request on this connection."""
        begin = time.monotonic()
        self.send(said.data)
        reply = self.receive(said.complete, begin + GIVE_UP_S)
        return Attempt(self.node, begin, time.monotonic(), self.fate, reply)

    def close(self) -> None:
        """Hang up, as a client does that gives up."""
        if self._sock is not None:
            self._sock.close()
        self._world.talking[self.node].discard(self)


class Client:
    """One worker of PHP's, which speaks now one protocol and now the other.

    Args:
        world: what it shares with the others.
        name: how the evidence calls it.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.rng = random.Random(f"{world.seed} {name}")

    def choose(self) -> Speaks:
        """The protocol of the next operation."""
        return self.rng.choice(self.world.protocols)

    def get(self, key: str, nodes: Sequence[int] | None = None) -> Walk:
        """Read a key; one read in four renews it, where that can be."""
        return self.request(self.choose().get(key, renews=self.rng.random() < 0.25), nodes)

    def set(self, key: str, data: bytes, nodes: Sequence[int] | None = None) -> Walk:
        """Write a key for as long as a PHP session lives."""
        return self.request(self.choose().set(key, data), nodes)

    def add(self, key: str, data: bytes) -> Walk:
        """The same, if it is missing."""
        return self.request(self.choose().add(key, data))

    def delete(self, key: str, nodes: Sequence[int] | None = None) -> Walk:
        """Delete a key."""
        return self.request(self.choose().delete(key), nodes)

    def request(self, said: Said, nodes: Sequence[int] | None = None, *, keep: bool = False) -> Walk:
        """Ask one node after the other, in random order or that of `nodes`, until one answers."""
        world = self.world
        order = list(nodes) if nodes is not None else self.rng.sample(range(world.count), world.count)
        begin = time.monotonic()
        attempts: list[Attempt] = []
        kept = None
        for node in order:
            if nodes is None and node in world.avoided:
                continue
            attempt, line = self._attempt(node, said)
            attempts.append(attempt)
            if attempt.fate == ANSWERED and keep:
                kept = line
            else:
                line.close()
            if attempt.fate == ANSWERED:
                break
        walk = Walk(begin, time.monotonic(), attempts, kept, said.speaks)
        if {*order, *world.avoided} == set(
            range(world.count)
        ):  # else it is no whole request, but a look at some
            world.tally.add(walk)
        if walk.answered and said.speaks.refuses(walk.reply):
            world.found(
                "other",
                f"{self.name} sent {said.data[:60]!r} and got {walk.reply[:60]!r} from node {walk.node}",
            )
        return walk

    def _attempt(self, node: int, said: Said) -> tuple[Attempt, Line]:
        world = self.world
        begin = time.monotonic()
        healthy = node not in world.faulted
        line = Line(world, node, said.speaks)
        reply = b""
        if line.connect(begin + GIVE_UP_S):
            line.send(said.data)
            reply = line.receive(said.complete, begin + GIVE_UP_S)
        attempt = Attempt(node, begin, time.monotonic(), line.fate, reply)
        world.tally.attempted(attempt, healthy and node not in world.faulted)
        return attempt, line
