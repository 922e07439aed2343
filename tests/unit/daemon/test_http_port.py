"""The port for HTTP is where the operator says, and nowhere that strangers reach without a warning."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from memrep.addresses import Address
from memrep.daemon.http_port import HttpPort, parse_http, warning_of_http
from memrep.errors import UsageError
from tests.real.processes import HOST, PortLease, accepts

ME = Address("web1.example.org", 11211)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", None),
        ("31211", Address("127.0.0.1", 31211)),
        ("127.0.0.2:31211", Address("127.0.0.2", 31211)),
        ("0.0.0.0:31211", Address("0.0.0.0", 31211)),
        ("localhost:31211", Address("localhost", 31211)),
    ],
)
def test_it_is_on_this_machine_alone_unless_told_otherwise(said: str, address: Address | None) -> None:
    assert parse_http(said, (11211,)) == address


@pytest.mark.parametrize(
    "said", ["x", "0", "70000", "127.0.0.1:", "11211", "127.0.0.1:11211", "\u0663", "a b:1"]
)
def test_what_is_no_free_port_of_this_machine_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="--http"):
        parse_http(said, (11211,))


def test_an_address_that_is_not_here_is_refused_with_what_to_give() -> None:
    with pytest.raises(
        UsageError, match=r"^--http 192.0.2.1:31211: 192.0.2.1 is no address of this machine; .*0\.0\.0\.0"
    ):
        parse_http("192.0.2.1:31211", ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8"])
def test_who_faces_strangers_is_told_what_to_do(host: str) -> None:
    warning = str(warning_of_http(Address(host, 31211)))
    assert warning.startswith(f"strangers can reach --http {Address(host, 31211)}")
    assert "firewall" in warning


def test_there_is_nothing_to_say_of_a_port_that_only_the_pool_reaches() -> None:
    assert warning_of_http(None) is None
    assert warning_of_http(Address("127.0.0.1", 31211)) is None
    assert warning_of_http(Address("10.1.1.1", 31211)) is None


def test_there_is_none_unless_it_is_asked_for() -> None:
    port = HttpPort.of(None, ME)
    assert (port.listeners, port.sockets, port.names) == ([], [], ())
    port.close()


def test_it_listens_and_knows_the_names_by_which_this_machine_may_be_asked() -> None:
    with closing(PortLease(1)) as lease:
        port = HttpPort.of(Address(HOST, lease.ports[0]), ME)
        assert len(port.sockets) == 1
        assert accepts(lease.ports[0])
        assert {HOST, ME.host, socket.gethostname()} <= set(port.names)
        port.close()
        assert port.sockets == []
        assert not accepts(lease.ports[0])


def test_a_machine_whose_name_nobody_knows_has_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*asked: object, **more: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with closing(PortLease(1)) as lease:
        address = Address(HOST, lease.ports[0])
        bound = HttpPort.of(address, ME)
        monkeypatch.setattr("memrep.daemon.http_port.bind_http_port", lambda host, port: bound.listeners)
        monkeypatch.setattr("socket.getaddrinfo", look_up)
        assert HttpPort.of(address, ME).names == (HOST, ME.host, socket.gethostname())
        bound.close()
