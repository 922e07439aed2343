"""What programs ask a server by the binary protocol: noop version quit stat.

protocol-binary.txt, "No-op", "Version", "Quit", "Stat". A list of statistics is a packet for each and an empty
one behind them.
"""

from __future__ import annotations

from memrep.engine.operations import NOT_FOUND
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.client import BinaryClient
from memrep.protocol.memcached.binary.packet import response
from memrep.protocol.memcached.binary.request import Request
from memrep.protocol.memcached.kinds import SLOWNESS


def noop(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Do nothing; the reply tells that all before it have been answered."""
    client.out.append(request.done())


def version(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Tell which memrep this is."""
    client.out.append(request.done(value=client.context.version))


def quit(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Read nothing more."""
    client.out.append(request.done())
    client.connection.closing = True


def stat(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Tell a group of the statistics, or begin them anew."""
    if request.key == b"reset":
        client.context.reset()
        client.out.append(request.done())
        return
    if request.key.startswith(b"detail"):
        _detail(client, request)
        return
    report = client.context.reports.get(request.key)
    if report is None:
        client.out.append(request.fails(packet.STATUS[NOT_FOUND]))
        return
    lines = [
        response(request.opcode, request.opaque, key=name.encode(), value=str(figure).encode())
        for name, figure in report()
    ]
    client.connection.size += sum(map(len, lines)) * SLOWNESS
    client.out.extend(lines)
    client.out.append(request.done())


def _detail(client: BinaryClient, request: Request) -> None:
    """Execute `stats detail`; memcached answers a dump by one line of statistics that holds them all."""
    prefixes = client.context.prefixes
    order = request.key.removeprefix(b"detail ")
    if order not in (b"on", b"off", b"dump"):
        client.out.append(request.fails(packet.STATUS[NOT_FOUND]))
        return
    if order == b"dump":
        block = response(request.opcode, request.opaque, key=b"detailed", value=prefixes.dump())
        client.connection.size += len(block) * SLOWNESS
        client.out.append(block)
    else:
        prefixes.on = order == b"on"
    client.out.append(request.done())
