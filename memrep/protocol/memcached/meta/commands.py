"""The meta commands: what each makes of an entry, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from memrep.engine import operations
from memrep.engine.engine import Engine
from memrep.engine.operations import (
    DELETED,
    EXISTS,
    NO_MEMORY,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    STORED,
    Decision,
    Operation,
    Outcome,
    Result,
)
from memrep.protocol.memcached.errors import BAD_LINE, NO_NUMBER, OUT_OF_MEMORY
from memrep.protocol.memcached.limits import KEY_BYTES_MAX, deadline, seconds_left
from memrep.protocol.memcached.meta.line import (
    TOO_LONG_GET,
    BadMeta,
    Words,
    check,
    decoded,
    read,
    read_strictly,
)
from memrep.storage.entry import NEVER, STALE, WON, Entry
from memrep.storage.store import cost_of, idle
from memrep.storage.version import ZERO

#: The codes of the outcomes that every command may have.
_CODES: Final[dict[Outcome, bytes]] = {
    STORED: b"HD",
    NOT_FOUND: b"NF",
    NOT_STORED: b"NS",
    EXISTS: b"EX",
    DELETED: b"HD",
}
_ERRORS: Final = {NOT_A_NUMBER: NO_NUMBER, NO_MEMORY: OUT_OF_MEMORY}

Show = Callable[[Result], bytes]


class Get:
    """mg: show an entry; perhaps touch it, make it, or win the right to make it anew."""

    counter: Final = "get"

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        check(words, TOO_LONG_GET)
        self.meta = read(words, 2)
        self.meta.check_opaque()
        self._parts: list[bytes | None] = []

    def decide(self, entry: Entry | None) -> Decision:
        """Decide what becomes of the entry."""
        meta, engine = self.meta, self._engine
        vivify = meta.time("N")
        fresh = entry is None and vivify is not None
        if entry is None:
            if vivify is None:
                return NOT_FOUND
            entry = Entry(ZERO, b"", 0, NEVER, meta.number("E") or 0)
        won = fresh or entry.marks == STALE
        expires = entry.expires
        parts: list[bytes | None] = []
        self._parts = parts
        for letter in meta.flags:
            if letter == ord("T") or (letter == ord("N") and fresh):
                expires = deadline(engine.clock, meta.times[letter])
            elif letter == ord("R") and not (fresh or entry.marks & WON or expires == NEVER):
                recache = meta.times[letter]
                won = won or (recache > 0 and expires < deadline(engine.clock, recache))
            else:
                self._show(parts, letter, entry, expires)
        parts += [flag for mark, flag in ((WON, b"Z"), (STALE, b"X")) if entry.marks & mark]
        parts += [b"W"] * won
        if fresh:
            new = Entry(ZERO, b"", 0, expires, entry.cas, marks=WON)
        elif won or "T" in meta:
            new = operations.touched(entry, expires, entry.seen, WON * won)
        else:
            new = entry
        if "u" not in meta:
            new.seen = engine.clock.now
        return entry if new is entry else (new, new)

    def _show(self, parts: list[bytes | None], letter: int, entry: Entry, expires: int) -> None:
        """Note what a flag shows of the entry as it was."""
        engine = self._engine
        match chr(letter):
            case "s":
                parts.append(b"s%d" % len(entry.value or b""))
            case "t":
                parts.append(b"t%d" % seconds_left(engine.clock, expires))
            case "c":
                parts.append(None)  # known when it is stored
            case "f":
                parts.append(b"f%d" % entry.flags)
            case "h":
                parts.append(b"h%d" % (entry.seen > 0))
            case "l":
                parts.append(b"l%d" % (idle(entry, engine.clock) if entry.version != ZERO else 0))
            case _:
                shown = self.meta.shown(letter)
                if shown is not None:
                    parts.append(shown)

    def show(self, result: Result) -> bytes:
        """Return the reply."""
        meta = self.meta
        if not isinstance(result, Entry):
            return b"" if meta.quiet else _line(b"EN", [meta.shown(letter) for letter in meta.flags])
        unique = b"c%d" % result.cas_unique
        parts = [unique if part is None else part for part in self._parts]
        if "v" not in meta:
            return _line(b"HD", parts)
        value = result.value or b""
        return _line(b"VA %d" % len(value), parts) + value + b"\r\n"


class Set:
    """ms: store a value in one of memcached's five modes, or in memrep's own."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        self.meta = read(words, 3)
        self._mode = self.meta.mode((b"E", b"A", b"P", b"R", b"S", b"+"), "S", "ms")
        self.meta.check_opaque()
        self.flags = (self.meta.number("F") or 0) & 0xFFFFFFFF
        self._value = b""

    @property
    def plain(self) -> bool:
        """Tell whether it asks for nothing but to store."""
        return self._mode == "S" and "C" not in self.meta and "E" not in self.meta

    @property
    def exptime(self) -> int:
        """Return the exptime as the client sent it, s."""
        return self.meta.time("T") or 0

    def keep(self, value: bytes) -> bytes:
        """Remember the value, for the reply."""
        self._value = value
        return value

    def deciding(self, value: bytes) -> Operation:
        """Return the operation that decides what becomes of the entry, given this value."""
        self.keep(value)
        new = self._new(value, deadline(self._engine.clock, self.exptime))
        match self._mode:
            case "E":
                return operations.showing(operations.add(new))
            case "+":  # memrep's own
                is_open = partial(self._engine.keyspace.is_open, self.meta.key)
                return operations.showing(operations.add_new(new, is_open))
            case "A" | "P":
                return self._extend(value)
            case mode if "C" not in self.meta:
                return operations.showing(operations.replace(new)) if mode == "R" else lambda entry: (new, new)
            case _:
                return lambda entry: self._swap(entry, new)

    def _new(self, value: bytes, expires: int, marks: int = 0) -> Entry:
        return Entry(ZERO, value, self.flags, expires, self.meta.number("E") or 0, marks=marks)

    def _extend(self, value: bytes) -> Operation:
        before, behind = (b"", value) if self._mode == "A" else (value, b"")
        engine, meta = self._engine, self.meta
        extend = operations.extend(before, behind, partial(engine.item_limit.fits, meta.key))
        vivify = meta.time("N")

        def decide(entry: Entry | None) -> Decision:
            if entry is None and vivify is not None:
                new = self._new(value, deadline(engine.clock, vivify))
                return new, new
            decision = operations.when_cas(meta.number("C") or 0, extend)(entry)
            if not isinstance(decision, tuple):
                return decision
            decision[0].cas = meta.number("E") or 0
            return decision[0], decision[0]

        return decide

    def _swap(self, entry: Entry | None, new: Entry) -> Decision:
        """Store if the cas unique is right; if it is too old and I is given store it as stale."""
        unique = self.meta.number("C") or 0
        if entry is None:
            return NOT_FOUND
        if entry.cas_unique == unique:
            return new, new
        if "I" in self.meta and 0 < unique < entry.cas_unique:
            late = self._new(self._value, entry.expires, STALE | (entry.marks & WON))
            return late, late
        return EXISTS

    def show(self, result: Result) -> bytes:
        """Return the reply."""
        if isinstance(result, Outcome) and result in _ERRORS:
            return _ERRORS[result]
        meta = self.meta
        entry = result if isinstance(result, Entry) else None
        if (entry is not None or result is STORED) and meta.quiet:
            return b""
        unique = b"c%d" % (entry.cas_unique if entry is not None else 0)
        parts = [unique if letter == ord("c") else meta.shown(letter) for letter in meta.flags]
        return _line(_CODES[result] if isinstance(result, Outcome) else b"HD", parts)


