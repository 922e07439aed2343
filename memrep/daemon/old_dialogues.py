"""How one session is asked for: what is said to memcached, to Redis, and what is seen in a file.

Each tells the session with the time that it has left, and whether a page is at work on it: then it is about to
be written there once more, and what is seen now will soon be old. So the handler's lock is looked at before it.

memcached is asked by `mg` (1.6.12 and later), which tells the time left; an older one by `get`, which does not.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from memrep.daemon.guard import in_words
from memrep.daemon.old_stream import OldStream, SilentError
from memrep.handlers.item import Item
from memrep.handlers.old_store import OldStore
from memrep.handlers.places import Server

#: What is larger than this, bytes, is not taken over by any node.
_VALUE_MAX: Final = 128 << 20

_META: Final = re.compile(rb"VA (\d+)(?: f(\d+) t(-?\d+))?")
_VALUE: Final = re.compile(rb"VALUE (\S+) (\d+) (\d+)(?: \d+)?")

#: What pecl-memcache's lock holds when nobody has it.
_FREE: Final = b"0"


class Seen(msgspec.Struct, frozen=True):
    """What is seen of a session in one place.

    Attributes:
        item: the session under its name; None if it is not there.
        locked: whether a page is at work on it.
    """

    item: Item | None = None
    locked: bool = False


# --- memcached


async def ask_memcached(stream: OldStream, old: OldStore, name: bytes) -> Seen:
    """Ask a memcached.

    Raises:
        SilentError: it does not answer as it should.
    """
    key, lock = old.before.key(name), old.lock(name)
    await stream.send(b"mg %b v\r\nmg %b f t v\r\n" % (lock, key))
    line = await stream.line()
    if line == b"ERROR":
        await stream.line()
        return await _get(stream, old, name)
    held = await _meta(stream, line, name)
    item = await _meta(stream, await stream.line(), name)
    return Seen(item, held is not None and held.value != _FREE)


async def _meta(stream: OldStream, line: bytes, name: bytes) -> Item | None:
    if line == b"EN":
        return None
    found = _META.fullmatch(line)
    if found is None:
        raise SilentError(f"it says {line[:80].decode(errors='replace')!r}")
    value = await _value(stream, int(found[1]))
    seconds = int(found[3] or 0)
    return Item(name, value, int(found[2] or 0), None if seconds < 0 else max(1, seconds) * 1000)


async def _get(stream: OldStream, old: OldStore, name: bytes) -> Seen:
    key, lock = old.before.key(name), old.lock(name)
    await stream.send(b"get %b %b\r\n" % (lock, key))
    item, locked = None, False
    while (line := await stream.line()) != b"END":
        found = _VALUE.fullmatch(line)
        if found is None:
            raise SilentError(f"it says {line[:80].decode(errors='replace')!r}")
        value = await _value(stream, int(found[3]))
        if found[1] == key:
            item = Item(name, value, int(found[2]), round(old.lifetime_s * 1000))
        else:
            locked = value != _FREE
    return Seen(item, locked)


async def _value(stream: OldStream, size: int) -> bytes:
    if size > _VALUE_MAX:
        raise SilentError(f"it has a value of {size:,} bytes")
    return (await stream.exactly(size + 2))[:-2]


# --- Redis


async def greet_redis(stream: OldStream, server: Server) -> None:
    """Say who asks, and for which database.

    Raises:
        SilentError: it refuses.
    """
    words = []
    if server.password:
        user = [server.user.encode()] if server.user else []
        words.append([b"AUTH", *user, server.password.encode()])
    if server.database:
        words.append([b"SELECT", b"%d" % server.database])
    for command in words:
        await stream.send(_spelled(*command))
        reply = await _reply(stream)
        if isinstance(reply, _RefusedError):
            raise SilentError(f"it says {str(reply)[:80]!r}")


async def ask_redis(stream: OldStream, old: OldStore, name: bytes) -> Seen:
    """Ask a Redis, or Valkey.

    Raises:
        SilentError: it does not answer as it should.
    """
    key, lock = old.before.key(name), old.lock(name)
    await stream.send(_spelled(b"EXISTS", lock) + _spelled(b"GET", key) + _spelled(b"PTTL", key))
    locked, value, left = await _reply(stream), await _reply(stream), await _reply(stream)
    if isinstance(value, _RefusedError):
        if not str(value).startswith("WRONGTYPE"):
            raise SilentError(f"it says {str(value)[:80]!r}")
        value = None
    if not isinstance(value, bytes) or not isinstance(left, int) or left == _NO_KEY:
        return Seen(None, locked == 1)
    return Seen(Item(name, value, left_ms=None if left < 0 else max(1, left)), locked == 1)


#: PTTL of a key that is not there.
_NO_KEY: Final = -2


class _RefusedError(Exception):
    """What Redis says instead of a reply."""


def _spelled(*words: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


async def _reply(stream: OldStream) -> bytes | int | _RefusedError | None:
    line = await stream.line()
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"-":
        return _RefusedError(rest.decode(errors="replace"))
    if kind in (b":", b"$") and re.fullmatch(rb"-?\d{1,18}", rest):
        number = int(rest)
        if kind == b":":
            return number
        return None if number < 0 else await _value(stream, number)
    raise SilentError(f"it says {line[:80].decode(errors='replace')!r}, which is not Redis' protocol")


# --- files


def look_at_file(old: OldStore, name: bytes) -> Seen:
    """Look at PHP's file of a session, or Laravel's. It may take long: in a thread.

    Raises:
        SilentError: it cannot be looked at.
    """
    path = old.path(name)
    try:
        # Not a link, and nothing that an open would wait for: the directory may be everybody's to write in.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if not Path(old.place.path).is_dir():
            raise SilentError("there is no such directory") from None
        return Seen()
    except OSError as error:
        raise SilentError(f"{in_words(error)}: {path}") from None
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return Seen()
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        locked = False
    except BlockingIOError:
        locked = True
    except OSError:  # a file system without locks
        locked = False
    try:
        about = os.fstat(number)
        left_ms = round((about.st_mtime + old.lifetime_s - time.time()) * 1000)
        if left_ms <= 0 or not 0 < about.st_size <= _VALUE_MAX:
            return Seen(None, locked)
        value = b"".join(iter(partial(os.read, number, 1 << 20), b""))
    except OSError as error:
        raise SilentError(f"{in_words(error)}: {path}") from None
    finally:
        os.close(number)
    return Seen(Item(name, value, left_ms=left_ms), locked)
