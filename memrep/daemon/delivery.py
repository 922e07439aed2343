"""Delivery: whether an answer has reached the machine of the client that it was for.

Problem: a node that is cut off takes writes for clients who were waiting when the cut began. Its kernel would
send them the answer again and again, and deliver it when the cut heals, though the others have gone on without
it. So it has to be known which answers have arrived, and the other connections have to be broken before the
kernel sends for a second time.

TCP knows: a machine that is there acknowledges within a round trip and the delay of an acknowledgement. What a
client's program has made of the answer nobody can tell.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from memrep.daemon.tls import TlsSocket

#: How long a client's machine may leave an answer unacknowledged, ms, beside the round trip: longer than an
#: acknowledgement is delayed (40), shorter than the kernel waits before it sends again (200).
_DEAF_MS: Final = 75

#: Of tcp(7)'s TCP_INFO: packets in flight, ms since the last one was sent, ms since the last acknowledgement,
#: and the round trip as it was measured, microseconds.
_TCP_INFO: Final = struct.Struct("=24xI16xI8xI8xI")

#: SO_LINGER: close with a reset, and throw away what has not been sent.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


def acknowledged(sock: socket.socket | TlsSocket, within_ms: int) -> bool | None:
    """Tell whether the other machine has acknowledged all that was sent within the last so many ms.

    Returns:
        None if nothing was sent in that time, or if the acknowledgement may still come.

    Raises:
        OSError: the connection is broken.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    in_flight, since_sent, since_heard, round_trip_us = _TCP_INFO.unpack(info)
    if in_flight:
        return False if min(since_sent, since_heard) >= _DEAF_MS + round_trip_us // 1_000 else None
    return True if since_sent < within_ms else None


def withhold(sock: socket.socket | TlsSocket) -> None:
    """Let the kernel throw away what has not arrived as soon as this socket is closed.

    Raises:
        OSError: the connection is broken.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
