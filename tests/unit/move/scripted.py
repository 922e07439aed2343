"""A server that knows its conversations by heart: what it is to be told, and what it answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from memrep.handlers.places import Server

#: A thread that is told to end does so at once; this is for one that does not, s.
PATIENCE_S = 15

#: A conversation: what comes, and what is answered to it. Nothing is answered when the connection is to end.
Conversation = Sequence[tuple[bytes, bytes]]


@contextmanager
def scripted(*conversations: Conversation) -> Iterator[Server]:
    """Hold one conversation with each who connects, in turn; fail if one goes otherwise, or is missing."""
    listener = socket.create_server(("127.0.0.1", 0))
    failures: list[str] = []

    def serve() -> None:
        for conversation in conversations:
            try:
                client, _ = listener.accept()
            except OSError:
                failures.append("somebody did not connect")
                return
            with client:
                client.settimeout(PATIENCE_S)
                failures.extend(_held(client, conversation))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Server("127.0.0.1", listener.getsockname()[1])
        # Who was to connect has done so.
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE_S)
    assert not failures, failures


def _held(client: socket.socket, conversation: Conversation) -> Iterator[str]:
    for due, answer in conversation:
        said = b""
        while len(said) < len(due):
            data = client.recv(len(due) - len(said))
            if not data:
                yield f"the connection ended instead of {due[len(said) :]!r}"
                return
            said += data
        if said != due:
            yield f"{said!r} was said instead of {due!r}"
            return
        client.sendall(answer)
