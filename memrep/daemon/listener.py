"""Listeners: bound addresses that listen and refuse when told to, whatever has become of the address.

Problem: a node that holds less than everything must refuse, and nothing refuses like a port on which nobody
listens. The port must stay bound all the same, or somebody else could have it. To close it and bind it again
takes more than a running node can count on: its name may not resolve any more, or only after seconds; its
address may have left the machine; the folder of the unix socket may be gone.

So a port is bound once, and kept as long as the node serves: `shutdown` on a listening socket ends the
listening, resets those who wait to be accepted, and leaves it bound; `listen` begins anew. A unix socket cannot
do that. It is closed, which leaves its file, and a file at which nobody listens refuses; it is made anew when
the node serves again.

That resets, too, whoever connects between the last one accepted and the `shutdown`, and who is in the midst of
TCP's handshake then: connected, and sure to be served. Its request fails, though nothing is wrong. So a door
that is to serve those who have come refuses all others first, and is shut a little later. That gives its port
up, and is for a node that ends; should another one take its place in the process, it binds the port anew.

Should the system refuse to listen, the door stays shut and the operator is told why; it is tried again at each
tick.
A door that cannot accept for want of memory or descriptors rests until the next tick: the loop would spin, for
who waits to be accepted stays there.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from memrep.daemon.guard import Troubles, guarded, hang_up
from memrep.daemon.reactor import READ, Reactor

_BACKLOG: Final = 1024
_ACCEPTS_A_TURN: Final = 64

# From <asm-generic/socket.h>, which Python's socket does not name; and an interface that no machine has.
_SO_BINDTOIFINDEX: Final = 62
_NO_INTERFACE: Final = 0x7FFFFFFF

#: What accept(2) says of the one who has come; the next may come all the same.
_HIS_OWN: Final = frozenset(
    [
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.EPERM,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.ETIMEDOUT,
    ]
)


class Listener:
    """A bound address.

    Args:
        family: of the address.
        address: where they come in: a path, or an address with its port.

    Raises:
        OSError: the address cannot be had.

    Attributes:
        sock: the bound socket; None while the address is not held.
    """

    def __init__(self, family: int, address: str | tuple[Any, ...]) -> None:
        self.family = family
        self._is_path = family == socket.AF_UNIX
        self._is_spent = False  # it refuses for good
        self._address: Any = address
        self.sock: socket.socket | None = self._bind()
        if not self._is_path:
            self._address = self.sock.getsockname()

    def __str__(self) -> str:
        """Spell the address as an operator writes it."""
        if self._is_path:
            return str(self._address)
        host, port = self._address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def listen(self) -> socket.socket:
        """Accept connections from now on.

        Raises:
            OSError: not possible now; it may be later.
        """
        if self._is_spent:
            self.shut()
        if self.sock is None:
            self.sock = self._bind()
            self._is_spent = False
        self.sock.listen(_BACKLOG)
        return self.sock

    def refuse_more(self) -> None:
        """Refuse whoever comes from now on, but keep those who have come: they can still be accepted.

        A port is bound to a network interface that does not exist. Of what arrives only that which begins a
        connection is compared with it. Linux does not ask whether the interface is there (sock_bindtoindex),
        and does not let the port go from it again, so that it is bound anew for `listen`.
        """
        if self.sock is not None:
            with suppress(OSError):  # a kernel older than 5.7, unless root asks: all come in until it is shut
                if self._is_path:
                    self.sock.shutdown(socket.SHUT_RD)
                else:
                    self.sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
                self._is_spent = True

    def shut(self) -> None:
        """Refuse connections from now on, but keep the address, unless it has been spent by `refuse_more`."""
        if self.sock is None:
            return
        if not (self._is_path or self._is_spent):
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
                return
        hang_up(self.sock)
        self.sock = None

    def close(self) -> None:
        """Give the address up."""
        if self.sock is not None:
            hang_up(self.sock)
            self.sock = None
        if self._is_path:
            with suppress(OSError):
                _remove_socket(Path(self._address))

    def _bind(self) -> socket.socket:
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if self._is_path:
                _remove_socket(Path(self._address))
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(self._address)
        except OSError:
            hang_up(sock)
            raise
        return sock


def close_all(listeners: Iterable[Listener]) -> None:
    """Give these addresses up."""
    for listener in listeners:
        listener.close()


#: Takes a socket, and the host and port of its other end.
Take = Callable[[socket.socket, str, int], None]


class Door:
    """A listener in the epoll.

    Args:
        whose: who comes in here, and where, for the log.
        listener: it may be listening already.
        receive: takes a socket, and the host and port of its other end ("" and 0 on a unix socket).
        make_room: gives back a descriptor, if it can.
        troubles: where it says what the system refuses.

    Attributes:
        receive: as given.
    """

    def __init__(
        self,
        whose: str,
        listener: Listener,
        receive: Take,
        make_room: Callable[[], None],
        troubles: Troubles,
    ) -> None:
        self._whose = whose
        self._listener = listener
        self.receive = receive
        self._make_room = make_room
        self._troubles = troubles
        self._reactor: Reactor | None = None  # while it is to be open
        self._fd = -1  # in the epoll; -1 while it rests

    def open(self, reactor: Reactor) -> None:
        """Let them in from now on, or as soon as that is possible."""
        self._reactor = reactor
        self.tick()

    def refuse_more(self) -> None:
        """Let in those who have come already, and nobody else; who is at TCP's handshake comes in by `shut`."""
        self._rest()
        self._reactor = None
        self._listener.refuse_more()
        self._accept_all(self.receive)

    def shut(self, last: Take | None = None) -> None:
        """Let nobody in from now on.

        Args:
            last: takes those who have come already, however many there are; without it they are reset.
        """
        self._rest()
        self._reactor = None
        if last is not None:
            self._accept_all(last)
        self._listener.shut()

    def tick(self) -> None:
        """Open if it should be open and is not."""
        if self._reactor is None or self._fd >= 0:
            return
        try:
            fd = self._listener.listen().fileno()
            self._reactor.register(fd, self, READ)
            self._fd = fd
        except OSError as error:
            self._troubles.tell(f"cannot let in {self._whose}, tries again", error)

    @property
    def sock(self) -> socket.socket | None:
        """Return the socket that listens; None while none does."""
        return self._listener.sock if self._fd >= 0 else None

    def broken(self, error: OSError) -> None:
        """Tell that it cannot accept now, and rest until the next tick."""
        self._troubles.tell(f"cannot accept {self._whose}", error)
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self._make_room()
        self._rest()

    @guarded
    def ready(self, events: int) -> None:
        """Accept the connections that wait, as many as there is time for in this turn."""
        for _ in range(_ACCEPTS_A_TURN):
            if not self._accept(self.receive) or self._reactor is None or self._reactor.spent():
                return  # who is left comes in in the next turn

    def _accept_all(self, take: Take) -> None:
        for _ in range(_BACKLOG + 1):  # Linux keeps one more than it was asked for
            try:
                if not self._accept(take):
                    return
            except OSError as error:  # the others are reset
                if error.errno != errno.EINVAL:  # it does not listen
                    self._troubles.tell(f"cannot accept {self._whose}", error)
                return

    def _accept(self, take: Take) -> bool:
        """Accept one who waits, if somebody does, and tell whether.

        Raises:
            OSError: the system does not let anybody in now.
        """
        if self._listener.sock is None:
            return False
        try:
            sock, address = self._listener.sock.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in _HIS_OWN:
                return True
            raise
        host, port = address[:2] if isinstance(address, tuple) else ("", 0)
        try:
            sock.setblocking(False)
            take(sock, host, port)
        except OSError as error:
            hang_up(sock)
            self._troubles.tell(f"cannot serve {self._whose}", error)
        return True

    def _rest(self) -> None:
        if self._reactor is not None and self._fd >= 0:
            self._reactor.unregister(self._fd)
        self._fd = -1


def _remove_socket(path: Path) -> None:
    """Remove a socket that an earlier run has left; leave alone anything that is none."""
    if path.is_socket():
        path.unlink()
