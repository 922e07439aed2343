"""This machine: its own addresses among the nodes, and ports that cannot be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from memrep.addresses import LINK_PORT_OFFSET, Address
from memrep.daemon import local_address
from memrep.daemon.listener import Listener
from memrep.daemon.local_address import (
    bind_client_port,
    bind_link_port,
    check_listen,
    check_own_name,
    find_self,
    is_own,
    is_private,
    port_error,
    sources_of_links,
)
from memrep.daemon.names import Endpoint, look_up
from memrep.errors import UsageError

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


class Resolver:
    """Says what names stand for on this machine; addresses stand for themselves, other names for nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
        self._names = names
        self._look_up = look_up
        monkeypatch.setattr(local_address, "look_up", self)

    def __call__(self, host: str, port: int = 0) -> list[Endpoint]:
        hosts = self._names.get(host, [host])
        return [endpoint for one in hosts for endpoint in self._look_up(one, port)]


@pytest.mark.parametrize(
    ("hosts", "private"),
    [(["8.8.8.8"], False), (["10.1.1.1"], True), (["10.1.1.1", "2606:4700::1"], False), (["::1"], True)],
)
def test_a_name_is_as_public_as_any_address_that_it_stands_for(
    hosts: list[str], private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, web1=hosts)
    assert is_private("web1") == private


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
    assert sources_of_links(host) == []


def test_a_node_may_call_from_all_addresses_that_the_others_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_address, "is_loopback", lambda host: host == "127.0.0.3")
    Resolver(monkeypatch, web1=["203.0.113.7", "127.0.0.1", "127.0.0.2", "127.0.0.3"])
    assert [endpoint.host for endpoint in sources_of_links("web1")] == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("own", [["127.0.1.1"], ["127.0.1.1", "::1"]])
def test_a_name_that_means_loopback_to_this_machine_alone_is_refused(
    own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, web1=own, web2=["203.0.113.7"])
    me = Address("web1", 11211)
    with pytest.raises(UsageError, match=r"^web1 stands for 127\.0\.1\.1 on this machine, .*/etc/hosts"):
        check_own_name([me, Address("web2", 11211)], me, None)
    check_own_name([me, Address("web2", 11211)], me, "0.0.0.0")


def test_a_name_that_means_loopback_is_right_where_all_nodes_are_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Resolver(monkeypatch, web1=["127.0.0.1", "10.1.1.1"], web2=["203.0.113.7"])
    local = Address("localhost", 11211)
    check_own_name([local, Address("localhost", 11212), Address("127.0.0.1", 11213)], local, None)
    check_own_name([HERE, ELSEWHERE], HERE, None)
    check_own_name([Address("web1", 11211), Address("web2", 11211)], Address("web1", 11211), None)


def test_who_finds_none_or_several_of_the_nodes_here_is_told_what_names_have_to_do_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Resolver(monkeypatch, web1=["127.0.0.1"], web2=["127.0.1.1"])
    with pytest.raises(UsageError, match=r"say which .* --self; .*web2 stands for 127\.0\.1\.1 here"):
        find_self([Address("web1", 11211), Address("web2", 11211)], None)
    with pytest.raises(
        UsageError, match=r"nothing is known here of no\.such\.invalid: correct /etc/hosts or DNS"
    ):
        find_self([Address("no.such.invalid", 11211), FAR], None)


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


def test_a_link_port_on_which_the_system_does_not_let_this_node_listen_is_not_kept(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(listener: Listener) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(Listener, "listen", fail)
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.2:{taken} for the other nodes") as refused:
        bind_link_port(Address("127.0.0.2", taken - LINK_PORT_OFFSET), "127.0.0.2")
    with socket.socket() as sock:
        sock.bind(("127.0.0.2", taken))
    assert refused  # which has kept alive whatever was left open


def test_a_link_port_that_is_free_is_bound(taken: int) -> None:
    (listener,) = bind_link_port(Address("127.0.0.1", taken - LINK_PORT_OFFSET), "127.0.0.2")
    with closing(listener):
        assert listener.sock is not None
        assert listener.sock.getsockname() == ("127.0.0.2", taken)
        assert not listener.sock.getblocking()


def test_a_port_is_bound_at_every_address_of_a_name_that_is_this_machines(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, web1=["127.0.0.2", "203.0.113.7", "2001:db8::7", "127.0.0.3"])
    clients = bind_client_port("web1", taken)
    nodes = bind_link_port(Address("web1", taken - LINK_PORT_OFFSET + 1), "web1")
    with ExitStack() as stack:
        for listener in (*clients, *nodes):
            stack.callback(listener.close)
        assert list(map(str, clients)) == [f"127.0.0.2:{taken}", f"127.0.0.3:{taken}"]
        assert list(map(str, nodes)) == [f"127.0.0.2:{taken + 1}", f"127.0.0.3:{taken + 1}"]


def test_a_port_that_is_taken_at_one_address_of_a_name_is_refused_and_the_others_are_given_up(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, web1=["127.0.0.2", "127.0.0.1"])
    with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1:{taken} for clients: .*sport"):
        bind_client_port("web1", taken)
    Resolver(monkeypatch, web1=["127.0.0.2"])
    for listener in bind_client_port("web1", taken):
        listener.close()


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        (
            "no.such.invalid",
            "no.such.invalid stands for no address on this machine .*correct /etc/hosts or DNS",
        ),
        (
            "203.0.113.7",
            r"203\.0\.113\.7 is no address of this machine.*; behind NAT .* give --listen 0\.0\.0\.0",
        ),
    ],
)
def test_a_port_that_cannot_be_had_because_of_its_host_is_no_matter_of_who_has_it(
    host: str, advice: str
) -> None:
    with pytest.raises(UsageError, match=advice) as refused:
        bind_client_port(host, 11211)
    assert "sport" not in str(refused.value)


def test_who_has_a_wrong_address_is_told_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Resolver(monkeypatch, web1=["127.0.0.2"])
    nowhere = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
    assert "web1 is no address of this machine; behind NAT" in str(
        port_error("web1", 1, nowhere, "for clients")
    )
    monkeypatch.setattr("memrep.daemon.local_address.is_loopback", lambda host: False)
    assert "machine (it has 127.0.0." in str(port_error("web1", 1, nowhere, "for clients"))


def test_a_port_error_says_what_where_why_and_what_to_do() -> None:
    error = port_error("10.1.1.1", 11211, OSError(errno.EADDRINUSE, "Address already in use"), "for clients")
    assert str(error) == (
        "cannot listen on 10.1.1.1:11211 for clients: Address already in use; "
        "see who has it with `ss -ltnp 'sport = :11211'`, or choose another port"
    )
