"""Locks as Redis' clients take and release them.

The lock of a token is what Laravel, Symfony, redis-py and redlock have: `SET KEY TOKEN NX PX ms`, and a script
that deletes it if it is still that token. It lives by its timeout alone, whatever becomes of the connection.
memcached's clients take the same locks with `add`. Who may have taken one without having been told lets go of
it, for its token is known to nobody else.

The lock of phpredis' session handler belongs to a request. It is taken in the same way, by HOST|PID, and ends
with the connection. The process has the same name in each request, so that a release that was overtaken could
free what it holds by now.
"""

from __future__ import annotations

from typing import Final

from tests.faults.client import ANSWERED, Line, Walk
from tests.faults.locks import TIMEOUT_S, Lock, Locking
from tests.faults.protocols import REDIS, Said

#: Compare and delete: phpredis', Laravel's, redis-py's.
_RELEASES: Final = (
    "b70c2384248f88e6b75b9f89241a180f856ad852",
    "647c65a442733a1aa440f99908d249d13b4d6c4a",
    "c3f8721cbb97f72bc19e972846bd7aaf91901658",
)
_SCRIPT: Final = (
    'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end'
)


class TokenLocking(Locking):
    """As the users of tokens do it, in either protocol."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._tokens = 0
        self._token = ""

    def ask(self, lock: Lock) -> Walk:
        """See `Locking`."""
        self._tokens += 1
        self._token = f"{self.name}.{self._tokens}"
        walk = self.request(self.choose().add(lock.key, self._token.encode(), TIMEOUT_S), keep=True)
        if walk.unknown:
            lock.maybe_taken()
            if not (walk.answered and self.is_granted(walk)):
                self._let_go(lock)
        return walk

    def is_granted(self, walk: Walk) -> bool:
        """See `Locking`."""
        return walk.stored

    def release(self, lock: Lock, line: Line) -> None:
        """See `Locking`; over another connection, as a job does that ends a lock which a page took."""
        line.close()
        self._let_go(lock)

    def _let_go(self, lock: Lock) -> None:
        walk = self.request(_release(self.rng.choice((_SCRIPT, *_RELEASES)), lock, self._token))
        lock.diary.note(self.name, f"release {self._token}", walk)
        if not walk.answered:
            lock.maybe_taken()


class PhpredisLocking(Locking):
    """As phpredis' session handler does it."""

    def ask(self, lock: Lock) -> Walk:
        """See `Locking`."""
        said = REDIS.said("SET", lock.key, self._process, "NX", "PX", TIMEOUT_S * 1000)
        walk = self.request(said, keep=True)
        if walk.unknown:
            lock.maybe_taken()
        return walk

    @property
    def _process(self) -> str:
        return f"web|{self.name.removeprefix('phpredis')}"

    def is_granted(self, walk: Walk) -> bool:
        """See `Locking`."""
        return walk.stored

    def release(self, lock: Lock, line: Line) -> None:
        """See `Locking`; phpredis comes over another connection if that is lost."""
        said = _release(_RELEASES[0], lock, self._process)
        attempt = line.ask(said)
        lock.diary.note(self.name, "release", Walk(attempt.begin, attempt.end, [attempt], speaks=REDIS))
        self.world.tally.attempted(attempt, healthy=False)
        if attempt.fate != ANSWERED:
            line.close()
            walk = self.request(said)
            lock.diary.note(self.name, "release again", walk)
            if not walk.answered:
                lock.maybe_taken()


def _release(script: str, lock: Lock, token: str) -> Said:
    return REDIS.said("EVAL" if " " in script else "EVALSHA", script, 1, lock.key, token)
