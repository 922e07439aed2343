"""Clients that lock pages as Django's and Laravel's stampede locks do, and jobs as the class Memcache does.

Their locks have the names and the flags of the locks of PHP's sessions, their pages have few values, so that
equal writes follow each other at different nodes, and each of their commands is checked. They are in the
simulator beside PHP workers, for whose sake no command of theirs may mean anything but what memcached makes
of it.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs

from tests.simulation.codecs import STORING, TEXT, Tongue

#: A page and its lock, named in the way of either PHP extension.
KEYS: Final = (b"page", b"page.lock", b"site:page", b"site:lock.page")

_PAGE_VERBS: Final = ("set", "set", "set", "get", "delete", "add")
_LOCK_VERBS: Final = ("add", "add", "add", "delete", "delete", "get", "set", "replace")


@attrs.frozen
class Plain:
    """What one of them sends: the verb, the key, the value, and all of it as it is spelled."""

    verb: str
    key: bytes
    value: bytes
    line: bytes

    @classmethod
    def draw(cls, rng: Random, tongue: Tongue) -> Plain:
        """Some command; the values last longer than any run."""
        key = rng.choice(KEYS)
        locks = b"lock" in key
        verb = rng.choice(_LOCK_VERBS if locks else _PAGE_VERBS)
        value = (
            (rng.choice([b"1", b"1", b"0"]) if locks else rng.choice([b"on", b"off"]))
            if verb in STORING
            else b""
        )
        if tongue is TEXT and value:
            flags = rng.choice([0, 0, 768])
            line = b"%b %b %d 300 %d\r\n%b\r\n" % (verb.encode(), key, flags, len(value), value)
        else:
            line = tongue.spell(verb, key, value, 0, tongue is not TEXT and rng.random() < 0.3)
        return cls(verb, key, value, line)
