"""This machine: which address of the list is its own, and whether a port can be had.

An address is this machine's if a socket can be bound to it. That asks the kernel itself and needs neither a
list of interfaces nor any privilege, so it works the same in a container and under a strict systemd unit.
"""

from __future__ import annotations

import ipaddress
import socket

from memrep.errors import UsageError
from memrep.nodes import Address


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


def check_listen(host: str) -> None:
    """Refuse to face the public by accident.

    Raises:
        UsageError: the address is none.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not is_own(host):
            raise UsageError(f"--listen {host} is no address of this machine") from None


def address_of(host: str) -> str:
    """The address that this name stands for here; the name itself if that cannot be told."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return host


def is_private(host: str) -> bool:
    """Whether only this machine or a private network can reach this address; names are taken for private."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    return (address.is_private or address.is_loopback) and not address.is_unspecified


def bind_link_port(address: Address, host: str) -> socket.socket:
    """A listening socket for the other nodes.

    Raises:
        UsageError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, address.link_port))
        sock.listen(64)
    except OSError as error:
        sock.close()
        raise port_error(host, address.link_port, error, "for the other nodes") from None
    return sock


def port_error(host: str, port: int, error: OSError, use: str) -> UsageError:
    """The one line that an operator needs when a port cannot be had."""
    return UsageError(
        f"cannot listen on {host}:{port} {use}: {error.strerror}; "
        f"see who has it with `ss -ltnp 'sport = :{port}'`, or choose another port"
    )
