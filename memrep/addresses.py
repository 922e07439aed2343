"""The list of nodes, as the operator writes it: the very string of php.ini's session.save_path.

All servers are given the same list, in any order and spelling; each node's number is its place in the sorted
list, so nothing else has to be agreed on.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import attrs

from memrep.errors import UsageError
from memrep.storage.version import NODE_MAX

#: Nodes talk to each other on the client port plus this (as in Redis Cluster).
LINK_PORT_OFFSET: Final = 10_000

_PORT_MAX: Final = 65_535
_NODE: Final = re.compile(r"(?:tcp://)?(\[[0-9a-fA-F:.]+\]|[^\[\]:/?\s]+):(\d+)(?::\d+)?(?:\?\S*)?")
_EXAMPLE: Final = 'write them as in save_path: "tcp://10.1.1.1:11211,tcp://10.2.2.2:11211"'


@attrs.frozen(order=True)
class Address:
    """Where clients find a node.

    Attributes:
        host: an IP address, without brackets, or a name.
        port: the clients' port.
    """

    host: str
    port: int

    @property
    def link_port(self) -> int:
        """Return the port for the other nodes."""
        return self.port + LINK_PORT_OFFSET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str = "--nodes") -> Address:
    """Read one address, with or without tcp://; pass over a weight (`:20`) or query (`?weight=20`) behind it.

    Raises:
        UsageError: it is none.
    """
    found = _NODE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option}: {text!r} is no HOST:PORT; {_EXAMPLE}")
    port = int(found[2])
    if not 1 <= port <= _PORT_MAX - LINK_PORT_OFFSET:
        raise UsageError(
            f"{option}: port {port} of {text!r} must be from 1 to {_PORT_MAX - LINK_PORT_OFFSET}, "
            f"for the nodes' links use port + {LINK_PORT_OFFSET}"
        )
    return Address(plain_host(found[1].strip("[]")), port)


def plain_host(host: str) -> str:
    """Spell each host in one way, so that servers whose lists are spelled differently agree."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower()
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address)


def parse_nodes(text: str) -> list[Address]:
    """Return the nodes of a save_path, sorted.

    Raises:
        UsageError: there is none, one is named twice, or there are too many.
    """
    if "unix:" in text:
        raise UsageError(f"--nodes: a unix socket reaches one machine only; {_EXAMPLE}")
    nodes = [parse_address(part) for part in re.split(r"[,;\s]+", text.strip()) if part]
    if not nodes:
        raise UsageError(f"--nodes is empty; {_EXAMPLE}")
    twice = [str(node) for node in set(nodes) if nodes.count(node) > 1]
    if twice:
        raise UsageError(f"--nodes names {twice[0]} twice; name each node once")
    if len(nodes) > NODE_MAX:
        raise UsageError(f"--nodes names {len(nodes)} nodes; {NODE_MAX} are the most")
    return sorted(nodes)


def is_local(host: str | None) -> bool:
    """Tell whether this host is this very machine, by its address alone; "" stands for a unix socket."""
    return not host or host == "::1" or host.removeprefix("::ffff:").startswith("127.")
