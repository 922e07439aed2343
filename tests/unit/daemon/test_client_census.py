"""What a host has asked is known when its connections are gone, of as many hosts as there is room for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from memrep.daemon.client_census import HOSTS_MAX, ClientCensus
from memrep.status.client_facts import HostSums


def _client(host: str, reads: int = 0, received: int = 0) -> Any:
    return SimpleNamespace(host=host, reads=reads, received=received)


def test_a_host_has_what_it_asked_on_connections_that_are_gone_and_on_those_that_are_there() -> None:
    census = ClientCensus()
    first, second, other = _client("a", 3, 30), _client("a", 5, 50), _client("b", 1, 10)
    for client in (first, second, other):
        census.came(client)
    census.went(first)
    assert sorted(census.sums([second, other]), key=lambda sums: sums.host) == [
        HostSums("a", 1, 2, 8, 80),
        HostSums("b", 1, 1, 1, 10),
    ]


def test_of_too_many_hosts_those_go_first_that_have_no_connection() -> None:
    census = ClientCensus()
    stays = _client("stays")
    census.came(stays)
    for number in range(2 * HOSTS_MAX):
        client = _client(f"h{number}")
        census.came(client)
        census.went(client)
    sums = {each.host: each.connected for each in census.sums([stays])}
    assert len(sums) == HOSTS_MAX
    assert sums["stays"] == 1
    assert f"h{2 * HOSTS_MAX - 1}" in sums


def test_hosts_that_are_all_connected_are_forgotten_too_and_nothing_breaks_when_they_go() -> None:
    census = ClientCensus()
    clients = [_client(f"h{number}") for number in range(HOSTS_MAX + 1)]
    for client in clients:
        census.came(client)
    for client in clients:
        census.went(client)
    assert len(census.sums([])) == HOSTS_MAX
