"""What PHP's session handlers say in one breath: the proof that a command is theirs.

pecl-memcache takes a lock by three commands and does not wait for an answer in between. Whoever locks anything
else by such a key, the class Memcache in PHP itself among them, waits for each answer:

    incr SID.lock 1
    add SID.lock 768 TIMEOUT 1 "1"
    get SID

It writes a session together with the release of its lock: `set SID ...`, `set SID.lock 768 TIMEOUT 1 "0"`, or
both by `delete`. php-memcached's copies of a write stand before its release of the lock, too, several times if
a node has not answered.

Each function here is given what stands behind a command, and answers None if that is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterator

from memrep.php.lock_names import PECL_FLAGS, names_pecl_lock
from memrep.protocol.command import Said


def takes(ahead: Iterator[Said | None], lock: bytes, session: bytes) -> bool | None:
    """Tell whether an `incr` of this lock is pecl's way to take it. The `add` makes no difference to it."""
    said = next(ahead)
    if said is not None and (said.verb, said.key, said.flags, said.value) == (b"add", lock, PECL_FLAGS, b"1"):
        said = next(ahead)
    return None if said is None else _reads(said, session)


def reads(ahead: Iterator[Said | None], lock: bytes, session: bytes) -> bool | None:
    """Tell whether the session is read right behind an `add` of its lock."""
    said = next(ahead)
    return None if said is None else _reads(said, session)


def _reads(said: Said, session: bytes) -> bool:
    return said.verb == b"get" and said.key == session


def releases(ahead: Iterator[Said | None], session: bytes, lock: bytes) -> bool | None:
    """Tell whether the lock is released right behind a write of its session."""
    for said in ahead:
        if said is None:
            return None
        if said.verb == b"set" and said.key == session and not names_pecl_lock(lock):
            continue
        if said.key != lock:
            return False
        return said.verb == b"delete" or (said.verb, said.flags, said.value) == (b"set", PECL_FLAGS, b"0")
    return False
