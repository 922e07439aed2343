"""TLS for clients: the handshake, and then a socket that looks like any other.

The reactor serves these sockets, too, so nothing here may wait. A client first stands in the anteroom: each
time its socket is ready the handshake goes on a step. When it is done the client gets a `TlsSocket`, which has
what `clients.Client` needs of a socket; the node never hears of those who fail. Without TLS all this is absent.

OpenSSL decrypts record by record and keeps what was not asked for, where no epoll sees it. So whole records are
asked for, always: what is left then lies in the kernel.

A step of a handshake may cost a signature, a millisecond or more. A crowd of them in one turn would keep
heartbeats waiting until the others believed this node to be gone; so a turn makes a few, and the next goes on.

A client that speaks no TLS is closed without a word: an error line could pass for "no such session" with PHP.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

from memrep.addresses import plain_host
from memrep.daemon.guard import guarded, hang_up, in_words
from memrep.daemon.pending_handshakes import PendingHandshakes
from memrep.daemon.reactor import READ, WRITE, Reactor
from memrep.events import CLIENT_TURNED_AWAY, Tell
from memrep.log_limit import RateLimitedLog

#: The most that one record carries (RFC 8446, 5.1).
_RECORD_BYTES: Final = 1 << 14

#: What a TLS client's first record begins with: a handshake (RFC 8446, 5.1).
_FIRST_BYTE: Final = b"\x16"

_STEPS_A_TURN: Final = 4
_HANDSHAKES_MAX: Final = 128
_HANDSHAKE_S: Final = 5.0


class TlsSocket:
    """A client's socket, once its handshake is done.

    It raises what a plain socket raises: `BlockingIOError` for "not now", another `OSError` for "broken".
    """

    __slots__ = ("_read", "_sock", "_write", "fileno", "getpeername", "getsockname", "getsockopt", "setsockopt")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._read = sock.read
        self._write = sock.send
        self.fileno = sock.fileno
        self.getpeername = sock.getpeername
        self.getsockname = sock.getsockname
        self.getsockopt = sock.getsockopt
        self.setsockopt = sock.setsockopt

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what came, decrypted, about so much at most; with flags, the bytes as they came (MSG_PEEK)."""
        if flags:
            return socket.socket.recv(self._sock, size, flags)
        try:
            data = self._read(_RECORD_BYTES)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        if len(data) < _RECORD_BYTES:
            return data
        records = [data]
        with suppress(ssl.SSLWantReadError):
            while len(data) == _RECORD_BYTES and len(records) * _RECORD_BYTES < size:
                data = self._read(_RECORD_BYTES)
                records.append(data)
        return b"".join(records)

    def send(self, data: bytes) -> int:
        """Send these bytes. If they could not all go now they must come again, with more behind them or not."""
        try:
            return self._write(data)
        except ssl.SSLWantWriteError:  # OpenSSL knows how far it has come with them
            raise BlockingIOError from None

    def farewell(self) -> socket.socket:
        """Say that this is the end, or the client could not tell it from a cut; return the bare socket."""
        with suppress(OSError, ValueError):
            self._sock.unwrap()
        return self._sock

    def close(self) -> None:
        """Hang up at once."""
        hang_up(self.farewell())


