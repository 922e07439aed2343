"""Who has asked how much: sums for each host, over all connections that it has had.

Problem: one client that hammers a node shows nowhere. Its connections come and go, and each of them has asked
little. So what a connection has asked is added to its host's sums when it ends. While it lasts it keeps count
itself, in two numbers, and costs nothing else.

Hosts come from the network, so only so many are remembered: who has no connection and came longest ago goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from memrep.daemon.client import Client
from memrep.status.client_facts import HostSums

#: Hosts that are remembered. A pool has a few; behind a network that anybody reaches there may be any number.
HOSTS_MAX: Final = 1_024


@attrs.define(eq=False)
class _Sums:
    connected: int = 0
    connects: int = 0
    reads: int = 0
    received: int = 0


class ClientCensus:
    """The hosts of one node's clients."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Sums] = {}  # who came last is last

    def came(self, client: Client) -> None:
        """Count a client that has been let in."""
        sums = self._hosts.pop(client.host, None) or _Sums()
        sums.connected += 1
        sums.connects += 1
        self._hosts[client.host] = sums
        if len(self._hosts) > HOSTS_MAX:
            self._forget()

    def went(self, client: Client) -> None:
        """Add what a client has asked that has gone."""
        sums = self._hosts.get(client.host)
        if sums is not None:
            sums.connected -= 1
            sums.reads += client.reads
            sums.received += client.received

    def _forget(self) -> None:
        gone = next((host for host, sums in self._hosts.items() if not sums.connected), None)
        self._hosts.pop(next(iter(self._hosts)) if gone is None else gone)

    def sums(self, connected: Iterable[Client]) -> list[HostSums]:
        """Return the sums of each host, with what these clients, who are still there, have asked."""
        reads, received = dict.fromkeys(self._hosts, 0), dict.fromkeys(self._hosts, 0)
        for client in connected:
            if client.host in reads:
                reads[client.host] += client.reads
                received[client.host] += client.received
        return [
            HostSums(
                host, sums.connected, sums.connects, sums.reads + reads[host], sums.received + received[host]
            )
            for host, sums in self._hosts.items()
        ]
