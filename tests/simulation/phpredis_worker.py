"""phpredis' session handler on one session, in virtual time: lock, read, count, write, release.

As the real one does it with `redis.session.locking_enabled` and one name that has the addresses of all nodes:
one connection for each request, strictly one command and one reply. SET KEY_LOCK HOST|PID NX, with PX if PHP
has a time limit, again and again while somebody has it; GET KEY; the request; GET KEY_LOCK where there is a PX,
which must show its own name; SETEX KEY; and the release, a script that deletes the lock by its value.

A connection that was closed meanwhile is made anew with the next command, to the next address that accepts:
the request goes on at another node, and releases there what it was granted here. Whose command is under way
when its connection breaks gets an exception: that request is over, and releases as it ends, or dies. Some
requests only read, and some workers die half-way.

The promise is that of php_worker.py, and that nobody waits for ever: what is left of a lock when all is over
ends by its time, or, where it has none, with the connection that it came on, or soon after its node.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from memrep.php.lock_names import PATIENT_MS
from memrep.protocol.negotiation import REDIS
from tests.simulation import requests
from tests.simulation.resp_codec import RELEASE, Line, Reply, command, read

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

#: The session.
DATA: Final = b"PHPREDIS_SESSION:0123456789abcdefghijklmnop"
LOCK: Final = DATA + b"_LOCK"

#: How long a session lives, s.
_DATA_S: Final = b"1440"

#: The time limit of a request, ms: what is not written by then is not written.
_LIMIT_MS: Final = 2_500.0

#: How long a request waits for an answer, ms.
_PATIENCE_MS: Final = 2_000.0

#: How often a lock is asked for.
_TRIES: Final = 40

#: The share of questions whose node dies or freezes before the answer, and of requests that do not write.
_STRIKES: Final = 0.03
_READS: Final = 0.1

#: A lock ends so much later than it should, at most: what is done by ticks is, and nodes meet first.
_SLACK_MS: Final = 1_500.0

#: A reply; what is wrapped is there, be it nothing.
Answer = tuple[Reply]
Steps = requests.Steps[Answer]


class RedisWire(requests.Wire[Answer]):
    """One connection of a request."""

    def take(self, kind: int) -> Answer | None:
        """See `requests.Wire`; there is one kind."""
        complete = read(self.reply)
        if complete is None:
            return None
        self.reply = self.reply[complete[1] :]
        return (complete[0],)


class RedisRequests(requests.Requests[Answer]):
    """One worker that speaks Redis' protocol, over one connection at a time.

    Attributes:
        died: its connection broke while it waited for an answer.
    """

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number, _PATIENCE_MS)
        self._wire: RedisWire | None = None
        self.died = False

    def _host(self) -> Host | None:
        """The first address of its name whose port does not refuse: its own node, or any."""
        hosts = list(self.world.hosts.values())
        first = self.number % len(hosts) if self.world.plan.own_first else self.world.rng.randrange(len(hosts))
        return next((host for host in hosts[first:] + hosts[:first] if self._accepts(host)), None)

    def ask(self, *words: bytes) -> Steps:
        """Say this, on a new connection if there is none, and wait; the answer is in `_answer`."""
        self._answer = None
        wire = self._wire
        while wire is None or wire.gone:
            host = self._host()
            if host is not None:
                wire = self._wire = RedisWire(self, host, REDIS)
            elif self.world.quiet:
                return
            else:
                yield 1.0 + self.world.rng.random() * 10
        wire.say(command(*words))
        if self.world.rng.random() < _STRIKES:
            moment = 3 * self.world.delay() * self.world.rng.random()
            self.world.later(moment, partial(self.world.faults.strike_now, wire.host.number))
        yield wire, 0
        self.died |= self._answer is None

    @property
    def reply(self) -> Reply:
        """What was answered to the last question."""
        assert self._answer is not None
        return self._answer[0]

    def hang_up(self) -> None:
        """Close the connection."""
        if self._wire is not None and not self._wire.gone:
            self._wire.gone = True
            self._wire.hang_up()
        self._wire = None


class PhpredisVisitor(RedisRequests):
    """One PHP worker with phpredis; see `php_worker.Worker`."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.data = DATA
        self._secret = b"web%d|%d" % (number % 2, 100 + number)
        self._px = world.plan.redis.lock_ms
        self._taken = 0.0

    def _request(self) -> Steps:
        world = self.world
        self.died = False
        seen = sum(visitor.counted for visitor in world.visitors)
        yield from self._take_lock()
        if self._answer is not None and self.reply == b"+OK":
            dies = world.rng.choice(["", "", "", "", "", "", "", "", "", "reading", "writing"])
            yield from self._visit(seen, dies)
            if not dies and not (self.died and world.rng.random() < 0.5):
                yield from self._release()
            else:
                world.note(f"visitor {self.number} dies")
        self.hang_up()

    def _take_lock(self) -> Steps:
        """Ask for the lock until it is granted, or given up, or the connection breaks."""
        world = self.world
        time = [b"PX", b"%d" % self._px] if self._px else []
        for _ in range(_TRIES):
            self._taken = world.now
            yield from self.ask(b"SET", LOCK, self._secret, b"NX", *time)
            if self._answer is None:
                return
            if self.reply == b"+OK":
                assert self._wire is not None
                world.note(f"visitor {self.number} has the lock at node {self._wire.host.number}")
                return
            assert self.reply is None, f"SET NX is answered with {self.reply!r}"
            if world.quiet:
                return
            yield world.rng.choice([2.0, 20.0, 50.0])

    def _visit(self, seen: int, dies: str) -> Steps:
        """What a request does that has the lock, up to its release."""
        world = self.world
        yield from self.ask(b"GET", DATA)
        if self._answer is None:
            return
        assert self.reply is None or isinstance(self.reply, bytes), f"GET is answered with {self.reply!r}"
        assert not isinstance(self.reply, Line), f"GET is answered with {self.reply!r}"
        count = int(self.reply or b"0")
        world.note(f"visitor {self.number} reads {count}")
        assert count >= seen, f"the session shows {count} visits, {seen} were acknowledged before"
        yield world.rng.choice([0.0, 1.0, 30.0]) * world.rng.random()
        if dies == "reading" or world.rng.random() < _READS:
            return
        if self._px:
            yield from self.ask(b"GET", LOCK)
            if self._answer is None or self.reply != self._secret:
                late = world.now - self._taken >= self._px
                assert self._answer is None or late, f"who has the lock is told that {self.reply!r} has it"
                return
        if world.now - self._taken > _LIMIT_MS:
            return
        self.uncertain += 1
        yield from self.ask(b"SETEX", DATA, _DATA_S, b"%d" % (count + 1))
        if self._answer is not None:
            assert self.reply == b"+OK", f"SETEX is answered with {self.reply!r}"
            self.counted += 1
            self.uncertain -= 1
            world.note(f"visitor {self.number} has written {count + 1}")

    def _release(self) -> Steps:
        world = self.world
        yield from self.ask(b"EVALSHA", RELEASE, b"1", LOCK, self._secret)
        if self._answer is not None:
            assert self.reply in (0, 1), f"the release is answered with {self.reply!r}"
            in_time = not self._px or world.now - self._taken < self._px
            assert self.reply == 1 or self.died or not in_time, "who has the lock cannot release it"


def wait_for_locks(world: World) -> None:
    """Nobody waits for ever: what is left of the lock ends."""
    if not world.plan.redis.visitors:
        return
    end = world.now + max(world.plan.redis.lock_ms, PATIENT_MS) + _SLACK_MS
    while world.now < end and any(_is_locked(world, host) for host in world.hosts.values()):
        world.run(world.now + 250)
    left = [number for number, host in world.hosts.items() if _is_locked(world, host)]
    assert not left, f"the lock is nobody's, and does not end at {left}"


def _is_locked(world: World, host: Host) -> bool:
    assert host.node is not None
    return not host.node.store.is_miss(LOCK, 1_000 + int(world.now))
