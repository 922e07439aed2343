"""Which of PHP's habits are provided for, and which keys are PHP's: a lock has its session's name in it.

pecl-memcache locks SID by SID.lock. php-memcached locks PREFIXSID by PREFIXlock.SID, with the prefix
`memc.sess.key.` unless configured otherwise.
"""

from __future__ import annotations

import attrs

from memrep.php.lock_names import MEMCACHED_WORD, PECL_SUFFIX, names_pecl_lock


@attrs.frozen(kw_only=True)
class PhpOptions:
    """Which of PHP's habits are provided for.

    Attributes:
        on: any at all.
        prefixes: how keys begin that php-memcached takes locks under.
    """

    on: bool = True
    prefixes: tuple[bytes, ...] = (b"memc.sess.key.lock.",)

    def names_lock(self, key: bytes) -> bool:
        """Tell whether a PHP lock could have this name. What is there may change until a command is decided."""
        return names_pecl_lock(key) or key.startswith(self.prefixes)

    def is_memcacheds(self, session: bytes) -> bool:
        """Tell whether php-memcached would give a session this name."""
        return any(session.startswith(prefix.removesuffix(MEMCACHED_WORD)) for prefix in self.prefixes)

    def lock_of(self, session: bytes) -> bytes:
        """Return the key of the lock for this session."""
        for prefix in self.prefixes:
            common = prefix.removesuffix(MEMCACHED_WORD)
            if session.startswith(common):
                return prefix + session[len(common) :]
        return session + PECL_SUFFIX

    def session_of(self, lock: bytes) -> bytes:
        """Return the key of the session that the lock of this name is for."""
        for prefix in self.prefixes:
            if lock.startswith(prefix):
                return prefix.removesuffix(MEMCACHED_WORD) + lock[len(prefix) :]
        return lock.removesuffix(PECL_SUFFIX)
