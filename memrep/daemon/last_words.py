"""What a command says of its failure, on standard error; to systemd's journal it is said to be an error."""

from __future__ import annotations

import os
from contextlib import suppress

from memrep.daemon.journal import STDERR, is_journal
from memrep.events import Level


def say(line: str) -> None:
    """Write the last words of a program that exits; whoever cannot take them misses them."""
    with suppress(OSError):
        priority = f"<{Level.ERROR}>" if is_journal(STDERR) else ""
        os.write(STDERR, f"{priority}{line}\n".encode(errors="backslashreplace"))
