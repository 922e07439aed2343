"""The port at which a node tells of itself by HTTP, for those who watch it from elsewhere.

Theory: what the admin socket tells is told here, too, but to whoever reaches the port. So nothing can be done
here, and nothing is told that is a client's: no key, no session, no address. It is not there unless asked for,
and then for this machine only, unless told otherwise.

It is had at the start, and listens from then on in whatever state the node is.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

import attrs

from memrep.addresses import Address, plain_host
from memrep.daemon.listener import Listener, close_all
from memrep.daemon.local_address import bind_http_port, is_own, is_private
from memrep.errors import AbsentError, UsageError
from memrep.events import HTTP_OPEN_TO_STRANGERS, Line

_DEFAULT_HOST: Final = "127.0.0.1"
_PORT_MAX: Final = 65_535


def parse_http(said: str, taken: tuple[int, ...]) -> Address | None:
    """Return where to tell of this node by HTTP (`--http`); None for nowhere.

    Args:
        said: what was given.
        taken: ports that this node has another use for.

    Raises:
        UsageError: it is no port, or one that is taken, or at no address of this machine.
    """
    if not said:
        return None
    host, _, digits = said.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= _PORT_MAX):
        raise UsageError(f"--http {said} is no port; write --http 31211 or --http 10.1.1.1:31211")
    if int(digits) in taken:
        raise UsageError(f"--http {said}: this node has another use for that port; give one of its own")
    address = Address(plain_host(host.strip("[]")) if host else _DEFAULT_HOST, int(digits))
    if not is_own(address.host):
        raise AbsentError(
            f"--http {said}: {address.host} is no address of this machine; leave it out for this machine only, "
            "or give 0.0.0.0 (or ::) for all of its addresses"
        )
    return address


def warning_of_http(address: Address | None) -> Line | None:
    """Tell who can ask here whom nobody may want to; None if only this machine and private networks can."""
    if address is None or is_private(address.host):
        return None
    return HTTP_OPEN_TO_STRANGERS(listen=str(address))


@attrs.frozen
class HttpPort:
    """The port.

    Attributes:
        listeners: they listen; none if there is no such port.
        names: of this machine, by which it may be asked.
    """

    listeners: list[Listener]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, address: Address | None, me: Address) -> HttpPort:
        """Have the port.

        Args:
            address: where it is to be; None for nowhere.
            me: this node, as its clients know it.

        Raises:
            UsageError: it cannot be had.
        """
        if address is None:
            return cls([])
        return cls(bind_http_port(address.host, address.port), (address.host, me.host, *_names_of_machine()))

    @property
    def sockets(self) -> list[socket.socket]:
        """Return the sockets that listen."""
        return [listener.sock for listener in self.listeners if listener.sock is not None]

    def close(self) -> None:
        """Give it up."""
        close_all(self.listeners)


def _names_of_machine() -> list[str]:
    """Return the name of this machine, and the whole one if the resolver knows it. That may take seconds."""
    name = socket.gethostname()
    names = [name]
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        names += [canonical for _, _, _, canonical, _ in found if canonical]
    return names
