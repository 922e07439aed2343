"""Neighbours: from which addresses the other nodes may call.

Whoever reaches the nodes' port could pose as a node, and a node is believed everything. Without a secret that
nodes prove to each other (replication/handshake.py) only the addresses in --nodes are let in, and all others
are turned away before a byte of theirs is read.

Names are looked up again for each attempt to dial (names.py), so an address that has changed is learnt when the
old one is lost. All addresses of a name count. A name that cannot be looked up any more keeps those that
it had.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from memrep.addresses import Address, plain_host
from memrep.daemon.names import is_loopback


class PeerAllowlist:
    """The addresses of the other nodes.

    Args:
        others: the other nodes, by number.
    """

    def __init__(self, others: Mapping[int, Address]) -> None:
        self._found: dict[int, frozenset[str] | None] = {
            node: frozenset([address.host]) if _is_literal(address.host) else None
            for node, address in others.items()
        }
        self._expected: frozenset[str] = frozenset()
        self._loopback = False
        self._gather()

    @property
    def known(self) -> bool:
        """Tell whether every name has been looked up, with or without success."""
        return None not in self._found.values()

    def looked_up(self, node: int, hosts: Iterable[str]) -> None:
        """Note that a node's name stands for these addresses now; for none, if it could not be looked up."""
        found = frozenset(map(plain_host, hosts))
        if found != self._found[node] and (found or self._found[node] is None):
            self._found[node] = found
            self._gather()

    def expects(self, host: str) -> bool:
        """Tell whether another node may call from this address.

        Nodes that share a machine over loopback call from whichever of its addresses the kernel takes.
        """
        host = plain_host(host)
        return host in self._expected or (self._loopback and is_loopback(host))

    def at(self, host: str) -> list[int]:
        """Return the nodes that live at this address."""
        host = plain_host(host)
        return [node for node, hosts in self._found.items() if host in (hosts or ())]

    def _gather(self) -> None:
        self._expected = frozenset().union(*(hosts or () for hosts in self._found.values()))
        self._loopback = any(map(is_loopback, self._expected))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
