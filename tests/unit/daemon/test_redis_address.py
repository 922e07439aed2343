"""Where Redis' clients come in, and are told to, is what the operator says, or refused in one line."""

from __future__ import annotations

import pytest

from memrep.addresses import Address
from memrep.daemon.redis_address import parse_redis_announce, parse_redis_port
from memrep.errors import UsageError


def test_redis_clients_come_in_at_the_address_for_all_unless_told_otherwise() -> None:
    assert parse_redis_port("", "127.0.0.1", ()) == ("", 0)
    assert parse_redis_port("6379", "127.0.0.1", (11211,)) == ("127.0.0.1", 6379)
    assert parse_redis_port("127.0.0.2:6379", "127.0.0.1", (11211,)) == ("127.0.0.2", 6379)


@pytest.mark.parametrize("said", ["x", "0", "70000", "127.0.0.1:", "11211"])
def test_what_is_no_free_port_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="--redis"):
        parse_redis_port(said, "127.0.0.1", (11211,))


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", None),
        ("10.1.1.1", Address("10.1.1.1", 6379)),
        ("web1:7000", Address("web1", 7000)),
        ("fd00::1", Address("fd00::1", 6379)),
        ("[fd00::1]:7000", Address("fd00::1", 7000)),
    ],
)
def test_a_node_is_announced_as_a_host_with_or_without_a_port(said: str, address: Address | None) -> None:
    assert parse_redis_announce(said, 6379) == address


@pytest.mark.parametrize("said", [":7000", "web1:", "web1:x", "web1:0", "a,b", "a b", "[]:1"])
def test_what_is_no_address_is_not_announced(said: str) -> None:
    with pytest.raises(UsageError, match="--redis-announce"):
        parse_redis_announce(said, 6379)


def test_nothing_is_announced_where_no_redis_client_comes_in() -> None:
    with pytest.raises(UsageError, match="needs --redis"):
        parse_redis_announce("web1", 0)
