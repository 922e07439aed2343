"""Data blocks of the text protocol: where one ends, if it does (protocol.txt, "Storage commands")."""

from __future__ import annotations


def end_of_block(data: bytes, end: int) -> int:
    """Where the next command begins if a data block ends at `end`.

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
