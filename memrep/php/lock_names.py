"""PHP's session locks: which keys they are, and whether they are held.

Both PHP extensions lock a session by an entry beside it. pecl-memcache calls it SID.lock and marks it with the
flags 768, php-memcached calls it PREFIXlock.SID with the prefix `memc.sess.key.` unless configured otherwise.
phpredis locks KEY by KEY_LOCK, and stores there
who it is, HOST|PID.
An entry is one of them because it carries an `Owner`, and it carries one because it was taken as PHP's session
handlers take it (memrep/php); its name alone says nothing, for sites lock jobs and pages under such names, too.
While it is held it may not be evicted, for that would free the session under the request that holds it.
"""

from __future__ import annotations

import re
from typing import Final

from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner

#: The flags with which pecl-memcache stores a lock: its bits for "an integer".
PECL_FLAGS: Final = 768

#: How the names of pecl-memcache's locks end.
PECL_SUFFIX: Final = b".lock"

#: What php-memcached puts between its prefix and a session's name, for the lock.
MEMCACHED_WORD: Final = b"lock."

#: How the names of phpredis' locks end, and what it stores there: the host and the process of its request.
REDIS_SUFFIX: Final = b"_LOCK"
_REDIS_SECRET: Final = re.compile(rb"[^|]+\|[0-9]+")

#: What PHP's session names are made of.
_SID: Final = re.compile(rb"[0-9a-zA-Z,-]+")

#: A held lock of which nobody may know lives on for so long, ms. The node that granted it died in the moment
#: of granting, perhaps before it answered: then nobody will release it, and PHP would spin until its timeout.
#: A request that really holds it has so long to finish.
ORPHAN_MS: Final = 1_000

#: The same where another node has fallen silent meanwhile: pecl-memcache writes to all nodes at once, but
#: php-memcached to one after another, and its request may be waiting there, for five seconds.
PATIENT_MS: Final = 6_000


def is_pecl_lock(key: bytes, flags: int) -> bool:
    """Tell whether this is a lock of pecl-memcache's."""
    return flags == PECL_FLAGS and names_pecl_lock(key)


def names_pecl_lock(key: bytes) -> bool:
    """Tell whether a lock of pecl-memcache's has such a name."""
    return key.endswith(PECL_SUFFIX)


def is_redis_lock(key: bytes, value: bytes) -> bool:
    """Tell whether this is a lock of phpredis'."""
    return key.endswith(REDIS_SUFFIX) and _REDIS_SECRET.fullmatch(value) is not None


def is_endless(key: bytes, entry: Entry) -> bool:
    """Tell whether this is a phpredis lock without a timeout: it asks for none if PHP has none (php-cli)."""
    return entry.expires >= NEVER and key.endswith(REDIS_SUFFIX)


def may_name(key: bytes) -> bytes:
    """Return the session that php-memcached would lock by this key, whatever its prefix; b"" if none."""
    before, word, name = key.rpartition(MEMCACHED_WORD)
    return before + name if word and name and _SID.fullmatch(name) else b""


def is_held(value: bytes | None, owner: Owner | None) -> bool:
    """Tell whether an entry with this value and owner is a lock of PHP's that is held."""
    return owner is not None and not owner.maybe and not is_free(value)


def is_free(value: bytes | None) -> bool:
    """Tell whether a lock of this value is no client's; pecl-memcache releases one by storing 0."""
    return value is None or value == b"0"
