"""Parting from a client without emptying its session: say goodbye, listen until it has heard, then close.

Problem: whoever closes a socket at which something arrives a moment later answers with a reset. php-memcached,
waiting for a session, takes an end of the connection for a failure, and a reset too; but an end with a reset
right behind it, before it has looked, it takes for "no such session" (libmemcached 1.1 finds EPIPE and stops
thinking). PHP then begins an empty session and writes it over the good one.

phpredis 5 has another trap: where the end is there before it looks for the reply to what it has just sent, it
connects anew and waits for a reply that nobody owes, for its whole timeout. So with Redis' clients the goodbye
is held back until nothing has come from them for a few ms. Clients of a Redis Cluster are moreover told in a
word that what they have said, or say in these few ms, is not answered (protocol/farewell.py).

So this node never resets: it ends its own direction, reads on and throws away, until the client has ended, too.
That is bounded, in time, in bytes and in number; who is over a bound is closed as ever.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from memrep.daemon.reactor import READ, Reactor
from memrep.daemon.tls import TlsSocket
from memrep.protocol.farewell import Farewell

_PATIENCE_S: Final = 1.0
_BYTES_MAX: Final = 1 << 22
_MANY: Final = 64
_RECEIVE_BYTES: Final = 1 << 16


class LingeringClose:
    """The sockets of clients to whom goodbye has been said."""

    def __init__(self) -> None:
        self._left: dict[_Parting, float] = {}  # in the order of their deadlines

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._left)

    def begin(
        self,
        sock: socket.socket | TlsSocket,
        reactor: Reactor,
        farewell: Farewell,
        quiet_since: float | None = None,
    ) -> None:
        """Part from the client of this socket, which nothing else uses any more.

        Args:
            sock: the socket.
            reactor: tells when something comes.
            farewell: what is said, and when.
            quiet_since: since when nothing has come from it, on the monotonic clock, s; since now if None.
        """
        now = time.monotonic()
        parting = _Parting(self, sock, reactor, farewell, now if quiet_since is None else quiet_since)
        try:
            parting.begin()
            reactor.register(sock.fileno(), parting, READ)
        except OSError:
            with suppress(OSError):
                sock.close()
            return
        if len(self._left) >= _MANY:
            next(iter(self._left)).close()
        self._left[parting] = now + _PATIENCE_S
        parting.say_goodbye(now)

    def sweep(self) -> None:
        """Say goodbye to those to whom it has been held back; close those that have not ended in time."""
        now = time.monotonic()
        for parting in list(self._left):
            parting.say_goodbye(now)
        for parting in list(self._late(now)):
            parting.close()

    def close(self) -> None:
        """Close all."""
        for parting in list(self._left):
            parting.close()

    def forget(self, parting: _Parting) -> None:
        """Forget a socket that is closed."""
        self._left.pop(parting, None)

    def _late(self, now: float) -> Iterator[_Parting]:
        for parting, deadline in self._left.items():
            if deadline > now:
                return
            yield parting


class _Parting:
    """One socket on which nothing but the farewell is said any more."""

    __slots__ = ("_budget", "_due", "_hold_s", "_partings", "_quiet_since", "_reactor", "_sock", "_word")

    def __init__(
        self,
        partings: LingeringClose,
        sock: socket.socket | TlsSocket,
        reactor: Reactor,
        farewell: Farewell,
        quiet_since: float,
    ) -> None:
        self._hold_s = farewell.hold_s
        self._word = farewell.word  # until it is said; only one reply can be the next
        self._due = farewell.due
        self._quiet_since: float | None = quiet_since  # None once goodbye is said
        self._partings = partings
        self._sock = sock
        self._reactor = reactor
        self._budget = _BYTES_MAX

    def begin(self) -> None:
        """Say what can be said at once.

        Raises:
            OSError: the connection is broken.
        """
        if self._due:
            self._say_word()
        if not self._hold_s:
            self._end()

    def ready(self, events: int) -> None:
        """Throw away what came; close after the end."""
        data = b""
        with suppress(OSError, ValueError):  # what TLS makes of an end is no error of the system's
            try:
                data = self._sock.recv(_RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                return
        self._budget -= len(data)
        if not data or self._budget < 0:
            self.close()
        elif self._quiet_since is not None:
            self._quiet_since = time.monotonic()
            try:
                self._say_word()
            except OSError:
                self.close()

    def say_goodbye(self, now: float) -> None:
        """End this node's direction, if that is held back and long enough nothing has come."""
        if self._has_been_quiet(now):
            self.ready(0)  # something may have come that nobody has had the time to notice
            if self._has_been_quiet(now) and self._sock.fileno() >= 0:
                try:
                    self._end()
                except OSError:
                    self.close()

    def close(self) -> None:
        """Give the socket up."""
        self._reactor.unregister(self._sock.fileno())
        with suppress(OSError):
            self._sock.close()
        self._partings.forget(self)
        self._reactor.spent()  # for the reactor, which sees it then

    def _has_been_quiet(self, now: float) -> bool:
        return self._quiet_since is not None and now - self._quiet_since >= self._hold_s

    def _say_word(self) -> None:
        word, self._word = self._word, b""
        if word:
            self._sock.send(word)

    def _end(self) -> None:
        self._quiet_since = None
        if isinstance(self._sock, TlsSocket):
            self._sock = self._sock.farewell()
        self._sock.shutdown(socket.SHUT_WR)