class Delete:
    """md: remove an entry, mark it stale, or empty it."""

    counter: Final = "delete"

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        check(words)
        self.meta = read_strictly(words)
        self.meta.check_opaque()

    def decide(self, entry: Entry | None) -> Decision:
        """Decide what becomes of the entry."""
        meta, engine = self.meta, self._engine
        if entry is None:
            return NOT_FOUND
        if "C" in meta and meta.number("C") != entry.cas_unique:
            return EXISTS
        if "I" not in meta and "x" not in meta:
            return engine.tombstone(), DELETED
        exptime = meta.time("T")
        unique = meta.number("E") or (0 if "I" in meta else entry.cas_unique)
        value, flags, expires, marks = entry.value, entry.flags, entry.expires, entry.marks & ~WON
        if "x" in meta:
            value, flags, expires, marks = b"", (meta.number("F") or 0) & 0xFFFFFFFF, NEVER, 0
        if exptime is not None:
            expires = deadline(engine.clock, exptime)
        if "I" in meta:
            marks |= STALE
        return Entry(ZERO, value, flags, expires, unique, entry.owner, marks, entry.seen), DELETED

    def show(self, result: Result) -> bytes:
        """Return the reply."""
        assert isinstance(result, Outcome)
        meta = self.meta
        if result is DELETED and meta.quiet:
            return b""
        return _line(_CODES[result], [meta.shown(letter) for letter in meta.flags])


