"""What all clients share forgets those who have left, and remembers a bounded number of scripts."""

from __future__ import annotations

from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.scripts import compare_and_delete
from memrep.protocol.resp.server import Server
from memrep.protocol.users import Users
from memrep.storage.store import Store
from memrep.storage.version import Clock
from tests.harness.lone_node import WALL, LoneConnection, LoneNode, lone_node
from tests.unit.protocol.resp.test_dialect import one_told, said


def _server(users: Users | None = None) -> Server:
    return Server(clock=Clock(1, 1_000, WALL), store=Store(1 << 20), users=users)


def _leave(lone: LoneNode, client: LoneConnection) -> None:
    lone.begin()
    lone.node.clients.disconnect(client.connection)
    lone.end()


def test_the_number_of_a_client_that_has_left_is_nobodys_again() -> None:
    lone = lone_node()
    seen = set()
    for _ in range(5):
        client = lone.connect(REDIS)
        seen.add(one_told(client.receive(said("CLIENT", "ID"))))
        _leave(lone, client)
    assert len(seen) == 5


def test_clients_are_listed_the_oldest_first_and_no_longer_than_they_stay() -> None:
    lone = lone_node()
    clients = [lone.connect(REDIS) for _ in range(3)]
    for number, client in enumerate(clients):
        client.receive(said("CLIENT", "SETNAME", f"n{number}"))
    _leave(lone, clients[1])
    lines = one_told(clients[2].receive(said("CLIENT", "LIST"))).splitlines()
    assert [line.partition(b" name=")[2][:2] for line in lines] == [b"n0", b"n2"]


def test_with_the_last_client_goes_what_was_kept_for_scans() -> None:
    lone = lone_node()
    one, other = lone.connect(REDIS), lone.connect(REDIS)
    one.receive(b"".join(said("SET", number, "x") for number in range(50)) + said("SCAN", 0))
    server = one.connection._dialect._client.server  # type: ignore[attr-defined]
    assert server.indexes
    _leave(lone, one)
    assert server.indexes
    _leave(lone, other)
    assert not server.indexes
    assert not server.clients


def test_of_loaded_scripts_the_oldest_are_forgotten() -> None:
    server = _server()
    for number in range(1_500):
        server.load_script(b"%040d" % number, compare_and_delete)
    assert len(server.loaded_scripts) == 1_000
    assert b"%040d" % 499 not in server.loaded_scripts
    assert b"%040d" % 500 in server.loaded_scripts


def test_the_default_user_has_the_password_of_any_and_others_have_their_own() -> None:
    server = _server(Users({b"ann": b"1", b"bob": b"2"}))
    assert [server.lets_in(b"default", word) for word in (b"1", b"2", b"3", b"")] == [True, True, False, False]
    assert [server.lets_in(b"ann", word) for word in (b"1", b"2")] == [True, False]
    assert not server.lets_in(b"eve", b"1")
    assert not server.lets_in(b"eve", b"")


def test_a_user_who_is_called_default_has_only_his_own_password() -> None:
    server = _server(Users({b"default": b"1", b"bob": b"2"}))
    assert [server.lets_in(b"default", word) for word in (b"1", b"2")] == [True, False]
