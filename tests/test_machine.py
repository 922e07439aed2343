"""This machine: its own addresses among the nodes, and ports that cannot be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from memrep.daemon import machine
from memrep.daemon.machine import (
    bind_link_port,
    check_listen,
    find_self,
    is_own,
    is_private,
    port_error,
    source_of_links,
)
from memrep.errors import UsageError
from memrep.nodes import LINK_PORT_OFFSET, Address

HERE = Address("127.0.0.1", 11211)
#: Reserved for documentation (RFC 5737, RFC 3849): nobody's.
ELSEWHERE = Address("203.0.113.7", 11211)
FAR = Address("198.51.100.7", 11211)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_loopback_is_this_machines(host: str) -> None:
    assert is_own(host)


@pytest.mark.parametrize("host", ["203.0.113.7", "2001:db8::7", "no such host", "[::1]", "a..b"])
def test_what_cannot_be_bound_is_not_this_machines(host: str) -> None:
    assert not is_own(host)


def test_the_only_own_address_is_this_node() -> None:
    assert find_self([ELSEWHERE, HERE, FAR], None) == HERE


def test_a_named_node_is_taken_at_its_word() -> None:
    assert find_self([HERE, ELSEWHERE], ELSEWHERE) == ELSEWHERE


def test_a_name_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"--self 198\.51\.100\.7:11211 is not in --nodes \(.*give one of these"
    ):
        find_self([HERE, ELSEWHERE], FAR)


def test_the_right_host_with_another_port_is_not_in_the_list() -> None:
    with pytest.raises(UsageError, match="is not in --nodes"):
        find_self([HERE, ELSEWHERE], Address(HERE.host, HERE.port + 1))


def test_several_own_addresses_are_refused() -> None:
    other = Address("127.0.0.1", 11212)
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:11211 127\.0\.0\.1:11212\); say which .* --self"):
        find_self([HERE, other, ELSEWHERE], None)


def test_a_list_without_this_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"none of --nodes .* is an address of this machine"):
        find_self([ELSEWHERE, FAR], None)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "8.8.8.8", "localhost"])
def test_clients_are_listened_for_where_the_operator_says(host: str) -> None:
    assert check_listen(host, "10.1.1.1") == host


@pytest.mark.parametrize("host", ["no such host", "", "127.0.0.1:11211"])
def test_clients_cannot_be_listened_for_at(host: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        check_listen(host, "127.0.0.1")


@pytest.mark.parametrize("own", ["127.0.0.1", "10.1.1.1", "fe80::1", "100.64.0.1", "nobodys-name"])
def test_a_node_listens_at_its_own_address_unless_told_otherwise(own: str) -> None:
    assert check_listen(None, own) == own


@pytest.mark.parametrize("own", ["8.8.8.8", "2606:4700::1", "0.0.0.0", "::"])
def test_a_node_does_not_face_strangers_unless_told_to(own: str) -> None:
    with pytest.raises(UsageError, match=f"^{own} can be reached by strangers; .* or say --listen {own} if"):
        check_listen(None, own)


def test_a_name_is_as_public_as_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for address, private in [("8.8.8.8", False), ("10.1.1.1", True)]:
        monkeypatch.setattr(machine, "address_of", lambda host, address=address: address)
        assert is_private("web1.example.com") == private


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "::1", "10.1.1.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "fd00::1",
        "fe80::1", "::ffff:10.1.1.1", "nobodys-name",
    ],
)  # fmt: skip
def test_strangers_cannot_reach(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8"])
def test_strangers_can_reach(host: str) -> None:
    assert not is_private(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "203.0.113.7", "nobodys-name"])
def test_where_every_address_does_or_the_known_one_is_elsewhere_the_kernel_chooses_the_source(
    host: str,
) -> None:
    assert source_of_links(host) == ""


def test_a_node_calls_from_the_address_that_the_others_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_own", lambda host: host == "10.1.1.1")
    assert source_of_links("10.1.1.1") == "10.1.1.1"
    assert source_of_links("10.2.2.2") == ""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port above LINK_PORT_OFFSET on which somebody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_link_port_that_is_taken_is_refused_with_its_number(taken: int) -> None:
    with pytest.raises(
        UsageError, match=f"cannot listen on 127.0.0.1:{taken} for the other nodes: .*sport = :{taken}"
    ):
        bind_link_port(Address("127.0.0.1", taken - LINK_PORT_OFFSET), "127.0.0.1")


def test_a_link_port_that_is_free_is_bound(taken: int) -> None:
    with closing(bind_link_port(Address("127.0.0.1", taken - LINK_PORT_OFFSET), "127.0.0.2")) as listener:
        assert str(listener) == f"127.0.0.2:{taken}"


def test_a_port_error_says_what_where_why_and_what_to_do() -> None:
    error = port_error("10.1.1.1", 11211, OSError(errno.EADDRINUSE, "Address already in use"), "for clients")
    assert str(error) == (
        "cannot listen on 10.1.1.1:11211 for clients: Address already in use; "
        "see who has it with `ss -ltnp 'sport = :11211'`, or choose another port"
    )
