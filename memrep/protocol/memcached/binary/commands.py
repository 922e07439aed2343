"""The binary protocol of memcached 1.6 (its doc/protocol-binary.txt), as libmemcached and PHP use it.

Theory: as in the text protocol one `execute` handles all packets that have come whole. A header says how long a
packet is and what shape its command demands, so a packet is judged by its header alone, before its body is
waited for: what has the wrong shape costs the client its connection, as in memcached, and what is too large is
passed over without being kept. A quiet opcode does what its loud sibling does; it only keeps silent about what
one expects: a store that succeeds, a get that finds nothing.

The rule on order is that of replies.py: behind a reply that is open only plain writes are executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.operations import NO_MEMORY, TOO_LARGE, Outcome
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.command import Said
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK, Dialect, ServerContext
from memrep.protocol.memcached.binary import (
    administration,
    auth,
    in_place,
    packet,
    retrieval,
    storage,
)
from memrep.protocol.memcached.binary.client import BinaryClient
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, OK, error
from memrep.protocol.memcached.binary.request import Request
from memrep.protocol.memcached.binary.shapes import BODY_MAX, SHAPES
from memrep.protocol.memcached.kinds import SHOWING_OPCODES, STORING, WRITING_OPCODES
from memrep.protocol.memcached.limits import KEY_BYTES_MAX
from memrep.protocol.memcached.lookahead import packets
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX

_SASL: Final = frozenset([packet.SASL_LIST, packet.SASL_AUTH, packet.SASL_STEP])
_BEFORE_LOGIN: Final = _SASL | {packet.VERSION}
_RETRIEVALS: Final = frozenset([packet.GET, packet.GETK, packet.GAT, packet.GATK])

#: What each opcode does, quiet or not: with its request, the extras and the value of its packet.
_COMMANDS: Final[dict[int, Callable[[BinaryClient, Request, bytes, bytes], None]]] = {
    packet.GET: retrieval.get,
    packet.GETK: retrieval.get,
    packet.GAT: retrieval.gat,
    packet.GATK: retrieval.gat,
    packet.SET: storage.set,
    packet.ADD: storage.add,
    packet.REPLACE: storage.replace,
    packet.APPEND: storage.append,
    packet.PREPEND: storage.append,
    packet.TOUCH: in_place.touch,
    packet.DELETE: in_place.delete,
    packet.INCR: in_place.incr,
    packet.DECR: in_place.decr,
    packet.FLUSH: in_place.flush,
    packet.NOOP: administration.noop,
    packet.VERSION: administration.version,
    packet.QUIT: administration.quit,
    packet.STAT: administration.stat,
    packet.SASL_LIST: auth.mechanisms,
    packet.SASL_AUTH: auth.auth,
    packet.SASL_STEP: auth.step,
}


class Binary(Dialect):
    """What one client of the binary protocol says; see `dialect.Dialect`."""

    __slots__ = ("_client",)

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._client = BinaryClient(connection, engine, commands, context)

    def answers_retrieval(self, replies: bytes) -> bool:
        """Tell whether one of these packets answers a retrieval."""
        return any(packet.QUIET.get(opcode, opcode) in _RETRIEVALS for opcode, _ in _cut(replies))

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """Return the whole commands in `data` from `start`, of which none is executed."""
        return packets(data, start)

    def execute(self, data: bytes, start: int) -> int:
        """Execute the packets in `data` from `start`; return where the first unfinished one begins."""
        client = self._client
        connection, replies = client.connection, client.replies
        flow, gate = connection.flow, connection.gate
        size = len(data)
        done = 0
        connection.need = 0
        while (
            not connection.closing
            and (connection.size < OUTPUT_MAX and len(replies.queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
        ):
            if client.skip:
                passed = min(client.skip, size - start)
                client.skip -= passed
                start += passed
            if size - start < HEADER_BYTES:
                connection.need = HEADER_BYTES if size > start else 0
                return start
            magic, opcode, keys, extras, _, _, length, opaque, cas = HEADER.unpack_from(data, start)
            base = packet.QUIET.get(opcode, opcode)
            out_of_order = replies.queue and not (replies.plain and base == packet.SET and not cas)
            if out_of_order or (
                flow.tight and connection.waits(base in WRITING_OPCODES, base in SHOWING_OPCODES)
            ):
                break
            body = start + HEADER_BYTES
            status = _judge(client, magic, base, extras, keys, length)
            if status != OK:
                _reject(client, magic, opcode, opaque, status)
                client.skip = length
                start = body
                continue
            begin = body + extras
            refusal = _refusal(client, base, keys, length - extras - keys, size < body + length)
            if refusal is not None:
                if size < begin + keys:
                    connection.need = HEADER_BYTES + extras + keys
                    return start
                _refuse(
                    client,
                    Request(opcode, base, opcode != base, opaque, cas, data[begin : begin + keys]),
                    refusal,
                )
                client.skip = length
                start = body
                continue
            if size < body + length:
                connection.need = HEADER_BYTES + length
                return start
            key = data[begin : begin + keys]
            request = Request(opcode, base, opcode != base, opaque, cas, key)
            if client.prefixes.on:
                _note(client, base, key)
            connection.next = body + length
            _COMMANDS[base](client, request, data[body:begin], data[begin + keys : body + length])
            if gate is not None and gate.deferred:
                return start
            if body + length == size:
                return size
            start = body + length
            done += 1
        connection.stopped = not connection.closing
        return start


def _judge(client: BinaryClient, magic: int, base: int, extras: int, key: int, length: int) -> int:
    """Return what is wrong with a header; a mistake about lengths ends the connection, nothing else does."""
    login = client.login
    value = length - extras - key
    shape = SHAPES.get(base)
    if magic != packet.REQUEST or value < 0:
        client.connection.closing = True
        return packet.UNKNOWN
    if login is not None and not login.admitted and base not in _BEFORE_LOGIN:
        client.connection.closing = True
        return packet.AUTH_ERROR
    if key > KEY_BYTES_MAX:
        client.connection.closing = True
        return packet.INVALID
    if shape is None:
        return packet.UNKNOWN
    if not shape.fits(extras, key, value) or (base not in STORING and length > BODY_MAX):
        client.connection.closing = True
        return packet.INVALID
    return packet.UNKNOWN if base in _SASL and login is None else OK


def _reject(client: BinaryClient, magic: int, opcode: int, opaque: int, status: int) -> None:
    """Say what is wrong with a header; what is no request at all is not answered."""
    if magic == packet.REQUEST:
        client.out.append(error(opcode, opaque, status))


def _refusal(client: BinaryClient, base: int, keys: int, value: int, unfinished: bool) -> Outcome | None:
    """Return why a packet is refused before its value is looked at, if it is."""
    if base not in STORING:
        return None
    if client.engine.item_limit.too_large(b"-" * keys, 0, value):
        return TOO_LARGE
    return NO_MEMORY if unfinished and client.connection.refused else None


def _refuse(client: BinaryClient, request: Request, reason: Outcome) -> None:
    """Refuse a value; as in memcached, a set that fails leaves no old value behind."""
    client.connection.refused = False
    client.engine.counters.store_too_large += reason is TOO_LARGE
    client.engine.counters.store_no_memory += reason is NO_MEMORY
    if request.base == packet.SET:
        client.show(client.engine.refuse(request.key, reason), request.stored)
    else:
        client.out.append(request.fails(packet.STATUS[reason]))


def _note(client: BinaryClient, base: int, key: bytes) -> None:
    """Count a command for `stats detail`."""
    if base in STORING:
        client.prefixes.stored(key)
    elif base == packet.DELETE:
        client.prefixes.deleted(key)
    elif base in _RETRIEVALS or base == packet.TOUCH:
        client.prefixes.got(key, client.engine.peek(key) is not None)


def _cut(replies: bytes) -> Iterator[tuple[int, int]]:
    """Yield the opcode and the end of each packet."""
    start = 0
    while start < len(replies):
        _, opcode, _, _, _, _, length, _, _ = HEADER.unpack_from(replies, start)
        end = start + HEADER_BYTES + length
        yield opcode, end
        start = end
