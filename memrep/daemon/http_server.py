"""An HTTP server: a task for each client, and no more than 32 of them, at however many sockets.

Theory: it serves a handful of programs that look after the node, not the node's clients. So it may be built as
trio wants it, a task for each, which costs more a request than the reactor and nothing while nobody asks. With
8 KiB each (http_exchange.py) and their number bounded it cannot take the memory that items need, whoever asks
and however often.

One more is told at once that there is no room, rather than left to wait: it may be a probe whose patience is
shorter than that of those before it. So many are parted from like this at a time; whoever comes on top of them
is hung up on without a word.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

import trio

from memrep.daemon.guard import Troubles, hang_up
from memrep.daemon.host import BREATH_S
from memrep.daemon.http_exchange import SlowHandle, one_line, serve_http, turn_away

#: Clients at a time, and those who are turned away at a time.
CONNECTIONS_MAX: Final = 32

_NO_ROOM: Final = one_line(503, f"{CONNECTIONS_MAX} connections are open, which are the most; try again")


class HttpServer:
    """A server. Its sockets outlive it, for the next one.

    Args:
        where: what it is, for the log.
        sockets: they listen.
        handle: makes the answers.
        troubles: hears of what goes wrong.
    """

    def __init__(
        self, where: str, sockets: Sequence[socket.socket], handle: SlowHandle, troubles: Troubles
    ) -> None:
        self._where = where
        self._sockets = sockets
        self._handle = handle
        self._troubles = troubles

    async def serve(self) -> None:
        """Serve for ever.

        Raises:
            OSError: the system does not let it wait for clients now.
        """
        async with (
            trio.open_nursery() as clients,
            trio.open_nursery() as partings,
            trio.open_nursery() as doors,
        ):
            for listening in self._sockets:
                doors.start_soon(self._let_in, listening, clients, partings)

    async def _let_in(self, listening: socket.socket, clients: trio.Nursery, partings: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listening)
            try:
                self._accept(listening, clients, partings)
            except (BlockingIOError, InterruptedError):
                continue  # it has gone again
            except OSError as error:
                # It still waits there: without a rest this would turn as fast as it can.
                self._troubles.tell(f"cannot accept at {self._where}", error)
                await trio.sleep(BREATH_S)

    def _accept(self, listening: socket.socket, clients: trio.Nursery, partings: trio.Nursery) -> None:
        sock, _ = listening.accept()
        if len(partings.child_tasks) >= CONNECTIONS_MAX:
            hang_up(sock)
            return
        try:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        except OSError:
            hang_up(sock)
            raise
        if len(clients.child_tasks) < CONNECTIONS_MAX:
            clients.start_soon(serve_http, stream, self._handle, self._troubles.tell)
        else:
            partings.start_soon(turn_away, stream, _NO_ROOM)
