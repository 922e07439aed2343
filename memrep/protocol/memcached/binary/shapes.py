"""What a header of the binary protocol must say of the lengths of its packet (protocol-binary.txt).

A packet is judged by its header alone, before its body is waited for.
"""

from __future__ import annotations

from typing import Final

import attrs

from memrep.protocol.memcached.binary import packet

#: A body above this size (bytes) is no login and no name of statistics.
BODY_MAX: Final = 1 << 16


@attrs.frozen
class Shape:
    """What a command's header must say.

    Attributes:
        extras: the lengths that its extras may have.
        key: whether it has a key; None if it may.
        value: whether it may have a value.
    """

    extras: tuple[int, ...] = (0,)
    key: bool | None = True
    value: bool = False

    def fits(self, extras: int, key: int, value: int) -> bool:
        """Tell whether these lengths are right."""
        return (
            extras in self.extras and (self.key is None or self.key == (key > 0)) and (self.value or value == 0)
        )


_BARE: Final = Shape(key=False)
_KEY: Final = Shape()
_STORE: Final = Shape(extras=(8,), value=True)
_COUNT: Final = Shape(extras=(20,))
_TOUCHING: Final = Shape(extras=(4,), value=True)

SHAPES: Final = {
    packet.GET: _KEY, packet.GETK: _KEY, packet.DELETE: _KEY,
    packet.SET: _STORE, packet.ADD: _STORE, packet.REPLACE: _STORE,
    packet.APPEND: Shape(value=True), packet.PREPEND: Shape(value=True),
    packet.INCR: _COUNT, packet.DECR: _COUNT,
    packet.TOUCH: _TOUCHING, packet.GAT: _TOUCHING, packet.GATK: _TOUCHING,
    packet.QUIT: _BARE, packet.NOOP: _BARE, packet.VERSION: _BARE,
    packet.FLUSH: Shape(extras=(0, 4), key=False),
    packet.STAT: Shape(key=None, value=True),
    packet.SASL_LIST: _BARE, packet.SASL_AUTH: Shape(value=True), packet.SASL_STEP: Shape(value=True),
}  # fmt: skip
