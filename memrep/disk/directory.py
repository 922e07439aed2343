"""The data directory: a place that is this node's alone.

What lies in it is as good as every session, so nobody else may come near it; and two processes that write one
file would make it worthless. So the directory has to be ours, and closed to others, and is locked as long as
the process lasts. The lock is the kernel's: it is gone with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

from memrep.errors import AbsentError, UsageError

_LOCK: Final = "lock"
_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class Directory:
    """A data directory that this process has locked.

    Args:
        path: where it is; it is made if it is not there, in a directory that is.

    Raises:
        UsageError: it is not ours, open to others, or cannot be had.
        AbsentError: another process has it.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            self._look()
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise UsageError(
                f"--data-dir {path}: {error.strerror}; give a directory that memrep's user may write"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise AbsentError(
                f"--data-dir {path}: another memrep uses it; stop that one, or give each a directory of its own"
            ) from None

    def _look(self) -> None:
        path = self.path
        path.mkdir(_MODE, exist_ok=True)
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"--data-dir {path}: it belongs to user {status.st_uid}, memrep runs as {os.geteuid()}; "
                f"`chown -R {os.geteuid()} {path}`, or give another one"
            )
        if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(
                f"--data-dir {path}: others may look into it, where all sessions will be; `chmod 700 {path}`"
            )

    def set_aside(self, names: tuple[str, ...]) -> str:
        """Rename these files, by the time at which it is done; return the new name of the first.

        Raises:
            OSError: it cannot be done.
        """
        mark = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        for name in names:
            if (self.path / name).exists():
                (self.path / name).rename(self.path / f"{name}.broken-{mark}")
        return f"{names[0]}.broken-{mark}"

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)
