"""Storage by the binary protocol: set add replace append prepend (protocol-binary.txt, "Set, Add, Replace").

A cas unique in the header makes a compare-and-swap of set, add and replace alike, and a condition of append and
prepend.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from memrep.engine import operations
from memrep.engine.operations import Operation, Result
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.client import BinaryClient, exptime_of
from memrep.protocol.memcached.binary.request import Request
from memrep.protocol.memcached.limits import deadline
from memrep.storage.entry import Entry
from memrep.storage.version import ZERO


def set(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Store a value."""
    flags, sent = int.from_bytes(extras[:4], "big"), exptime_of(extras[4:])
    ends = deadline(client.engine.clock, sent)
    if request.cas:
        _swap(client, request, flags, ends, value)
        return
    result = client.commands.set(request.key, flags, ends, value, sent=sent, show=True, quiet=request.quiet)
    client.show(result, request.stored, plain=True)


def add(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Store a value where there is none."""
    flags, ends = int.from_bytes(extras[:4], "big"), client.deadline(extras[4:])
    if request.cas:
        _swap(client, request, flags, ends, value)
    else:
        client.show(client.commands.add(request.key, flags, ends, value, show=True), request.stored)


def replace(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Store a value where there is one."""
    flags, ends = int.from_bytes(extras[:4], "big"), client.deadline(extras[4:])
    if request.cas:
        _swap(client, request, flags, ends, value)
    else:
        new = Entry(ZERO, value, flags, ends)
        _store_if(client, request, len(value), operations.replace(new))


def _swap(client: BinaryClient, request: Request, flags: int, ends: int, value: bytes) -> None:
    """Store a value where its key has this cas unique: with one in its header each of the three does that."""
    new = Entry(ZERO, value, flags, ends)
    decide = operations.compare_and_swap(new, request.cas)
    _store_if(client, request, len(value), decide, client.engine.counters.count_cas)


def append(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Put something behind a value, or by prepend before it."""
    fits = partial(client.engine.item_limit.fits, request.key)
    before, behind = (value, b"") if request.base == packet.PREPEND else (b"", value)
    _store_if(
        client, request, len(value), operations.when_cas(request.cas, operations.extend(before, behind, fits))
    )


def _store_if(
    client: BinaryClient,
    request: Request,
    length: int,
    decide: Operation,
    count: Callable[[Result], None] | None = None,
) -> None:
    result = client.commands.store_if(request.key, length, operations.showing(decide), count)
    client.show(result, request.stored)
