"""Neighbours: only the other nodes' addresses are expected, however spelled, names as they are looked up."""

from __future__ import annotations

import pytest

from memrep.addresses import Address
from memrep.daemon.peer_allowlist import PeerAllowlist


def _neighbours(*hosts: str) -> PeerAllowlist:
    return PeerAllowlist({number: Address(host, 11211) for number, host in enumerate(hosts, start=2)})


@pytest.mark.parametrize("host", ["10.0.0.2", "::ffff:10.0.0.2", "2001:db8::3", "2001:DB8:0::3"])
def test_a_nodes_address_is_expected_however_it_is_spelled(host: str) -> None:
    assert _neighbours("10.0.0.2", "2001:db8::3").expects(host)


@pytest.mark.parametrize("host", ["10.0.0.9", "10.0.0.22", "2001:db8::4", "127.0.0.1", "::1", "", "web2"])
def test_nobody_else_is_expected(host: str) -> None:
    assert not _neighbours("10.0.0.2", "2001:db8::3").expects(host)


def test_a_link_local_address_is_expected_on_whatever_interface() -> None:
    assert _neighbours("fe80::2").expects("fe80::2%eth0")


@pytest.mark.parametrize("node", ["127.0.0.1", "127.0.0.2", "::1"])
def test_nodes_over_loopback_call_from_any_address_of_it(node: str) -> None:
    allowlist = _neighbours("10.0.0.2", node)
    assert all(map(allowlist.expects, ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"]))
    assert not allowlist.expects("10.0.0.9")


def test_a_name_is_expected_from_where_it_was_looked_up() -> None:
    allowlist = _neighbours("10.0.0.2", "web3")
    assert not allowlist.known
    assert allowlist.expects("10.0.0.2")
    assert not allowlist.expects("10.0.0.3")
    allowlist.looked_up(3, ["10.0.0.3", "2001:db8::3"])
    assert allowlist.known
    assert all(map(allowlist.expects, ["10.0.0.2", "10.0.0.3", "2001:db8::3"]))


def test_a_name_that_has_moved_is_expected_from_its_new_address_only() -> None:
    allowlist = _neighbours("web2")
    allowlist.looked_up(2, ["10.0.0.2"])
    allowlist.looked_up(2, ["10.0.0.22"])
    assert allowlist.expects("10.0.0.22")
    assert not allowlist.expects("10.0.0.2")


def test_a_name_that_cannot_be_looked_up_any_more_keeps_its_address() -> None:
    allowlist = _neighbours("web2")
    allowlist.looked_up(2, ["10.0.0.2"])
    allowlist.looked_up(2, [])
    assert allowlist.expects("10.0.0.2")


def test_a_name_that_cannot_be_looked_up_at_all_lets_nobody_in_and_is_waited_for_no_longer() -> None:
    allowlist = _neighbours("web2")
    allowlist.looked_up(2, [])
    assert allowlist.known
    assert not allowlist.expects("10.0.0.2")
    allowlist.looked_up(2, ["10.0.0.2"])
    assert allowlist.expects("10.0.0.2")


def test_a_name_that_stands_for_loopback_counts_as_loopback() -> None:
    allowlist = _neighbours("localhost")
    allowlist.looked_up(2, ["127.0.0.1"])
    assert allowlist.expects("127.0.0.5")
