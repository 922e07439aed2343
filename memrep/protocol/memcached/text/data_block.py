"""Data blocks of the text protocol: how long one may be, and where it ends.

protocol.txt, "Storage commands".
"""

from __future__ import annotations

from typing import Final

#: A line that tells of as many bytes or more is none of a storage command's.
VALUE_MAX: Final = (1 << 31) - 3

BAD_CHUNK: Final = b"CLIENT_ERROR bad data chunk\r\n"
LARGE: Final = b"SERVER_ERROR object too large for cache\r\n"


def end_of_block(data: bytes, end: int) -> int:
    """Find where the next command begins if a data block ends at `end`.

    Returns:
        That; minus the number of bytes that are missing; or 0 if something else stands where the block should
        end.
    """
    size = len(data)
    if end >= size:
        return size - 1 - end
    if data[end] == 10:  # a lone LF, as nc sends it
        return end + 1
    if end + 1 == size:
        return -1
    return end + 2 if data[end] == 13 and data[end + 1] == 10 else 0
