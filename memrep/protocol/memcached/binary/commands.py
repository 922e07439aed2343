"""The binary protocol of memcached 1.6 (its doc/protocol-binary.txt), as libmemcached and PHP use it.

Theory: as in the text room one `execute` handles all packets that have come whole. A header says how long a
packet is and what shape its command demands, so a packet is judged by its header alone, before its body is
waited for: what has the wrong shape costs the client its connection, as in memcached, and what is too large is
passed over without being kept. A quiet opcode does what its loud sibling does; it only keeps silent about what
one expects: a store that succeeds, a get that finds nothing.

The rule on order is that of replies.py: behind a reply that is open only plain writes are executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from memrep.engine import operations
from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import LATER, NO_MEMORY, NOT_FOUND, TOO_LARGE, Operation, Outcome, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.command import Said
from memrep.protocol.connection import COMMANDS_A_LOOK, QUEUE_MAX, Connection, Dialect, ServerContext
from memrep.protocol.memcached.administration import SLOWNESS, flush_all
from memrep.protocol.memcached.binary import packet
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, OK, error, response
from memrep.protocol.memcached.binary.request import Request
from memrep.protocol.memcached.binary.shapes import BODY_MAX, SHAPES
from memrep.protocol.memcached.kinds import SHOWING_OPCODES, STORING, WRITING_OPCODES
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline
from memrep.protocol.memcached.lookahead import packets
from memrep.protocol.replies import OUTPUT_MAX
from memrep.storage.entry import Entry
from memrep.storage.version import ZERO

#: What no name of a SASL mechanism is longer than (RFC 4422 allows 20).
_MECHANISM_MAX: Final = 32

_SASL: Final = frozenset([packet.SASL_LIST, packet.SASL_AUTH, packet.SASL_STEP])
_BEFORE_LOGIN: Final = _SASL | {packet.VERSION}
_RETRIEVALS: Final = frozenset([packet.GET, packet.GETK, packet.GAT, packet.GATK])


class Binary(Dialect):
    """What one client of the binary protocol says; see `connection.Dialect`."""

    __slots__ = (
        "_admitted", "_asked", "_commands", "_connection", "_context", "_engine", "_out", "_prefixes",
        "_replies", "_skip", "_was_admitted",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._commands = commands
        self._context = context
        self._prefixes = context.prefixes
        self._replies = connection.replies
        self._out = connection.out
        self._admitted = context.users is None
        self._asked = False  # for the mechanism that there is
        self._was_admitted = False  # once; as in memcached nobody gets in twice
        self._skip = 0  # bytes of a refused body still to come

    # --- the dialect's contract

    def told(self, replies: bytes) -> bool:
        """Whether one of these packets answers a retrieval."""
        return any(packet.QUIET.get(opcode, opcode) in _RETRIEVALS for opcode, _ in _cut(replies))

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        """The whole commands in `data` from `start`, of which none is executed."""
        return packets(data, start)

    def execute(self, data: bytes, start: int) -> int:
        """Execute the packets in `data` from `start`; return where the first unfinished one begins."""
        connection, replies = self._connection, self._replies
        flow = connection.flow
        size = len(data)
        done = 0
        connection.need = 0
        while (
            not connection.closing
            and (connection.size < OUTPUT_MAX and len(replies.queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
        ):
            if self._skip:
                passed = min(self._skip, size - start)
                self._skip -= passed
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
            status = self._judge(magic, base, extras, keys, length)
            if status != OK:
                if magic == packet.REQUEST:
                    self._out.append(error(opcode, opaque, status))
                self._skip = length
                start = body
                continue
            begin = body + extras
            refusal = self._refusal(base, keys, length - extras - keys, size < body + length)
            if refusal is not None:
                if size < begin + keys:
                    connection.need = HEADER_BYTES + extras + keys
                    return start
                self._refuse(
                    Request(opcode, base, opcode != base, opaque, cas, data[begin : begin + keys]), refusal
                )
                self._skip = length
                start = body
                continue
            if size < body + length:
                connection.need = HEADER_BYTES + length
                return start
            key = data[begin : begin + keys]
            request = Request(opcode, base, opcode != base, opaque, cas, key)
            if self._prefixes.on:
                self._note(base, key)
            connection.next = body + length
            _COMMANDS[base](self, request, data[body:begin], data[begin + keys : body + length])
            if connection.wondering or body + length == size:
                return start if connection.wondering else size
            start = body + length
            done += 1
        connection.stopped = not connection.closing
        return start

    def _judge(self, magic: int, base: int, extras: int, key: int, length: int) -> int:
        """What is wrong with a header; a mistake about lengths ends the connection, nothing else does."""
        value = length - extras - key
        shape = SHAPES.get(base)
        if magic != packet.REQUEST or value < 0:
            self._connection.closing = True
            return packet.UNKNOWN
        if not self._admitted and base not in _BEFORE_LOGIN:
            self._connection.closing = True
            return packet.AUTH_ERROR
        if key > KEY_BYTES_MAX:
            self._connection.closing = True
            return packet.INVALID
        if shape is None:
            return packet.UNKNOWN
        if not shape.fits(extras, key, value) or (base not in STORING and length > BODY_MAX):
            self._connection.closing = True
            return packet.INVALID
        return packet.UNKNOWN if base in _SASL and self._context.users is None else OK

    def _refusal(self, base: int, keys: int, value: int, unfinished: bool) -> Outcome | None:
        """Why a packet is refused before its value is looked at, if it is."""
        if base not in STORING:
            return None
        if self._engine.item_limit.too_large(b"-" * keys, 0, value):
            return TOO_LARGE
        return NO_MEMORY if unfinished and self._connection.refused else None

    def _refuse(self, request: Request, reason: Outcome) -> None:
        """Refuse a value; as in memcached, a set that fails leaves no old value behind."""
        self._connection.refused = False
        self._engine.counters.store_too_large += reason is TOO_LARGE
        self._engine.counters.store_no_memory += reason is NO_MEMORY
        if request.base == packet.SET:
            self._answer(self._engine.refuse(request.key, reason), request.stored)
        else:
            self._out.append(request.fails(packet.STATUS[reason]))

    def _answer(self, result: Result | Future, spell: Callable[[Result], bytes], plain: bool = False) -> None:
        """Reply with an outcome, now or when it is known."""
        if isinstance(result, Future):
            self._replies.hold(result, spell, plain=plain)
        elif result is not LATER:
            reply = spell(result)
            self._connection.size += len(reply)
            self._out.append(reply)

    def _note(self, base: int, key: bytes) -> None:
        """Count a command for `stats detail`."""
        if base in STORING:
            self._prefixes.stored(key)
        elif base == packet.DELETE:
            self._prefixes.deleted(key)
        elif base in _RETRIEVALS or base == packet.TOUCH:
            self._prefixes.got(key, self._engine.peek(key) is not None)

    def _deadline(self, extras: bytes) -> int:
        """When what these extras give an exptime ends."""
        return deadline(self._engine.clock, _exptime(extras))

    # --- retrieval

    def _get(self, request: Request, extras: bytes, value: bytes) -> None:
        def shown(found: Result) -> bytes:
            return request.shown(found if isinstance(found, Entry) else self._commands.missed(request.key))

        self._answer(self._engine.get(request.key), shown)

    def _gat(self, request: Request, extras: bytes, value: bytes) -> None:
        self._answer(self._engine.get_and_touch(request.key, self._deadline(extras)), request.shown)

    def _touch(self, request: Request, extras: bytes, value: bytes) -> None:
        result = self._commands.touch(request.key, self._deadline(extras), show=True)
        self._answer(result, request.touched)

    # --- storage

    def _set(self, request: Request, extras: bytes, value: bytes) -> None:
        flags, sent = int.from_bytes(extras[:4], "big"), _exptime(extras[4:])
        ends = deadline(self._engine.clock, sent)
        if request.cas:
            self._swap(request, flags, ends, value)
            return
        result = self._commands.set(request.key, flags, ends, value, sent=sent, show=True, quiet=request.quiet)
        self._answer(result, request.stored, plain=True)

    def _add(self, request: Request, extras: bytes, value: bytes) -> None:
        flags, ends = int.from_bytes(extras[:4], "big"), self._deadline(extras[4:])
        if request.cas:
            self._swap(request, flags, ends, value)
        else:
            self._answer(self._commands.add(request.key, flags, ends, value, show=True), request.stored)

    def _replace(self, request: Request, extras: bytes, value: bytes) -> None:
        flags, ends = int.from_bytes(extras[:4], "big"), self._deadline(extras[4:])
        if request.cas:
            self._swap(request, flags, ends, value)
        else:
            new = Entry(ZERO, value, flags, ends)
            self._store_if(request, len(value), operations.replace(new))

    def _swap(self, request: Request, flags: int, ends: int, value: bytes) -> None:
        """With a cas unique in its header each of the three is a compare-and-swap."""
        new = Entry(ZERO, value, flags, ends)
        decide = operations.compare_and_swap(new, request.cas)
        self._store_if(request, len(value), decide, self._engine.counters.count_cas)

    def _append(self, request: Request, extras: bytes, value: bytes) -> None:
        fits = partial(self._engine.item_limit.fits, request.key)
        before, behind = (value, b"") if request.base == packet.PREPEND else (b"", value)
        self._store_if(
            request, len(value), operations.when_cas(request.cas, operations.extend(before, behind, fits))
        )

    def _store_if(
        self,
        request: Request,
        length: int,
        decide: Operation,
        count: Callable[[Result], None] | None = None,
    ) -> None:
        result = self._commands.store_if(request.key, length, operations.showing(decide), count)
        self._answer(result, request.stored)

    # --- the other commands on one key

    def _delete(self, request: Request, extras: bytes, value: bytes) -> None:
        engine = self._engine
        if request.cas:
            remove = operations.remove(engine.tombstone(), operations.DELETED, NOT_FOUND)
            decide = operations.when_cas(request.cas, remove)
            result = self._commands.modify(request.key, decide, engine.counters.counted("delete"))
        else:
            result = self._commands.delete(request.key, quiet=request.quiet)
        self._answer(result, request.removed)

    def _incr(self, request: Request, extras: bytes, value: bytes) -> None:
        initial = self._initial(extras)
        delta = int.from_bytes(extras[:8], "big")
        if request.cas:
            self._calculate(request, operations.incr(delta), "incr", initial)
        else:
            result = self._commands.incr(request.key, delta, initial, show=True)
            self._answer(result, request.counted)

    def _decr(self, request: Request, extras: bytes, value: bytes) -> None:
        delta = int.from_bytes(extras[:8], "big")
        self._calculate(request, operations.decr(delta), "decr", self._initial(extras))

    def _initial(self, extras: bytes) -> Entry | None:
        """What incr and decr store where there is nothing."""
        exptime = int.from_bytes(extras[16:], "big")
        if exptime == packet.NO_INITIAL:
            return None
        number = int.from_bytes(extras[8:16], "big")
        return Entry(ZERO, b"%d" % number, 0, self._deadline(extras[16:]))

    def _calculate(self, request: Request, decide: Operation, verb: str, initial: Entry | None) -> None:
        decide = operations.when_cas(request.cas, decide)
        if initial is not None:
            decide = operations.otherwise(initial, decide)
        result = self._commands.modify(
            request.key, operations.showing(decide), self._engine.counters.counted(verb)
        )
        self._answer(result, request.counted)

    # --- administration

    def _flush(self, request: Request, extras: bytes, value: bytes) -> None:
        if not self._context.flush_all:
            self._engine.counters.cmd_flush += 1
            self._out.append(request.fails(packet.AUTH_ERROR))
            return
        self._answer(flush_all(self._engine, _exptime(extras)), lambda result: request.done())

    def _noop(self, request: Request, extras: bytes, value: bytes) -> None:
        self._out.append(request.done())

    def _version(self, request: Request, extras: bytes, value: bytes) -> None:
        self._out.append(request.done(value=self._context.version))

    def _quit(self, request: Request, extras: bytes, value: bytes) -> None:
        self._out.append(request.done())
        self._connection.closing = True

    def _stat(self, request: Request, extras: bytes, value: bytes) -> None:
        if request.key == b"reset":
            self._context.reset()
            self._out.append(request.done())
            return
        if request.key.startswith(b"detail"):
            self._detail(request)
            return
        report = self._context.reports.get(request.key)
        if report is None:
            self._out.append(request.fails(packet.STATUS[NOT_FOUND]))
            return
        lines = [
            response(request.opcode, request.opaque, key=name.encode(), value=str(figure).encode())
            for name, figure in report()
        ]
        self._connection.size += sum(map(len, lines)) * SLOWNESS
        self._out += lines
        self._out.append(request.done())

    def _detail(self, request: Request) -> None:
        """`stats detail`: memcached answers a dump by one line of statistics that holds them all."""
        prefixes = self._context.prefixes
        order = request.key.removeprefix(b"detail ")
        if order not in (b"on", b"off", b"dump"):
            self._out.append(request.fails(packet.STATUS[NOT_FOUND]))
            return
        if order == b"dump":
            block = response(request.opcode, request.opaque, key=b"detailed", value=prefixes.dump())
            self._connection.size += len(block) * SLOWNESS
            self._out.append(block)
        else:
            prefixes.on = order == b"on"
        self._out.append(request.done())

    # --- login: SASL's PLAIN (RFC 4616), the one mechanism

    def _sasl_list(self, request: Request, extras: bytes, value: bytes) -> None:
        self._admitted = False  # as in memcached: who asks begins anew
        self._out.append(request.done(value=b"PLAIN"))

    def _sasl_auth(self, request: Request, extras: bytes, value: bytes) -> None:
        self._admitted = False
        self._asked = request.key.upper() == b"PLAIN" and not self._was_admitted
        if len(request.key) > _MECHANISM_MAX:
            self._out.append(request.fails(packet.INVALID))
        elif self._asked and not value:  # then a step brings it
            self._out.append(response(request.opcode, request.opaque, status=packet.AUTH_CONTINUE))
        else:
            self._sasl_step(request, extras, value)

    def _sasl_step(self, request: Request, extras: bytes, value: bytes) -> None:
        """Judge `authorization NUL user NUL password`; nobody may act for another one."""
        users = self._context.users
        parts = value.split(b"\0")
        known = len(parts) == 3 and parts[0] in (b"", parts[1]) and users is not None
        self._admitted = bool(self._asked and known and users and users.admit(parts[1], parts[2]))
        self._asked = False
        self._was_admitted |= self._admitted
        if self._admitted:
            self._out.append(request.done(value=b"Authenticated"))
        else:
            self._out.append(request.fails(packet.AUTH_ERROR))


def _exptime(extras: bytes) -> int:
    """The exptime in these extras, 0 if there is none. It has no sign here: nothing is born dead."""
    return int.from_bytes(extras, "big")


def _cut(replies: bytes) -> Iterator[tuple[int, int]]:
    """The opcode and the end of each packet."""
    start = 0
    while start < len(replies):
        _, opcode, _, _, _, _, length, _, _ = HEADER.unpack_from(replies, start)
        end = start + HEADER_BYTES + length
        yield opcode, end
        start = end


_COMMANDS: Final[dict[int, Callable[[Binary, Request, bytes, bytes], None]]] = {
    packet.GET: Binary._get,
    packet.GETK: Binary._get,
    packet.GAT: Binary._gat,
    packet.GATK: Binary._gat,
    packet.TOUCH: Binary._touch,
    packet.SET: Binary._set,
    packet.ADD: Binary._add,
    packet.REPLACE: Binary._replace,
    packet.APPEND: Binary._append,
    packet.PREPEND: Binary._append,
    packet.DELETE: Binary._delete,
    packet.INCR: Binary._incr,
    packet.DECR: Binary._decr,
    packet.QUIT: Binary._quit,
    packet.FLUSH: Binary._flush,
    packet.NOOP: Binary._noop,
    packet.VERSION: Binary._version,
    packet.STAT: Binary._stat,
    packet.SASL_LIST: Binary._sasl_list,
    packet.SASL_AUTH: Binary._sasl_auth,
    packet.SASL_STEP: Binary._sasl_step,
}