class Calculate:
    """ma: add to a number or subtract from it, or make it."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        check(words)
        self.meta = meta = read_strictly(words)
        self.counter = "decr" if meta.mode((b"I", b"+", b"D", b"-"), "I", "ma") in "D-" else "incr"
        meta.check_opaque()
        delta = meta.number("D")
        calculate = operations.incr if self.counter == "incr" else operations.decr
        self._calculate = operations.when_cas(meta.number("C") or 0, calculate(1 if delta is None else delta))
        self._parts: list[bytes | None] = []
        self._made = False

    def decide(self, entry: Entry | None) -> Decision:
        """Decide what becomes of the entry."""
        meta, engine = self.meta, self._engine
        self._made = entry is None
        if entry is None:
            if "N" not in meta:
                return NOT_FOUND
            new = Entry(ZERO, b"%d" % (meta.number("J") or 0), 0, NEVER)
        else:
            decision = self._calculate(entry)
            if not isinstance(decision, tuple):
                return decision
            new = decision[0]
        new.cas = meta.number("E") or 0
        parts: list[bytes | None] = []
        self._parts = parts
        for letter in meta.flags:
            if letter == ord("T") or (letter == ord("N") and self._made):
                new.expires = deadline(engine.clock, meta.times[letter])
            elif letter == ord("t"):
                parts.append(b"t%d" % seconds_left(engine.clock, new.expires))
            elif letter == ord("c"):
                parts.append(None)  # known when it is stored
            else:
                parts.append(meta.shown(letter) or b"")
        return new, new

    def show(self, result: Result) -> bytes:
        """Return the reply. It tells what it has made even if it is quiet."""
        if isinstance(result, Outcome) and result in _ERRORS:
            return _ERRORS[result]
        meta = self.meta
        if isinstance(result, Outcome):
            return _line(_CODES[result], [meta.shown(letter) for letter in meta.flags])
        assert isinstance(result, Entry)
        if meta.quiet and not self._made:
            return b""
        unique = b"c%d" % result.cas_unique
        parts = [unique if part is None else part for part in self._parts]
        if "v" not in meta:
            return _line(b"HD", parts)
        digits = (result.value or b"").rstrip(b" ")
        return _line(b"VA %d" % len(digits), parts) + digits + b"\r\n"


def describe(engine: Engine, words: Words) -> bytes:
    """Return what there is to know of an entry, for people (me).

    Raises:
        BadMeta: it makes no sense.
    """
    if len(words) < 2 or len(words[1]) > KEY_BYTES_MAX:
        raise BadMeta(BAD_LINE)
    key, word = words[1], words[1]
    if words[2:3] == [b"b"]:
        key = decoded(word)
        if not key:
            raise BadMeta(BAD_LINE)
    entry = engine.peek(key)
    if entry is None:
        return b"EN\r\n"
    left = seconds_left(engine.clock, entry.expires)
    return b"ME %b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d\r\n" % (
        word,
        -left if left > 0 else left,
        idle(entry, engine.clock),
        entry.cas_unique,
        b"yes" if entry.seen else b"no",
        cost_of(key, entry),
    )


def _line(code: bytes, parts: list[bytes | None] | list[bytes]) -> bytes:
    return b" ".join([code, *filter(None, parts)]) + b"\r\n"