class _Handshake:
    """One client that has not finished its handshake."""

    def __init__(self, door: TlsDoor, reactor: Reactor, sock: ssl.SSLSocket, host: str) -> None:
        self.host = host
        self._door = door
        self._reactor = reactor
        self._sock = sock
        self._events = READ
        self._begun = False
        reactor.register(sock.fileno(), self, READ)

    @guarded
    def ready(self, events: int) -> None:
        """Go on as far as it goes."""
        try:
            if not self._begun and not self._begins():
                return
            if not self._door.may_step(self._reactor.turns):
                return
            self._sock.do_handshake()
        except (ssl.SSLWantReadError, BlockingIOError, InterruptedError):
            self._wait(READ)
        except ssl.SSLWantWriteError:
            self._wait(WRITE)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            self.close("")
        except OSError as error:
            self.close(f"TLS failed, {_reason(error)}")
        else:
            self._reactor.unregister(self._sock.fileno())
            self._door.pass_on(self, TlsSocket(self._sock))

    def _begins(self) -> bool:
        first = socket.socket.recv(self._sock, 1, socket.MSG_PEEK)
        self._begun = first == _FIRST_BYTE
        if not self._begun:
            plain = "it speaks no TLS (--tls-cert); set TLS up there, or let it use a tunnel or the unix socket"
            self.close(plain if first else "")
        return self._begun

    def _wait(self, events: int) -> None:
        if events != self._events:
            self._events = events
            self._reactor.modify(self._sock.fileno(), events)

    def close(self, reason: str) -> None:
        """Hang up; a reason is for the log."""
        self._reactor.unregister(self._sock.fileno())
        hang_up(self._sock)
        self._door.turn_away(self, reason)

    def broken(self, error: OSError) -> None:
        """Hang up, for a system call has failed."""
        self.close(in_words(error))


class TlsDoor:
    """Where clients show that they speak TLS.

    Args:
        context: the certificate, and what is demanded of clients.
        admit: takes a client whose handshake is done, and the address that it comes from.
        log: takes a line for the operator.

    Attributes:
        context: what is shown to and demanded of those who come from now on.
    """

    def __init__(self, context: ssl.SSLContext, admit: Callable[[TlsSocket, str], None], log: Tell) -> None:
        self.context = context
        self._admit = admit
        self._limited_log = RateLimitedLog(log)
        self._anteroom: PendingHandshakes[_Handshake] = PendingHandshakes(_HANDSHAKES_MAX, _HANDSHAKE_S)
        self._turn = 0
        self._steps = 0

    def __len__(self) -> int:
        """Return how many are at it."""
        return len(self._anteroom)

    def receive(self, reactor: Reactor, sock: socket.socket, host: str) -> None:
        """Take a client that has connected; the socket is this door's from now on.

        Raises:
            OSError: the system has no room for it.
        """
        try:
            tls = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:  # it has hung up already
            hang_up(sock)
            return
        try:
            handshake = _Handshake(self, reactor, tls, host)
        except OSError:
            hang_up(tls)
            raise
        crowded_out = self._anteroom.enter(handshake, host, monotonic())
        if crowded_out is not None:
            crowded_out.close("")

    def may_step(self, turn: int) -> bool:
        """Tell whether there is time for another step in this turn; if not, the next turn asks again."""
        if turn != self._turn:
            self._turn, self._steps = turn, 0
        self._steps += 1
        return self._steps <= _STEPS_A_TURN

    def pass_on(self, handshake: _Handshake, sock: TlsSocket) -> None:
        """Admit a client whose handshake is done."""
        self._anteroom.leave(handshake)
        self._admit(sock, handshake.host)

    def turn_away(self, handshake: _Handshake, reason: str) -> None:
        """Forget a client that was closed; log the reason, if there is one."""
        self._anteroom.leave(handshake)
        if reason:
            host = plain_host(handshake.host)
            self._limited_log.about(handshake.host, CLIENT_TURNED_AWAY(host=host, reason=reason))

    def tick(self) -> None:
        """Close those who take too long."""
        for handshake in self._anteroom.overdue(monotonic()):
            handshake.close(f"no TLS handshake in {_HANDSHAKE_S:g} s")

    def close_all(self) -> None:
        """Close all clients that are at it."""
        for handshake in self._anteroom.all():
            handshake.close("")


def _reason(error: OSError) -> str:
    """Tell why a handshake failed, in words."""
    known = {
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate, and --tls-ca demands one",
        "UNSUPPORTED_PROTOCOL": "its TLS is older than 1.2",
    }
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "no reason given"
        return known.get(reason, reason.lower().replace("_", " "))
    return str(error.strerror)
