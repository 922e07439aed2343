"""Inward: whether the other nodes reach this machine, and whether they would be let in.

Nodes that run call each other's ports all the time, that of a node which is down too. So whoever has that port
for a moment learns from each of them whether the way from there to here is open, which cannot be told from this
side; and hears in its greeting which list it has, which terms and which secret. A node that runs, answers this
machine and does not call is cut off from it in one direction, or does not have it in its list.

Nobody is welcomed: each is hung up on when it has said who it is, and tries again later, as it did before.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from memrep.addresses import Address, plain_host
from memrep.daemon.listener import Listener
from memrep.daemon.local_address import addresses_of
from memrep.doctor.finding import Finding
from memrep.errors import PeerError
from memrep.replication.handshake import NONCE_BYTES, Identity, Incoming, with_names

#: How long (s) is waited for those that run: a node calls one that is down several times a second, or at least
#: every two seconds where names have to be looked up.
WAIT_S: Final = 4.0

_GREETING_S: Final = 1.0
_BYTES: Final = 1 << 14


def inward(
    identity: Identity,
    nodes: Sequence[Address],
    links: Sequence[Listener],
    running: Sequence[Address],
    wait_s: float = WAIT_S,
) -> Iterator[Finding]:
    """Wait for the calls of the other nodes; tell what each one says.

    Args:
        identity: what this node would say of itself.
        nodes: all of them, by number.
        links: where they call; these listen.
        running: those that are known to run: they are to call, and are waited for.
        wait_s: for how long, s.
    """
    places = {node: frozenset(map(plain_host, addresses_of(node.host))) for node in running}
    missing = dict(places)
    told: set[str] = set()
    ends_at = time.monotonic() + wait_s
    while missing and (left := ends_at - time.monotonic()) > 0:
        for sock, host in _callers(links, left):
            with sock:
                heard = _heard(sock, identity)
            if heard is None:
                continue
            caller, reason = heard
            name = str(nodes[caller - 1]) if caller else _who(host, places)
            for node, addresses in list(missing.items()):
                if str(node) == name or (not caller and host in addresses):
                    del missing[node]
            if name not in told:
                told.add(name)
                yield _verdict(name, str(nodes[identity.me - 1]), reason)
    for node in missing:
        yield Finding(
            "way back",
            "wrong",
            f"{node} runs, but does not call this machine",
            f"let the firewall here admit it to port {nodes[identity.me - 1].link_port} "
            "(deploy/nftables.conf), and see whether this node is in its `nodes`: `memrep status` there tells",
        )


def _callers(links: Sequence[Listener], wait_s: float) -> Iterator[tuple[socket.socket, str]]:
    """Yield those who have come, with the address from which they call."""
    socks = [listener.sock for listener in links if listener.sock is not None]
    for sock in select.select(socks, [], [], wait_s)[0]:
        with suppress(OSError):
            accepted, address = sock.accept()
            yield accepted, plain_host(str(address[0]))


def _heard(sock: socket.socket, identity: Identity) -> tuple[int, str] | None:
    """Return the number of the node that calls, 0 if it would be turned away; and why it would be.

    None if it does not say who it is: it has called some time ago, and given up. It will call again.
    """
    incoming = Incoming(identity, secrets.token_bytes(NONCE_BYTES))
    try:
        sock.settimeout(_GREETING_S)
        sock.sendall(incoming.unsaid)
        while incoming.node is None:
            data = sock.recv(_BYTES)
            if not data:
                return None
            incoming.receive(data)
    except PeerError as error:
        return 0, str(error)
    except OSError:
        return None
    return incoming.node, ""


def _who(host: str, places: Mapping[Address, frozenset[str]]) -> str:
    """Return the name of the node at this address, if it is that of one only; else the address."""
    found = [node for node, addresses in places.items() if host in addresses]
    return str(found[0]) if len(found) == 1 else host


def _verdict(caller: str, me: str, reason: str) -> Finding:
    if not reason:
        return Finding("way back", "ok", f"{caller} calls this machine, and would be let in")
    return Finding(
        "way back",
        "wrong",
        f"{caller} calls this machine, and would be turned away: {with_names(reason, caller, me)}",
        "make both servers' configuration agree; all nodes have the same list, terms and secret",
    )
