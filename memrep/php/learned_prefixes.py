"""Prefixes of php-memcached's that nobody has declared: learned from what only its session handler says.

Problem: php-memcached locks PREFIXSID by PREFIXlock.SID, and a site may have changed the prefix. An `add` of
such a key may be anybody's. A quiet write with a quiet release of that very lock behind it, as libmemcached
sends them to its replicas, comes from no other client.

Rule: whoever says that is php-memcached, and so is whoever locks under the same prefix from then on. What
follows is little, for it is learned and not declared: a quiet release that comes alone is held against it. A
lock's end with its client needs `--lock-prefix`, of which the operator is told once a prefix.
"""

from __future__ import annotations

from typing import Final

from memrep.events import PREFIX_LEARNED, Tell
from memrep.php.lock_names import MEMCACHED_WORD

#: The names that PHP gives to sessions are not shorter, unless the site names them.
_SID_BYTES: Final = 22

#: So many prefixes are learned at most: clients make up keys as they like.
_LEARNED_MAX: Final = 64


class LearnedPrefixes:
    """The prefixes that one node has learned.

    Args:
        declared: those that the operator has told.
        log: takes a line for the operator.
    """

    def __init__(self, declared: tuple[bytes, ...], log: Tell) -> None:
        self._declared = declared
        self._learned: set[bytes] = set()
        self._log = log

    def learn(self, lock: bytes) -> None:
        """Note that a client has written a session quietly and released this lock so, too."""
        prefix, word, name = lock.rpartition(MEMCACHED_WORD)
        prefix += word
        if len(name) < _SID_BYTES or prefix in self._learned or prefix.startswith(self._declared):
            return
        if len(self._learned) < _LEARNED_MAX:
            self._learned.add(prefix)
            self._log(PREFIX_LEARNED(prefix=prefix.decode(errors="replace")))

    def covers(self, lock: bytes) -> bool:
        """Tell whether php-memcached has been seen to lock sessions under such a name."""
        if not self._learned:  # the usual case, and this is asked for each quiet delete
            return False
        prefix, word, name = lock.rpartition(MEMCACHED_WORD)
        return prefix + word in self._learned and len(name) >= _SID_BYTES
