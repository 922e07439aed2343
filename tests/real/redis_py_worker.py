"""A program that raises a counter, again and again: `redis_py_worker.py PORT KIND STOP`.

It reads and writes the counter by plain GET and SET, under a lock or in a transaction. It says `raised N` after
each time, with how often it has done so, and ends when the file STOP is there. `doubtful` it says of a time of
which it was not told how it ended.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache
from memrep_redis import OPTIONS
from redis.exceptions import LockNotOwnedError, WatchError

COUNTER = "counter"

#: After a command has been said four times, it may be done or not.
UNANSWERED = (redis.ConnectionError, redis.TimeoutError)

#: Longer than any fault of these tests lasts, so that nobody's lock ends before he gives it up.
LOCK_S = 15
TRIES_EVERY_S = 0.005


def url(port: str) -> str:
    """Return where the nodes are: all of them by one name."""
    return f"redis://memrep:{port}"


def connected(port: str) -> Any:
    """Return a client of the nodes, with the options of deploy/."""
    return redis.Redis(connection_pool=redis.ConnectionPool.from_url(url(port), **OPTIONS))


def under(lock: Callable[[], AbstractContextManager[object]], client: Any) -> Callable[[], bool]:
    """Return what raises the counter while this lock is held; it tells whether it knows how that ended."""

    def raise_it() -> bool:
        try:
            with lock():
                client.set(COUNTER, int(client.get(COUNTER) or 0) + 1)
        except LockNotOwnedError:  # it had been given up, and that was said again: the work is done
            return True
        except UNANSWERED:
            return False
        return True

    return raise_it


def lock(port: str) -> Callable[[], bool]:
    """redis-py's own lock."""
    client = connected(port)
    return under(lambda: client.lock("lock", timeout=LOCK_S, sleep=TRIES_EVERY_S), client)


def django_lock(port: str) -> Callable[[], bool]:
    """django-redis' lock."""
    pool = {"CONNECTION_POOL_KWARGS": OPTIONS}
    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url(port), "OPTIONS": pool}
    settings.configure(CACHES={"default": backend})
    return under(lambda: cache.lock("lock", timeout=LOCK_S, sleep=TRIES_EVERY_S), connected(port))


def transaction(port: str) -> Callable[[], bool]:
    """WATCH, GET, MULTI, SET, EXEC; again where another one was quicker."""
    client = connected(port)

    def raise_it() -> bool:
        while True:
            try:
                with client.pipeline() as pipe:
                    pipe.watch(COUNTER)
                    number = int(pipe.get(COUNTER) or 0)
                    pipe.multi()
                    pipe.set(COUNTER, number + 1)
                    pipe.execute()
            except UNANSWERED:  # its last words to a node that is gone are not said again
                return False
            except WatchError as error:
                if "occurred while watching" in str(error):  # it may be done, and was not answered
                    return False
            else:
                return True

    return raise_it


KINDS = {"lock": lock, "django-lock": django_lock, "transaction": transaction}


def outcomes(raise_it: Callable[[], bool], stop: Path) -> Iterator[bool]:
    """Raise the counter until the file is there."""
    while not stop.exists():
        yield raise_it()
        time.sleep(0.002)


if __name__ == "__main__":
    port, kind, stop = sys.argv[1:]
    told = {True: 0, False: 0}
    for outcome in outcomes(KINDS[kind](port), Path(stop)):
        told[outcome] += 1
        print("raised" if outcome else "doubtful", told[outcome], flush=True)
