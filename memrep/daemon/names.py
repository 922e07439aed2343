"""Names: which addresses the hosts in --nodes stand for, now and on this machine; and how a host is called.

Problem: a name may stand for several addresses, of both families, and not for the same ones everywhere or for
ever. A node that listens at one of its own and calls only the first of another's is not found by nodes that see
them in another order: the cluster falls apart into nodes that each serve alone.

Rule: a node listens at all addresses of its own name (local_address.py), and calls those of another one in
turn, each a moment after the one before or at once when that has failed; the first that answers counts. The one
that answered last time is the first to be called.

Names are looked up again for each attempt, in a thread (resolver.py), one look-up at a time for each name: the
resolver may take many seconds, and then those addresses are called that are known from before.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 (else the resolver loads it when it is first asked, from a disk that may be gone)
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
import trio

from memrep.addresses import Address, plain_host
from memrep.daemon.guard import in_words

#: How many addresses of one name are called, and how long all of that may take.
ENDPOINTS_MAX: Final = 8
_CONNECT_S: Final = 0.4

#: How long after one address the next one is called, if that one is silent; less if there are many.
_STAGGER_S: Final = 0.1
_STAGGERS_S: Final = 0.3

#: How long an attempt waits for the resolver, if addresses are known already, and if none is.
_KNOWN_S: Final = 0.1
_UNKNOWN_S: Final = 0.5

#: After so long a look-up is given up, for the operator to hear of it.
_LOST_S: Final = 6.0

#: Why a name may not be looked up, or a peer not be called now. A LookupError it is if the codec for names
#: cannot be loaded.
NOT_NOW: Final = (OSError, UnicodeError, LookupError, MemoryError)

#: What the other side's kernel says if nobody listens.
REFUSES: Final = "its port refuses"
SILENT: Final = "it does not answer"


@attrs.frozen
class Endpoint:
    """An address at which a host may be called.

    Attributes:
        family: of the address.
        where: as the kernel takes it, with the port.
    """

    family: int
    where: tuple[Any, ...]

    @property
    def host(self) -> str:
        """Return the address alone, in its one spelling."""
        return plain_host(str(self.where[0]))


def endpoints(found: Iterable[tuple[Any, ...]]) -> list[Endpoint]:
    """Return what the resolver has found, each once."""
    return list(dict.fromkeys(Endpoint(family, where) for family, _, _, _, where in found))


def look_up(host: str, port: int = 0) -> list[Endpoint]:
    """Return all endpoints of this host. It may take seconds: for the start only.

    Raises:
        OSError, UnicodeError: it has none that is known here.
    """
    return endpoints(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))


def is_loopback(host: str) -> bool:
    """Tell whether this address reaches this machine only; no name does, for all that is known here."""
    with suppress(ValueError):
        return ipaddress.ip_address(plain_host(host)).is_loopback
    return False


class Whereabouts:
    """Where one peer lives.

    Args:
        address: as it stands in the list of nodes.
        found: told the addresses that its name stands for, after each look-up; none if it has failed.

    Attributes:
        address: as it stands in the list of nodes.
        endpoints: those that were found last.
        problem: why the last look-up has failed; empty if it has not.
    """

    def __init__(self, address: Address, found: Callable[[Iterable[str]], None]) -> None:
        self.address = address
        self.endpoints: list[Endpoint] = []
        self.problem = ""
        self._found = found
        self._asked = trio.Event()
        self._answered = trio.Event()

    def begin_anew(self) -> None:
        """Forget what former tasks waited for: those that ask and look up begin, maybe once again."""
        self._asked = trio.Event()
        self._answered = trio.Event()

    async def keep(self) -> None:
        """Look the name up whenever it is asked for, for ever."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            await self._look_up()
            answered, self._answered = self._answered, trio.Event()
            answered.set()

    async def _look_up(self) -> None:
        host, port = self.address.host, self.address.link_port
        try:
            with trio.fail_after(_LOST_S):
                found = endpoints(await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (*NOT_NOW, trio.TooSlowError) as error:
            self.problem = in_words(error) if isinstance(error, NOT_NOW) else "the resolver does not answer"
            self._found(())
        else:
            self.endpoints, self.problem = found[:ENDPOINTS_MAX], ""
            self._found([endpoint.host for endpoint in found])

    async def ask(self) -> list[Endpoint]:
        """Return where it lives, by a fresh look-up if that is done soon, else by the last one."""
        answered = self._answered
        self._asked.set()
        with trio.move_on_after(_KNOWN_S if self.endpoints else _UNKNOWN_S):
            await answered.wait()
        return self.endpoints

    def why(self, outcomes: Sequence[tuple[Endpoint, str]]) -> str:
        """Tell why the peer could not be called, in words for the operator: which addresses were tried."""
        host = self.address.host
        if not outcomes:
            reason = self.problem or "the resolver does not answer"
            return (
                f"{host} stands for no address on this machine ({reason}); correct /etc/hosts or DNS here, or "
                "write its address into --nodes"
            )
        if [endpoint.host for endpoint, _ in outcomes] == [host]:
            return outcomes[0][1]
        return ", ".join(f"{endpoint.host}: {outcome}" for endpoint, outcome in outcomes)


class Call:
    """One attempt to reach a host at any of its endpoints.

    Args:
        first: the endpoint to be called first, if it is among them: where it answered last time.
        own: this node's own addresses, from which the others expect it to call.
        refused: told at once of an endpoint whose port refuses.

    Attributes:
        outcomes: what has become of each endpoint that was called.
        endpoint: the one that has answered.
    """

    def __init__(
        self, first: Endpoint | None, own: Sequence[Endpoint], refused: Callable[[Endpoint], None]
    ) -> None:
        self.endpoint: Endpoint | None = None
        self._first = first
        self._own = own
        self._refused = refused
        self._outcomes: dict[Endpoint, str] = {}
        self._sock: socket.socket | None = None

    @property
    def outcomes(self) -> list[tuple[Endpoint, str]]:
        """Return what has become of each endpoint, in the order in which the resolver named them."""
        return list(self._outcomes.items())

    async def connect(self, found: Sequence[Endpoint]) -> socket.socket | None:
        """Return a connected, non-blocking socket; None if no endpoint has answered in time."""
        self._outcomes = dict.fromkeys(found, SILENT)
        in_turn = sorted(found, key=lambda endpoint: endpoint != self._first)
        stagger = min(_STAGGER_S, _STAGGERS_S / len(found)) if found else 0
        with trio.move_on_after(_CONNECT_S):
            async with trio.open_nursery() as nursery:
                for endpoint in in_turn:
                    failed = trio.Event()
                    nursery.start_soon(self._try, endpoint, failed, nursery.cancel_scope)
                    with trio.move_on_after(stagger):
                        await failed.wait()
        return self._sock

    async def _try(self, endpoint: Endpoint, failed: trio.Event, others: trio.CancelScope) -> None:
        try:
            sock = await self._connect(endpoint)
        except ConnectionRefusedError:
            self._outcomes[endpoint] = REFUSES
            self._refused(endpoint)
        except NOT_NOW as error:
            self._outcomes[endpoint] = in_words(error)
        else:
            if self._sock is None:
                self._sock, self.endpoint = sock, endpoint
                others.cancel()
            else:
                sock.close()
        failed.set()

    async def _connect(self, endpoint: Endpoint) -> socket.socket:
        with trio.socket.socket(endpoint.family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2_000)
            source = source_towards(endpoint, self._own)
            if source is not None:
                with suppress(OSError):  # the address may have gone since the start
                    await sock.bind(source.where)
            await sock.connect(endpoint.where)
            plain = socket.socket(endpoint.family, socket.SOCK_STREAM, fileno=sock.detach())
        plain.setblocking(False)
        return plain


def source_towards(endpoint: Endpoint, own: Sequence[Endpoint]) -> Endpoint | None:
    """Return the endpoint from which to call this one, so that the other side knows the caller; None for any.

    A machine may have several addresses, and the kernel would take the first that fits. Where several of its
    own are known to the others it may choose among them.
    """
    fitting = [source for source in own if source.family == endpoint.family]
    if len(fitting) > 1:
        with suppress(OSError), socket.socket(endpoint.family, socket.SOCK_DGRAM) as sock:
            sock.connect(endpoint.where)  # sends nothing, but chooses a way
            if plain_host(sock.getsockname()[0]) in [source.host for source in fitting]:
                return None
    return fitting[0] if fitting else None
