"""The locks that are held, at the admin socket of a whole daemon: hashed unless asked otherwise."""

from __future__ import annotations

from pathlib import Path

import attrs
import msgspec

from memrep.daemon.key_names import hashed
from memrep.daemon.options import ServeOptions
from memrep.php.options import PhpOptions
from memrep.status.lock_facts import LocksStatus
from tests.harness.admin_client import ask
from tests.unit.daemon.served import Served, connect, serve


def _told(path: Path, target: str) -> LocksStatus:
    status, body = ask(path, target)
    assert status == 200
    return msgspec.json.decode(body, type=LocksStatus)


def test_a_lock_is_told_with_its_holders_address(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        with connect(watched) as client:
            assert _told(socket, "/locks").total == 0
            client.sendall(b"add memc.sess.key.lock.abc 0 30 1\r\n1\r\n")
            assert client.recv(100) == b"STORED\r\n"
            host, port = client.getsockname()
            told = _told(socket, "/locks")
            (lock,) = told.locks
            assert (told.total, told.keys, lock.session) == (1, False, hashed(b"memc.sess.key.abc"))
            assert (lock.holder, lock.node) == (f"{host}:{port}", told.node)
            (lock,) = _told(socket, "/locks?keys=1").locks
            assert lock.session == "memc.sess.key.abc"

    serve(watched, visit)


def test_those_come_first_that_have_been_held_longest(watched: ServeOptions, socket: Path) -> None:
    def visit(served: Served) -> None:
        clients = [connect(watched) for _ in range(3)]
        try:
            for n, client in enumerate(clients):
                client.sendall(b"add memc.sess.key.lock.x%d 0 30 1\r\n1\r\n" % n)
                assert client.recv(100) == b"STORED\r\n"
            told = _told(socket, "/locks?keys=1")
            ages = [lock.age_s for lock in told.locks]
            assert ages == sorted(ages, reverse=True)
            assert {lock.session for lock in told.locks} == {f"memc.sess.key.x{n}" for n in range(3)}
        finally:
            for client in clients:
                client.close()

    serve(watched, visit)


def test_where_php_is_not_provided_for_there_are_none(watched: ServeOptions, socket: Path) -> None:
    node = attrs.evolve(watched.node, php_options=PhpOptions(on=False))

    def visit(served: Served) -> None:
        with connect(watched) as client:
            client.sendall(b"add memc.sess.key.lock.abc 0 30 1\r\n1\r\n")
            assert client.recv(100) == b"STORED\r\n"
            assert _told(socket, "/locks").total == 0

    serve(attrs.evolve(watched, node=node), visit)
