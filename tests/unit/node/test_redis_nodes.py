"""Redis clients are told of nodes by their hosts in the list of nodes, and of this one as it is announced."""

from __future__ import annotations

from memrep.addresses import Address
from tests.harness.lone_node import lone_node


def _told(**options: object) -> bytes:
    client = lone_node(redis_port=6379, **options).connect("redis")
    return client.receive(b"SENTINEL get-master-addr-by-name x\r\n").replace(b"\r\n", b" ")


def test_a_node_is_found_at_its_host_and_the_port_of_redis() -> None:
    assert _told(nodes=["10.1.1.1:11211"]) == b"*2 $8 10.1.1.1 $4 6379 "
    assert _told(nodes=["[fd00::1]:11211"]) == b"*2 $7 fd00::1 $4 6379 "


def test_a_node_is_found_where_it_is_announced() -> None:
    announced = _told(nodes=["10.1.1.1:11211"], redis_address=Address("web1.example.org", 7000))
    assert announced == b"*2 $16 web1.example.org $4 7000 "


def test_nobody_is_sent_to_a_wildcard_address() -> None:
    assert _told(nodes=["0.0.0.0:11211"]) == b"*2 $9 127.0.0.1 $4 6379 "
    assert _told(nodes=["[::]:11211"]) == b"*2 $3 ::1 $4 6379 "


def test_what_is_announced_does_not_change_who_a_node_is() -> None:
    ids = {
        lone_node(redis_port=6379, redis_address=address).connect("redis").receive(b"SENTINEL MYID\r\n")
        for address in (None, Address("web1", 7000))
    }
    assert len(ids) == 1
