"""A command as a client has said it, looked at before it is executed.

What a command means may show by what stands behind it: PHP's session handlers say several at once.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Said:
    """A command that has come whole.

    Attributes:
        verb: get, set, add, incr, delete; "" for any other.
        key: the key.
        flags: of what is to be stored.
        value: what is to be stored, or added.
        quiet: whether the client has asked for no answer.
    """

    verb: bytes
    key: bytes = b""
    flags: int = 0
    value: bytes = b""
    quiet: bool = False


#: Some other command, or nothing that would be waited for.
OTHER: Final = Said(b"")
