"""What systemd is told of a node: that it is ready, that it stops, what it is at, and that it is not stuck.

The protocol (sd_notify(3)) is one datagram to a unix socket, which needs no library. A datagram holds lines
NAME=VALUE. Where systemd cannot take one now it is told at the next tick: of each name the latest value counts,
so a READY=1 that could not be told is not lost behind a STATUS= that came later.

A unit bounds how long a start may take (TimeoutStartSec=). A node whose loop turns and that is not ready
fetches what it lacks or waits for others, for as long as that takes, and asks for more time again and again
(EXTEND_TIMEOUT_USEC=). One that hangs does not.

A unit with WatchdogSec= wants WATCHDOG=1 within that time, or the process is killed and started anew. It comes
from the node's own tick: if it does not come, the loop that serves clients stands still.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

#: Between two changes of STATUS=, seconds: it is for people.
_STATUS_S: Final = 1.0

#: While a node is not ready it asks so often, seconds, for twice as much time.
_EXTEND_S: Final = 60.0


class Notifier:
    """What systemd is told, if it wants to know.

    Args:
        now: the monotonic clock, seconds.
    """

    def __init__(self, now: float) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._untold: dict[str, str] = {}
        self._status = ""
        self._status_due = now
        self._extend_due = now
        self._watchdog_s = _watchdog_s()
        self._watchdog_due = now

    @property
    def wanted(self) -> bool:
        """Tell whether anybody wants to know."""
        return bool(self._address)

    def tell(self, **lines: str) -> None:
        """Tell systemd; a STATUS among them at once."""
        if self._address:
            if "READY" in lines:  # what was never told to have begun need not be told to have ended
                self._untold.pop("RELOADING", None)
            self._untold |= lines
            self._status = lines.get("STATUS", self._status)
            self._send()

    def tick(self, now: float, status: str = "", *, starting: bool = False) -> None:
        """Tell what is due, and what could not be told yet.

        Args:
            now: the monotonic clock, seconds.
            status: what the node is at, in a line for people; "" if that is as before.
            starting: whether it is not ready yet, though nothing is wrong with it.
        """
        if not self._address:
            return
        if status and status != self._status and now >= self._status_due:
            self._status = self._untold["STATUS"] = status
            self._status_due = now + _STATUS_S
        if starting and now >= self._extend_due:
            self._untold["EXTEND_TIMEOUT_USEC"] = str(round(2 * _EXTEND_S * 1_000_000))
            self._extend_due = now + _EXTEND_S
        if self._watchdog_s and now >= self._watchdog_due:
            self._untold["WATCHDOG"] = "1"
            self._watchdog_due = now + self._watchdog_s / 3
        if self._untold:
            self._send()

    def _send(self) -> None:
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            return
        try:
            lines = (f"{name}={' '.join(value.split())}" for name, value in self._untold.items())
            sock.sendto("\n".join(lines).encode(errors="replace"), self._address)
            self._untold.clear()
        except OSError:
            return
        finally:
            with suppress(OSError):
                sock.close()


def _watchdog_s() -> float:
    """Return within how many seconds systemd wants a sign of life of this process; 0 if it wants none."""
    wanted, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or pid not in ("", str(os.getpid())):
        return 0
    return int(wanted) / 1_000_000
