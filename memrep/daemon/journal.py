"""What the operator and systemd are told.

A log line goes to standard error; under systemd the journal adds the time, elsewhere it is put in front. The
notification protocol of systemd (sd_notify(3)) is one datagram to a unix socket, which needs no library.
"""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime


class Journal:
    """The log of one node.

    Args:
        name: put in front of each line, to tell several nodes in one terminal apart; may be empty.
    """

    def __init__(self, name: str = "") -> None:
        self._name = f"{name} " if name else ""
        self._timed = "JOURNAL_STREAM" not in os.environ

    def log(self, line: str) -> None:
        """Write one line."""
        now = datetime.now(UTC)
        time = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d} " if self._timed else ""
        print(f"{time}{self._name}{line}", file=sys.stderr, flush=True)


def notify(state: str) -> None:
    """Tell systemd, if it wants to know: "READY=1", "STOPPING=1", "STATUS=..." (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return
