"""What Python's garbage collector would walk through, and a node would wait for, when it looks for cycles."""

from __future__ import annotations

import gc


def walked(prefix: bytes, more_than: int = 1_000) -> list[type]:
    """The kinds of containers that it tracks and in which more than so many keys with this prefix stand.

    It is run first: what it leaves alone from then on (tuples of bytes) costs one look.
    """

    def keys(thing: object) -> int:
        return sum(type(key) is bytes and key.startswith(prefix) for key in gc.get_referents(thing))

    gc.collect()
    return [type(thing) for thing in gc.get_objects() if keys(thing) > more_than]
