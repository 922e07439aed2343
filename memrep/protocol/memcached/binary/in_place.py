"""Commands of the binary protocol that change what is there and bring no value: incr decr touch delete flush.

protocol-binary.txt, "Delete", "Increment, Decrement", "Touch", "Flush". A cas unique in the header is a
condition of delete, incr and decr.
"""

from __future__ import annotations

from memrep.engine import operations
from memrep.engine.operations import NOT_FOUND, Operation
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.client import BinaryClient, exptime_of
from memrep.protocol.memcached.binary.request import Request
from memrep.protocol.memcached.flush_all import flush_all
from memrep.storage.entry import Entry
from memrep.storage.version import ZERO


def touch(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Let a value end anew."""
    result = client.commands.touch(request.key, client.deadline(extras), show=True)
    client.show(result, request.touched)


def delete(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Remove a value."""
    engine = client.engine
    if request.cas:
        remove = operations.remove(engine.tombstone(), operations.DELETED, NOT_FOUND)
        decide = operations.when_cas(request.cas, remove)
        result = client.commands.modify(request.key, decide, engine.counters.counted("delete"))
    else:
        result = client.commands.delete(request.key, quiet=request.quiet)
    client.show(result, request.removed)


def incr(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Add to a number, or make it."""
    initial = _initial(client, extras)
    delta = int.from_bytes(extras[:8], "big")
    if request.cas:
        _calculate(client, request, operations.incr(delta), "incr", initial)
    else:
        result = client.commands.incr(request.key, delta, initial, show=True)
        client.show(result, request.counted)


def decr(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Subtract from a number, or make it."""
    delta = int.from_bytes(extras[:8], "big")
    _calculate(client, request, operations.decr(delta), "decr", _initial(client, extras))


def _initial(client: BinaryClient, extras: bytes) -> Entry | None:
    """Return what incr and decr store where there is nothing."""
    exptime = int.from_bytes(extras[16:], "big")
    if exptime == packet.NO_INITIAL:
        return None
    number = int.from_bytes(extras[8:16], "big")
    return Entry(ZERO, b"%d" % number, 0, client.deadline(extras[16:]))


def _calculate(
    client: BinaryClient, request: Request, decide: Operation, verb: str, initial: Entry | None
) -> None:
    decide = operations.when_cas(request.cas, decide)
    if initial is not None:
        decide = operations.otherwise(initial, decide)
    result = client.commands.modify(
        request.key, operations.showing(decide), client.engine.counters.counted(verb)
    )
    client.show(result, request.counted)


def flush(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """End all values, now or after a delay."""
    if not client.context.flush_all:
        client.engine.counters.cmd_flush += 1
        client.out.append(request.fails(packet.AUTH_ERROR))
        return
    client.show(flush_all(client.engine, exptime_of(extras)), lambda result: request.done())
