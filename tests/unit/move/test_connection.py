"""Lines and counted bytes come whole however they arrive, and a server that fails is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from memrep.handlers.places import Server
from memrep.move import connection
from memrep.move.connection import Connection, UnansweredError
from tests.unit.move.scripted import scripted


def test_lines_and_bytes_come_in_order() -> None:
    with scripted([(b"a", b"one\r\ntwo\nfive5thr"), (b"b", b"ee\r\n")]) as server, Connection(server) as it:
        it.send(b"a")
        assert (it.line(), it.line(), it.exactly(5)) == (b"one", b"two", b"five5")
        it.send(b"b")
        assert it.line() == b"three"


def test_a_unix_socket_is_as_good(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with Connection(Server("", 0, path)) as it:
            client, _ = listener.accept()
            with client:
                client.sendall(b"hello\r\n")
                assert it.line() == b"hello"


def test_nobody_there_is_told_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnansweredError, match=rf"127\.0\.0\.1:{port} does not answer: Connection refused"):
        Connection(Server("127.0.0.1", port))


def test_an_end_in_the_midst_of_an_answer_is_told() -> None:
    with scripted([(b"a", b"half a li")]) as server, Connection(server) as it:
        it.send(b"a")
        with pytest.raises(UnansweredError, match="has closed the connection"):
            it.line()


def test_silence_is_not_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        it = Connection(Server("127.0.0.1", listener.getsockname()[1]))
        with it, pytest.raises(UnansweredError, match=r"does not answer: nothing within 0\.05 s"):
            it.line()


def test_a_line_without_an_end_is_no_answer() -> None:
    with scripted([(b"a", b"x" * 500_000)]) as server, Connection(server) as it:
        it.send(b"a")
        with pytest.raises(UnansweredError, match="says what no such server says"):
            it.line()
