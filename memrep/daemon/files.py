"""Small files, read whole.

Problem: where a read would block, Python returns None instead of raising (io.RawIOBase.read), which nobody
looks for: what is then done with it ends in a TypeError or an AttributeError. Here that is an error of the
operating system like any other.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


def read_file(path: Path, most: int = -1) -> bytes:
    """Return what is in this file.

    Args:
        path: the file.
        most: how many bytes of it at most; -1 for all.

    Raises:
        OSError: it cannot be read now.
    """
    with path.open("rb") as file:
        data: bytes | None = file.read(most)
    if data is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
    return data
