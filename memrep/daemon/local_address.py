"""This machine: which address of the list is its own, and whether a port can be had.

An address is this machine's if a socket can be bound to it. That asks the kernel itself and needs neither a
list of interfaces nor any privilege, so it works the same in a container and under a strict systemd unit.

A name may stand for several addresses (names.py): a node listens at all of them that are this machine's.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from memrep.addresses import Address, plain_host
from memrep.daemon.guard import in_words
from memrep.daemon.listener import Listener, close_all
from memrep.daemon.names import Endpoint, is_loopback, look_up
from memrep.errors import AbsentError, UsageError

_CORRECT: Final = "correct /etc/hosts or DNS on this machine, or write addresses into --nodes"

#: Nothing is ever sent there.
_ANY_PORT: Final = 9

#: What bind(2) says of an address that is not this machine's.
_ELSEWHERE: Final = frozenset([errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])


def _own_endpoints(host: str) -> Iterator[Endpoint]:
    """Yield those endpoints of this host to which a socket can be bound."""
    try:
        found = look_up(host)
    except (OSError, UnicodeError):
        return
    for endpoint in found:
        try:
            with socket.socket(endpoint.family, socket.SOCK_STREAM) as sock:
                sock.bind(endpoint.where)
        except OSError:
            continue
        yield endpoint


def is_own(host: str) -> bool:
    """Tell whether a socket can be bound to an address of this host."""
    return any(True for _ in _own_endpoints(host))


def _only_here(host: str) -> str:
    """Return the loopback address that this name stands for, if it stands for nothing else here; or empty."""
    hosts = addresses_of(host)
    return hosts[0] if hosts and all(map(is_loopback, hosts)) and hosts != [plain_host(host)] else ""


def find_self(nodes: list[Address], named: Address | None) -> Address:
    """Find out which of the nodes this machine is.

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
        wrong = [f"{node.host} stands for {here} here" for node in own if (here := _only_here(node.host))]
        hint = f"; {', '.join(wrong)}: if that is wrong, {_CORRECT}" if wrong else ""
        raise UsageError(
            f"several of --nodes are on this machine ({which}); say which one this is with --self{hint}"
        )
    unknown = [node.host for node in nodes if not addresses_of(node.host)]
    hint = f"; nothing is known here of {' '.join(unknown)}: {_CORRECT}" if unknown else ""
    raise AbsentError(
        f"none of --nodes ({listed}) is an address of this machine{_what_it_has(nodes[0].host)}; correct the "
        f"list, or behind NAT or in a container give --self and --listen 0.0.0.0 (or ::){hint}"
    )


def check_own_name(nodes: list[Address], me: Address, named: str | None) -> None:
    """Check that the others can find this node where it would listen.

    Debian's installer writes the machine's own name beside 127.0.1.1 into /etc/hosts. Everybody else is told
    another address, and calls in vain.

    Args:
        nodes: all of them.
        me: this one.
        named: what the operator gave as --listen, if anything.

    Raises:
        UsageError: its name stands for nothing but loopback here, and others are elsewhere.
    """
    here = _only_here(me.host)
    if named is None and here and not all(is_own(node.host) for node in nodes):
        raise UsageError(
            f"{me.host} stands for {here} on this machine, where the other nodes cannot reach it; take it out "
            "of that line of /etc/hosts (Debian puts it there), so that it means the address that the others "
            "know, or write addresses into --nodes, or give --listen"
        )


def check_listen(named: str | None, own: str) -> str:
    """Return where to listen: as the operator said, else at this node's own address; never in public by chance.

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
            raise AbsentError(f"--listen {named} is no address of this machine") from None
    return named


def addresses_of(host: str) -> list[str]:
    """Return the addresses that this host stands for here; none if that cannot be told."""
    try:
        return [endpoint.host for endpoint in look_up(host)]
    except (OSError, UnicodeError):
        return []


def is_private(host: str) -> bool:
    """Tell whether only this machine or a private network reaches this host; unknown names count as private."""
    found = [ipaddress.ip_address(one.partition("%")[0]) for one in addresses_of(host)]
    return not any(address.is_global or address.is_unspecified for address in found)


def sources_of_links(host: str) -> list[Endpoint]:
    """Return the endpoints from which this node may call the others, who know it by this host; none for any.

    A machine may have several addresses, and the kernel would take the first that fits. On loopback each does.
    """
    return [
        endpoint
        for endpoint in _own_endpoints(host)
        if not is_loopback(endpoint.host) and not ipaddress.ip_address(endpoint.host).is_unspecified
    ]


def bind_client_port(host: str, port: int) -> list[Listener]:
    """Bind the port where clients come in, at every address of this host that is this machine's.

    Raises:
        UsageError: it cannot be had.
    """
    return _bind(host, port, "for clients")


def bind_link_port(address: Address, host: str) -> list[Listener]:
    """Bind the port where the other nodes come in, at every address of this host; it listens.

    Raises:
        UsageError: it cannot be had.
    """
    return _listen(host, address.link_port, "for the other nodes")


def bind_http_port(host: str, port: int) -> list[Listener]:
    """Bind the port where an operator's programs come in, at every address of this host; it listens.

    Raises:
        UsageError: it cannot be had.
    """
    return _listen(host, port, "for HTTP")


def _listen(host: str, port: int, use: str) -> list[Listener]:
    listeners = _bind(host, port, use)
    try:
        for listener in listeners:
            listener.listen()
    except OSError as error:
        close_all(listeners)
        raise port_error(host, port, error, use) from None
    return listeners


def _bind(host: str, port: int, use: str) -> list[Listener]:
    try:
        found = look_up(host, port)
    except (OSError, UnicodeError) as error:
        reason = f"{host} stands for no address on this machine ({in_words(error)}); {_CORRECT}"
        raise AbsentError(f"cannot listen on {host}:{port} {use}: {reason}") from None
    listeners: list[Listener] = []
    elsewhere: OSError | None = None
    for endpoint in found:
        try:
            listeners.append(Listener(endpoint.family, endpoint.where))
        except OSError as error:
            if error.errno in _ELSEWHERE:
                elsewhere = error
                continue
            close_all(listeners)
            raise port_error(endpoint.host, port, error, use) from None
    if not listeners and elsewhere is not None:
        raise port_error(host, port, elsewhere, use)
    return listeners


def port_error(host: str, port: int, error: OSError, use: str) -> AbsentError:
    """Return the error with the one line that an operator needs when a port cannot be had."""
    remedy = (
        f"{host} is no address of this machine{_what_it_has(host)}; behind NAT or in a container give --listen "
        "0.0.0.0 (or ::)"
        if error.errno in _ELSEWHERE
        else f"see who has it with `ss -ltnp 'sport = :{port}'`, or choose another port"
    )
    return AbsentError(f"cannot listen on {host}:{port} {use}: {error.strerror}; {remedy}")


def _what_it_has(host: str) -> str:
    """Tell from which address this machine would call that host, in brackets; empty if from none.

    A datagram socket that is connected sends nothing, but has the address that the kernel would take.
    """
    with suppress(OSError, UnicodeError):
        for endpoint in look_up(host, _ANY_PORT):
            with suppress(OSError), socket.socket(endpoint.family, socket.SOCK_DGRAM) as sock:
                sock.connect(endpoint.where)
                own = str(sock.getsockname()[0])
                return "" if is_loopback(own) else f" (it has {own})"
    return ""
