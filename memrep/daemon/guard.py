"""Guards: what an error of the operating system may cost, and what the operator is told of it.

Any system call can fail, for reasons that are nobody's: no memory for a socket's buffers, no descriptor left, a
network that goes down. Nothing that a node does may hang on one of them. So what fails costs the smallest thing
that it belongs to, and there are four of those:

- a socket: a client or a link whose call fails is closed; it comes again. (`guarded`, below)
- a door: a listening socket that cannot accept rests until the next tick, so that it does not spin the loop.
- a task, a tick for example: what it was at is given up, and begun anew. (daemon.py)
- a turn, in which only the node itself can fail, which makes no system call at all: daemon.py says what then.

Each kind of trouble is told at most once a minute: on a machine in need the log must not become part of it.
"""

from __future__ import annotations

import errno
import functools
import time
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Final, Protocol, TypeVar

from memrep.events import TROUBLE, Event, Tell

_AGAIN_S: Final = 60.0


class Troubles:
    """What the operating system refuses, for the log.

    Args:
        log: takes a line for the operator.
    """

    def __init__(self, log: Tell) -> None:
        self._log = log
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def tell(self, kind: str, reason: object, event: Event = TROUBLE) -> None:
        """Tell the operator, unless that has been done within the last minute.

        Args:
            kind: what was not possible; one of a few.
            reason: what the system says.
            event: as what it is told.
        """
        line = f"{kind}: {in_words(reason)}"
        now = time.monotonic()
        if now - self._told.get(line, -_AGAIN_S) < _AGAIN_S:
            self._untold[line] = self._untold.get(line, 0) + 1
            return
        self._told[line] = now
        count = self._untold.pop(line, 0)
        self._log(event(what=kind, reason=in_words(reason), more=count))


def in_words(reason: object) -> str:
    """Put into words what has gone wrong, for people."""
    if isinstance(reason, MemoryError):
        return "no memory"
    if isinstance(reason, OSError):
        return reason.strerror or str(reason) or repr(reason)
    return str(reason) if isinstance(reason, str) else repr(reason)


def remedy(error: OSError | MemoryError) -> str:
    """Tell what an operator can do about an error at the start."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno
    return _REMEDIES.get(number or 0, "`dmesg` and the limits of its service (systemctl show) may say why")


_REMEDIES: Final = {
    errno.EMFILE: "raise LimitNOFILE= (systemd) or `ulimit -n`",
    errno.ENFILE: "the machine's descriptors are used up: raise fs.file-max (sysctl)",
    errno.ENOMEM: "free memory, or raise MemoryMax= (systemd) or `ulimit -v`",
    errno.ENOBUFS: "free memory: the kernel has none for sockets",
    errno.EAGAIN: "raise TasksMax= (systemd) or `ulimit -u`",
    errno.ENOSPC: "raise fs.epoll.max_user_watches (sysctl)",
    errno.EPERM: "its service may not do that: see SystemCallFilter=, RestrictAddressFamilies= (systemd)",
    errno.EACCES: "its user may not do that: see the owner and mode of its files",
}


class Breakable(Protocol):
    """Somebody with a socket."""

    def broken(self, error: OSError) -> None:
        """Do without the socket, on which a system call has failed."""


_Owner = TypeVar("_Owner", bound=Breakable)


def guarded(ready: Callable[[_Owner, int], None]) -> Callable[[_Owner, int], None]:
    """Let an error of the operating system cost the socket's owner only."""

    @functools.wraps(ready)
    def call(self: _Owner, events: int) -> None:
        try:
            ready(self, events)
        except OSError as error:
            self.broken(error)

    return call


def hang_up(sock: socket) -> None:
    """Close a socket. What the kernel has to say to that (close(2)) changes nothing: it is closed."""
    with suppress(OSError):
        sock.close()
