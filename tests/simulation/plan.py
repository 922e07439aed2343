"""What a run draws from its seed before it begins; and that a promise was broken in it."""

from __future__ import annotations

from random import Random

import attrs

#: How long faults and clients go on, virtual ms.
BUSY_MS = 2_500.0
BUSY_ISOLATED_MS = 4_500.0
BUSY_SPITEFUL_MS = 9_000.0

#: The kinds of run, by how often.
KINDS = [
    "whole", "whole", "whole", "majority", "split", "split", "isolated", "isolated", "isolated", "spiteful"
]  # fmt: skip


#: The share of runs in which some clients speak Redis' protocol.
REDIS_RUNS = 0.4

#: The same of spiteful runs, of which some rules need very many, with memcached's clients.
REDIS_RUNS_SPITEFUL = 0.1


class Broken(AssertionError):
    """A promise was broken; the text says which and how to see it again."""


@attrs.frozen(kw_only=True)
class RedisPlan:
    """Which clients of a run speak Redis' protocol; drawn by itself, so that runs without any are as they were.

    Attributes:
        share: of the clients that fight over keys.
        visitors: whether the PHP workers have phpredis.
        lock_ms: the time of their locks, ms; 0 for one without.
        tokens: whether those that lock pages do it by tokens, beside them.
    """

    share: float = 0.0
    visitors: bool = False
    lock_ms: int = 0
    tokens: bool = False

    @classmethod
    def draw(cls, rng: Random, kind: str) -> RedisPlan:
        """A plan for one seed."""
        if rng.random() >= (REDIS_RUNS_SPITEFUL if kind == "spiteful" else REDIS_RUNS):
            return cls()
        return cls(
            share=rng.choice([0.5, 0.5, 1.0]),
            visitors=rng.random() < 0.6,
            lock_ms=rng.choice([0, 0, 5_000, 30_000]),
            tokens=rng.random() < 0.5 and kind != "split",
        )


@attrs.frozen(kw_only=True)
class Plan:
    """What a run draws from its seed before it begins.

    Attributes:
        nodes: how many there are.
        latency: one-way delay of most messages, ms.
        late: the share of messages that come up to 80 ms late.
        clients: how many there are.
        keys: how many keys they fight over.
        skews: how far each node's wall clock is off, ms.
        records: how many keys are stored before the faults begin, so that transfers take their time.
        visitors: how many PHP workers work on one session.
        patience: how long php-memcached waits for an answer, ms; 0 if the workers have pecl-memcache.
        own_first: whether each worker's list of nodes begins with another one, in php-memcached's case.
        turn: how long a node may be busy before it looks at its sockets again, ms; what has come by then
            makes one turn.
        kind: whole, majority, split, isolated or spiteful; see simulator.py.
        arp: how long after a cut the others do not hear those who were cut off, though these hear them, ms:
            kernels ask for forgotten hardware addresses only once a second.
        tombstone: how long tombstones are kept, ms.
        plain: how many clients there are that lock pages under the names of PHP's locks.
        togglers: how many more PHP workers work on a session with two states.
        own_prefix: whether php-memcached's keys begin in a way of which the nodes have not been told.
        redis: which clients speak Redis' protocol.
    """

    nodes: int
    latency: float
    late: float
    clients: int
    keys: int
    skews: list[int]
    records: int
    visitors: int
    patience: float
    own_first: bool
    turn: float
    kind: str
    tombstone: int
    arp: float
    plain: int
    togglers: int
    own_prefix: bool
    redis: RedisPlan = RedisPlan()

    @classmethod
    def draw(cls, rng: Random, redis: Random | None, only: str = "") -> Plan:
        """A plan for one seed; of this kind, if one is named; without Redis' clients if nothing draws them."""
        nodes = rng.choice([2, 3, 3, 3, 3, 4, 5])
        drawn = rng.choice(KINDS)
        kind = only or drawn
        if kind == "spiteful":
            nodes = rng.choice([2, 2, 2, 3, 4, 4])  # cut into halves as often as not
        skewed = [-30_000, 0, 30_000] if kind == "spiteful" else [0, 0]
        return cls(
            nodes=nodes,
            latency=rng.choice([0.3, 0.3, 2.0, 2.0, 20.0]),
            late=rng.choice([0.0, 0.01]),
            clients=rng.choice([2, 3, 4, 8, 12]),
            keys=rng.choice([1, 1, 2, 3]),
            skews=[
                rng.choice([*skewed, rng.randint(-500, 500), rng.randint(-30_000, 30_000)])
                for _ in range(nodes)
            ],
            records=rng.choice([0, 0, 20, 300]),
            visitors=rng.choice([0, 2, 3, 8]) if kind != "split" else 0,  # where visits may be lost
            patience=rng.choice([0.0, 0.0, 1_000.0, 5_000.0]),
            own_first=rng.random() < 0.5,
            turn=rng.choice([0.0, 0.1, 1.0, 10.0]),
            kind=kind,
            # A copy that a node has kept while it looked for others (N1) is known by its lock's tombstone.
            tombstone=rng.choice([2_000 if kind == "spiteful" else 500, 2_000, 3_600_000]),
            arp=rng.choice([0.0, 0.0, 300.0, 900.0]),
            plain=rng.choice([0, 2, 3]) if kind != "split" else 0,
            togglers=rng.choice([0, 0, 3]) if kind != "split" else 0,
            own_prefix=rng.random() < 0.15,
            redis=RedisPlan.draw(redis, kind) if redis is not None else RedisPlan(),
        )

    @property
    def isolates(self) -> bool:
        """Whether nodes are cut off from the others and from all clients."""
        return self.kind in ("isolated", "spiteful")

    @property
    def php(self) -> str:
        """What the PHP workers have: phpredis, php-memcached or pecl-memcache; "" if there are none."""
        if not self.visitors:
            return ""
        return "phpredis" if self.redis.visitors else "php-memcached" if self.patience else "pecl-memcache"

    @property
    def cuts_often(self) -> bool:
        """Whether sides that go on by themselves are what it is about."""
        return self.kind != "whole"

    @property
    def busy_ms(self) -> float:
        """How long faults and clients go on."""
        return {"isolated": BUSY_ISOLATED_MS, "spiteful": BUSY_SPITEFUL_MS}.get(self.kind, BUSY_MS)
