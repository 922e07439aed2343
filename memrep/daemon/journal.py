"""Whether systemd's journal reads what is written.

JOURNAL_STREAM in the environment names the journal's stream, but would be inherited by whoever writes elsewhere
(systemd.exec(5)). So the kernel is asked whether it is that stream.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

#: Standard error.
STDERR: Final = 2


def is_journal(fd: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether what is written there goes to systemd's journal."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
