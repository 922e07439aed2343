"""A whole daemon in this process, and a visitor to it in another thread, for the tests of its life and end."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from memrep.daemon.daemon import Daemon
from memrep.daemon.log import Log
from memrep.daemon.log_format import LogFormat
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import Place
from memrep.daemon.reload import Reloader, Source
from tests.real.processes import HOST, until

PATIENCE_S = 15


class Served:
    """What has become of a daemon.

    Attributes:
        signals: those that it has not heeded yet.
        log: what it has said.
        distrusted: whether another one had to take its place.
        resumes: whether another one is to take its place, as it was drained.
        stopped: whether it has been told to stop; a second signal would end this process.
    """

    def __init__(self) -> None:
        self.signals: deque[int] = deque()
        self.log = ""
        self.distrusted = False
        self.resumes = False
        self.stopped = False

    def stop(self) -> None:
        """Send it a SIGTERM, if it has not been told to stop."""
        if not self.stopped:
            self.stopped = True
            self.signals.append(signal.SIGTERM)


def serve(options: ServeOptions, visit: Callable[[Served], None], source: Source | None = None) -> Served:
    """Serve in this thread, while a visitor in another one talks to it; when he goes it is stopped, at last."""
    served = Served()
    failed: list[BaseException] = []

    def come() -> None:
        try:
            visit(served)
        except BaseException as error:
            failed.append(error)
        served.stop()

    with journal() as (log, said):
        place = Place.of(options)
        daemon = Daemon(Reloader(options, source, place.reader.run), place, log, served.signals)
        visitor = Thread(target=come)
        visitor.start()
        daemon.serve()
        visitor.join(PATIENCE_S)
        place.give_up()
        served.distrusted = daemon.distrusted
        served.resumes = daemon.resumes
        log.close(PATIENCE_S)
        served.log = said()
    if failed:
        raise failed[0]
    return served


@contextmanager
def journal() -> Iterator[tuple[Log, Callable[[], str]]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        yield Log(LogFormat(), fd=writer), lambda: os.read(reader, 1 << 16).decode()
    finally:
        os.close(reader)
        os.close(writer)


def connect(options: ServeOptions) -> socket.socket:
    """A client, as soon as the daemon takes any."""
    clients: list[socket.socket] = []

    def comes_in() -> bool:
        try:
            clients.append(socket.create_connection((HOST, options.port), timeout=PATIENCE_S))
        except ConnectionRefusedError:
            return False
        return True

    until(comes_in, PATIENCE_S, "the daemon listens")
    return clients[0]


def refuses(options: ServeOptions) -> bool:
    try:
        socket.create_connection((HOST, options.port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def is_alive(client: socket.socket) -> bool:
    client.sendall(b"mn\r\n")
    return client.recv(100) == b"MN\r\n"
