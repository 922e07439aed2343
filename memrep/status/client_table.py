"""A node's clients as tables: one line for each host, or for each connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from memrep.status.client_facts import ClientsStatus, ClientStatus
from memrep.status.client_rates import HostRate
from memrep.status.columns import LINES_MAX, left_out, lined_up
from memrep.status.words import bytes_in_words, count, duration, plain

_UNIX: Final = "(unix socket)"

_OF_HOSTS: Final = ("HOST", "CLIENTS", "CONNECTS/S", "READS/S", "SENDS")
_OF_CLIENTS: Final = ("ADDRESS", "PROTOCOL", "STATE", "AGE", "QUIET", "READS", "SENT")
_WORDS: Final = {"HOST", "ADDRESS", "PROTOCOL", "STATE"}


def hosts(rates: Sequence[HostRate], now: ClientsStatus) -> str:
    """Return a line for each host, in the order in which they come."""
    rows = [
        (
            plain(rate.host) or _UNIX,
            count(rate.connected),
            count(round(rate.connects_s)),
            count(round(rate.reads_s)),
            f"{bytes_in_words(round(rate.received_s))}/s",
        )
        for rate in rates[:LINES_MAX]
    ]
    head = f"{count(len(now.clients))} of {count(now.limit)} clients at {plain(now.node)}"
    return "\n".join(
        [
            head,
            *lined_up(_OF_HOSTS, rows, _WORDS),
            *left_out(len(rates) - LINES_MAX),
        ]
    )


def each_client(clients: Iterable[ClientStatus], limit: int) -> str:
    """Return a line for each connection, the one that has been quiet longest last."""
    ordered = sorted(clients, key=lambda client: client.idle_s)
    rows = [
        (
            plain(client.address),
            client.protocol + (", TLS" if client.tls else ""),
            plain(client.state),
            duration(client.age_s),
            duration(client.idle_s),
            count(client.reads),
            bytes_in_words(client.received),
        )
        for client in ordered[:LINES_MAX]
    ]
    head = f"{count(len(ordered))} of {count(limit)} clients"
    return "\n".join([head, *lined_up(_OF_CLIENTS, rows, _WORDS), *left_out(len(ordered) - LINES_MAX)])
