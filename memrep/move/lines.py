"""What a database tells of its sessions, a line each: ID, TAB, the value as base64, TAB, its end (unixtime).

Any database's own client writes that, and memrep needs none of its own. Laravel's table has the value as
base64:

    mysql -NB site -e 'SELECT id, payload, last_activity + 7200 FROM sessions' | memrep import lines:- ...
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Iterator
from typing import Final

from memrep.errors import UsageError
from memrep.handlers.forms import ID
from memrep.handlers.item import Item, LeftOut
from memrep.move.pace import wall_s

#: How long a line may be: a session of 64 MiB.
_LINE_MAX: Final = 100 << 20

_BAD: Final = LeftOut("in lines that are not ID, TAB, base64, TAB, unixtime")
_ENDED: Final = LeftOut("at the end of their time", is_loss=False)


class Lines:
    """Sessions as lines.

    Args:
        path: of a file; "-" for standard input.

    Raises:
        UsageError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        try:
            self._file = os.fdopen(0 if path == "-" else os.open(path, os.O_RDONLY), "rb", closefd=path != "-")
        except OSError as error:
            raise UsageError(f"lines:{path}: {error.strerror}; name a file, or - for standard input") from None

    def count(self) -> int:
        """Tell that nobody knows."""
        return 0

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield what each line tells."""
        while line := self._file.readline(_LINE_MAX):
            yield _read(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read(line: bytes) -> Item | LeftOut:
    name, _, rest = line.rstrip(b"\r\n").partition(b"\t")
    text, _, ends = rest.partition(b"\t")
    try:
        value = binascii.a2b_base64(text, strict_mode=True)
        left_ms = round((float(ends) - wall_s()) * 1000)
    except (ValueError, OverflowError):
        return _BAD
    if not ID.fullmatch(name) or not value:
        return _BAD
    return Item(name, value, left_ms=left_ms) if left_ms > 0 else _ENDED
