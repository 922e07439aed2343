"""This machine: which address of the list is its own, and whether a port can be had.

An address is this machine's if a socket can be bound to it. That asks the kernel itself and needs neither a
list of interfaces nor any privilege, so it works the same in a container and under a strict systemd unit.
"""

from __future__ import annotations

import ipaddress
import socket

from memrep.daemon.listener import Listener
from memrep.errors import UsageError
from memrep.nodes import Address, plain_host


def is_own(host: str) -> bool:
    """Whether a socket can be bound to this host's address."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    for family, kind, proto, _, target in found:
        with socket.socket(family, kind, proto) as sock:
            try:
                sock.bind((target[0], 0))
            except OSError:
                continue
            return True
    return False


def find_self(nodes: list[Address], named: Address | None) -> Address:
    """Which of the nodes this machine is.

    Args:
        nodes: all of them.
        named: what the operator gave as --self, if anything.

    Raises:
        UsageError: none of them is this machine's, several are, or `named` is not in the list.
    """
    listed = " ".join(map(str, nodes))
    if named is not None:
        if named not in nodes:
            raise UsageError(f"--self {named} is not in --nodes ({listed}); give one of these")
        return named
    own = [node for node in nodes if is_own(node.host)]
    if len(own) == 1:
        return own[0]
    if own:
        which = " ".join(map(str, own))
        raise UsageError(f"several of --nodes are on this machine ({which}); say which one this is with --self")
    raise UsageError(
        f"none of --nodes ({listed}) is an address of this machine; correct the list, or give --self"
    )


def check_listen(named: str | None, own: str) -> str:
    """Where to listen: as the operator said, else at this node's own address, but never in public by accident.

    Args:
        named: what the operator gave as --listen, if anything.
        own: this node's host in --nodes.

    Raises:
        UsageError: the address is none of this machine's, or in public and not named.
    """
    if named is None:
        if not is_private(own):
            raise UsageError(
                f"{own} can be reached by strangers; put private addresses into --nodes, "
                f"or say --listen {own} if that is meant (it warns of what to protect then)"
            )
        return own
    try:
        ipaddress.ip_address(named)
    except ValueError:
        if not is_own(named):
            raise UsageError(f"--listen {named} is no address of this machine") from None
    return named


def address_of(host: str) -> str:
    """The address that this name stands for here; the name itself if that cannot be told."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return host


def is_private(host: str) -> bool:
    """Whether only this machine or a private network can reach this host; nobody's names count as private."""
    try:
        address = ipaddress.ip_address(plain_host(address_of(host)))
    except ValueError:
        return True
    return not (address.is_global or address.is_unspecified)


def source_of_links(host: str) -> str:
    """The address from which this node has to call the others, who know it by this host; "" for any.

    A machine may have several addresses, and the kernel would take the first that fits. On loopback each does.
    """
    found = address_of(host)
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return ""
    return found if is_own(found) and not (address.is_loopback or address.is_unspecified) else ""


def bind_link_port(address: Address, host: str) -> Listener:
    """Where the other nodes come in; it listens.

    Raises:
        UsageError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = Listener(family, (host, address.link_port))
        listener.listen()
    except OSError as error:
        raise port_error(host, address.link_port, error, "for the other nodes") from None
    return listener


def port_error(host: str, port: int, error: OSError, use: str) -> UsageError:
    """The one line that an operator needs when a port cannot be had."""
    return UsageError(
        f"cannot listen on {host}:{port} {use}: {error.strerror}; "
        f"see who has it with `ss -ltnp 'sport = :{port}'`, or choose another port"
    )
