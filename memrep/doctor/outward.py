"""Outward: whether the ports of the other nodes answer this machine, as a node and as PHP would call them.

The three ways in which a port does not answer have different causes. One that refuses is reached: nobody
listens there, or a firewall says so. One that is silent is not: a firewall drops what comes, or there is no
way. One that hangs up takes this machine for a stranger: the name of this node means another address there, or
this machine calls from another one.

A node greets whoever calls, with a challenge, and hears from here no more than that: it does not learn that
anybody was there.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from memrep.addresses import Address
from memrep.daemon.guard import in_words
from memrep.daemon.names import REFUSES, SILENT, Endpoint, look_up
from memrep.doctor.finding import Finding
from memrep.errors import PeerError
from memrep.replication.handshake import NONCE_BYTES, Identity, Outgoing

#: How long (s) a port may take to answer, and a node to greet.
_ANSWER_S: Final = 1.0

_GREETING_BYTES: Final = 1 << 12


def outward(
    identity: Identity, nodes: Sequence[Address], sources: Sequence[Endpoint]
) -> Iterator[tuple[Address, Finding]]:
    """Call both ports of each other node, all of them at once; tell what came of each, with whose it is.

    Args:
        identity: what this node would say of itself.
        nodes: all of them, by number.
        sources: the addresses from which this node would call; none for any.
    """
    others = [(number, node) for number, node in enumerate(nodes, 1) if number != identity.me]
    with ThreadPoolExecutor(2 * len(others)) as pool:
        looks = [
            (node, (pool.submit(_link, identity, number, node, sources), pool.submit(_clients, node)))
            for number, node in others
        ]
        for node, both in looks:
            for look in both:
                yield node, look.result()


def _link(identity: Identity, number: int, node: Address, sources: Sequence[Endpoint]) -> Finding:
    """Call the port of a node's links, and wait for its greeting."""
    what = f"{node} for nodes (port {node.link_port})"
    try:
        with _call(node.host, node.link_port, sources) as sock:
            return _greeting(sock, Outgoing(identity, number, bytes(NONCE_BYTES)), what, node)
    except (OSError, UnicodeError) as error:
        return _unreached(what, error, node.link_port)


def _greeting(sock: socket.socket, ours: Outgoing, what: str, node: Address) -> Finding:
    answer = b""
    try:
        while not answer:
            data = sock.recv(_GREETING_BYTES)
            if not data:
                return Finding(
                    "way there",
                    "wrong",
                    f"{what} hangs up on this machine, which it does not take for one of its nodes",
                    "see there what the name of this node stands for, and here from which address this machine "
                    f"calls: `ip route get {node.host}`",
                )
            answer = ours.receive(data)
    except (TimeoutError, PeerError):
        return Finding(
            "way there",
            "wrong",
            f"{what} is not a memrep node",
            f"see there who has the port: `ss -ltnp 'sport = :{node.link_port}'`",
        )
    return Finding("way there", "ok", f"{what} answers")


def _clients(node: Address) -> Finding:
    """Call the port of a node's clients, which is open while it serves."""
    what = f"{node} for clients"
    try:
        with _call(node.host, node.port, ()):
            return Finding("way there", "ok", f"{what} answers")
    except (OSError, UnicodeError) as error:
        return _unreached(what, error, node.port)


def _call(host: str, port: int, sources: Sequence[Endpoint]) -> socket.socket:
    """Return a connection to the first endpoint of this host that answers.

    Raises:
        OSError: none does; the error is that of the last one.
        UnicodeError: it is no name.
    """
    failure: OSError = OSError("it stands for no address")
    for endpoint in look_up(host, port):
        source = next((one.where[0] for one in sources if one.family == endpoint.family), None)
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        sock.settimeout(_ANSWER_S)
        try:
            if source is not None:
                with suppress(OSError):
                    sock.bind((source, 0))
            sock.connect(endpoint.where)
        except OSError as error:
            sock.close()
            failure = error
            continue
        return sock
    raise failure


def _unreached(what: str, error: Exception, port: int) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        return Finding(
            "way there",
            "note",
            f"{what}: {REFUSES}; no node serves there, or a firewall rejects this machine",
        )
    if isinstance(error, TimeoutError):
        return Finding(
            "way there",
            "wrong",
            f"{what}: {SILENT}",
            f"let its firewall admit this machine to port {port} (deploy/nftables.conf), if it is up",
        )
    return Finding("way there", "wrong", f"{what}: {in_words(error)}", "see the network's routes and names")
