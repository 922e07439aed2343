"""The disk: whether the data directory can be written, and has room for all that a node may hold.

A node serves on without a disk, and says so; but then it is late, for a power cut asks no questions. Whose the
directory is cannot be judged here: who looks at the machine is root as a rule, and the node is not.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from memrep.doctor.finding import Finding

_SUBJECT: Final = "disk"

_MB: Final = 1 << 20

#: The copy takes at most so many times what the items have in bytes (disk/file.py).
_SHARE: Final = 2.5


def disk(path: str, memory: int) -> Finding:
    """Tell whether a copy of so many bytes of items can be kept in this directory.

    Args:
        path: the data directory (`--data-dir`).
        memory: what the node has for items, bytes.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        advice = f"`install -d -m 700 -o memrep {path}`; the unit's StateDirectory= does it, too"
        return Finding(_SUBJECT, "warning", f"{path}: {error.strerror}", advice)
    if not stat.S_ISDIR(status.st_mode):
        return Finding(_SUBJECT, "wrong", f"{path} is no directory", "give one as `data_dir`")
    if not os.access(path, os.W_OK):
        return Finding(
            _SUBJECT, "wrong", f"{path} cannot be written", "mount it for writing, or give another one"
        )
    room = os.statvfs(path)
    free, needed = room.f_bavail * room.f_frsize, round(_SHARE * memory)
    text = (
        f"{path} has {free // _MB:,} MB of room, {needed // _MB:,} are needed for {memory // _MB:,} MB of items"
    )
    if free < needed:
        return Finding(_SUBJECT, "warning", text, "make room there, or lower `memory`")
    return Finding(_SUBJECT, "ok", text)
