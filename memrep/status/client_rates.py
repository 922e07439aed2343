"""Which hosts ask how much, out of two answers of a node; as rows for a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from memrep.status.client_facts import ClientsStatus, HostSums


class HostRate(msgspec.Struct, frozen=True):
    """What a host asks.

    Attributes:
        host: its address; "" for all of the unix socket.
        connected: its clients that are connected now.
        connects_s: how often it connects, a second.
        reads_s: how often something is read of it, a second.
        received_s: bytes that come from it, a second.
    """

    host: str
    connected: int
    connects_s: float
    reads_s: float
    received_s: float


#: By what hosts can be ordered: the most first.
ORDERS: Final[dict[str, Callable[[HostRate], float]]] = {
    "reads": lambda rate: rate.reads_s,
    "bytes": lambda rate: rate.received_s,
    "connects": lambda rate: rate.connects_s,
    "clients": lambda rate: rate.connected,
}


def host_rates(before: ClientsStatus, now: ClientsStatus, order: str = "reads") -> list[HostRate]:
    """Return what each host asks, who asks most first.

    Args:
        before: an earlier answer of the same node.
        now: a later one.
        order: one of ORDERS.
    """
    seconds = now.at - before.at
    earlier = {sums.host: sums for sums in before.hosts}
    nothing = HostSums("", 0, 0, 0, 0)

    def rate(now: HostSums) -> HostRate:
        then = earlier.get(now.host, nothing)
        if seconds <= 0 or then.reads > now.reads:  # it was forgotten in between, and has come again
            then = now
        per = max(seconds, 1e-3)
        return HostRate(
            host=now.host,
            connected=now.connected,
            connects_s=(now.connects - then.connects) / per,
            reads_s=(now.reads - then.reads) / per,
            received_s=(now.received - then.received) / per,
        )

    rates = [rate(sums) for sums in now.hosts]
    return sorted(rates, key=lambda one: (-ORDERS[order](one), -one.connected, one.host))
