"""The meta commands of memcached 1.6 (its doc/protocol.txt, "Meta Commands"): mn mg ms md ma me.

Theory: a meta command is a verb, a key, and flags of one letter, some with a token behind it. The flags say
what to do and, in their order, what to show. So each command here is read into a `_Meta` (its flags by letter),
turned into one decision on the entry, and answered by walking over the flags once more.

Stale-while-revalidate, the pattern that the commands exist for: an entry may be marked STALE (by `md I`, or by
a `ms I` that comes late), and one client, told W, wins the right to make the value anew; until it has, the
others are told Z. Who wins is decided as every read-modify-write is: of many clients at many nodes it is one.

Where memcached counts accesses ("h", "l") this node tells its own. Flags that only tune memcached's insides
(the proxy's L and P) are taken and mean nothing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from memrep import decisions
from memrep.decisions import (
    DELETED,
    EXISTS,
    NO_MEMORY,
    NOT_A_NUMBER,
    NOT_FOUND,
    NOT_STORED,
    Decide,
    Decision,
    Outcome,
    Result,
)
from memrep.engine import KEY_BYTES_MAX, Engine
from memrep.entry import NEVER, STALE, WON, Entry
from memrep.protocol.numbers import signed32, unsigned
from memrep.store import cost_of
from memrep.version import ZERO

#: A line has no more words than this.
_WORDS_MAX: Final = 19

#: Longest opaque, the O in front counted.
_OPAQUE_MAX: Final = 32

_BAD_LINE: Final = b"CLIENT_ERROR bad command line format\r\n"
TOO_LONG: Final = b"CLIENT_ERROR options flags too long\r\n"
_TOO_LONG_GET: Final = b"CLIENT_ERROR options flags are too long\r\n"
_DUPLICATE: Final = b"CLIENT_ERROR duplicate flag\r\n"
_UNKNOWN: Final = b"CLIENT_ERROR invalid flag\r\n"
_INVALID: Final = b"CLIENT_ERROR invalid or duplicate flag\r\n"
_BAD_KEY: Final = b"CLIENT_ERROR error decoding key\r\n"
_BAD_TOKEN: Final = b"CLIENT_ERROR bad token in command line format\r\n"
_BAD_MODE: Final = b"CLIENT_ERROR incorrect length for M token\r\n"
_BAD_OPAQUE: Final = b"CLIENT_ERROR opaque token too long\r\n"
_NO_NUMBER: Final = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
_NO_MEMORY: Final = b"SERVER_ERROR out of memory storing object\r\n"

_FLAGS: Final = frozenset(b"bNTRlOPLkstcfvhuqFCMJDIEx")

#: Flags whose token is a time, and those whose token is a number of 64 bits with what is said of a bad one.
_TIMES: Final = b"NTR"
_NUMBERS: Final = {
    ord("C"): _BAD_TOKEN,
    ord("E"): _BAD_TOKEN,
    ord("J"): b"CLIENT_ERROR invalid numeric initial value\r\n",
    ord("D"): b"CLIENT_ERROR invalid numeric delta value\r\n",
}

Words = list[bytes]

#: The codes of the outcomes that every command may have.
_CODES: Final[dict[Outcome, bytes]] = {
    NOT_FOUND: b"NF",
    NOT_STORED: b"NS",
    EXISTS: b"EX",
    DELETED: b"HD",
}
_ERRORS: Final = {NOT_A_NUMBER: _NO_NUMBER, NO_MEMORY: _NO_MEMORY}


class BadMeta(Exception):
    """A meta command that makes no sense; its one argument is the reply."""


@attrs.define(eq=False)
class Meta:
    """One meta command, read.

    Attributes:
        key: the key, decoded.
        word: the key as the client is to see it.
        flags: in the order asked: the letter, and the token behind it.
        times: by letter, the tokens that are times, s.
        numbers: by letter, the tokens that are numbers.
    """

    key: bytes
    word: bytes
    flags: dict[int, bytes]
    times: dict[int, int]
    numbers: dict[int, int]

    def __contains__(self, letter: str) -> bool:
        return ord(letter) in self.flags

    def time(self, letter: str) -> int | None:
        """The time behind this flag, s; None if it is not there."""
        return self.times.get(ord(letter))

    def number(self, letter: str) -> int | None:
        """The number behind this flag; None if it is not there."""
        return self.numbers.get(ord(letter))

    @property
    def quiet(self) -> bool:
        """Whether the expected is not told."""
        return "q" in self

    def mode(self, known: tuple[bytes, ...], default: str, verb: str) -> str:
        """The letter behind M.

        Raises:
            BadMeta: it is none of these.
        """
        token = self.flags.get(ord("M"))
        if token is None:
            return default
        if token not in known:
            raise BadMeta(b"CLIENT_ERROR invalid mode for %b M token\r\n" % verb.encode())
        return token.decode()

    def check_opaque(self) -> None:
        """Refuse an opaque that is too long.

        Raises:
            BadMeta: it is.
        """
        if len(self.flags.get(ord("O"), b"")) >= _OPAQUE_MAX:
            raise BadMeta(_BAD_OPAQUE)

    def shown(self, letter: int) -> bytes | None:
        """What O and k show; None for other flags."""
        if letter == ord("O"):
            return b"O" + self.flags[letter]
        if letter == ord("k"):
            return b"k" + self.word
        return None


def check(words: Words, too_long: bytes = TOO_LONG) -> None:
    """Look at the line, before its flags are read.

    Raises:
        BadMeta: it cannot be a meta command.
    """
    if len(words[1]) > KEY_BYTES_MAX:
        raise BadMeta(_BAD_LINE)
    if len(words) > _WORDS_MAX:
        raise BadMeta(too_long)


def read(words: Words, first: int) -> Meta:
    """Read a meta command whose flags begin at the word `first`.

    Raises:
        BadMeta: they make no sense. Of several mistakes the last one is told, as memcached does.
    """
    key = words[1]
    meta = Meta(key, key, {}, {}, {})
    wrong = b""
    for word in words[first:]:
        letter, token = word[0], word[1:]
        if letter in meta.flags or letter >= 0x7F:
            raise BadMeta(_DUPLICATE)
        if letter not in _FLAGS:
            raise BadMeta(_UNKNOWN)
        meta.flags[letter] = token
        wrong = _read_token(meta, letter, token, wrong) or wrong
    if wrong:
        raise BadMeta(wrong)
    return meta


def _read_token(meta: Meta, letter: int, token: bytes, wrong: bytes) -> bytes:
    """Read what stands behind a flag; what is wrong with it, "" if nothing is."""
    if letter in _TIMES:
        time = signed32(token)
        if time is None:
            return _BAD_TOKEN
        meta.times[letter] = time
    elif letter in _NUMBERS or letter == ord("F"):
        number = unsigned(token)
        if number is None:
            return _NUMBERS.get(letter, wrong or _BAD_LINE)
        meta.numbers[letter] = number
    elif letter == ord("M"):
        return b"" if len(token) == 1 else _BAD_MODE
    elif letter == ord("b"):
        meta.key = _decoded(meta.key)
        if not meta.key:
            return _BAD_KEY
        meta.word = b64encode(meta.key) + b" b"
    return b""


def _decoded(word: bytes) -> bytes:
    """The key that this is the base64 of; b"" if it is none, for no client may name the empty key."""
    try:
        key = b64decode(word, validate=True)
    except ValueError:
        return b""
    return key if len(word) == (len(key) + 2) // 3 * 4 else b""  # there may be more padding than is needed


def read_strictly(words: Words) -> Meta:
    """As `read`, for the commands to which memcached says one thing of all mistakes.

    Raises:
        BadMeta: they make no sense.
    """
    try:
        return read(words, 2)
    except BadMeta:
        raise BadMeta(_INVALID) from None


Show = Callable[[Result], bytes]


class Get:
    """mg: show an entry; perhaps touch it, make it, or win the right to make it anew."""

    counter: Final = "get"

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        check(words, _TOO_LONG_GET)
        self.meta = read(words, 2)
        self.meta.check_opaque()
        self._parts: list[bytes | None] = []

    def decide(self, entry: Entry | None) -> Decision:
        """What becomes of the entry."""
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
                expires = engine.expires(meta.times[letter])
            elif letter == ord("R") and not (fresh or entry.marks & WON or expires == NEVER):
                recache = meta.times[letter]
                won = won or (recache > 0 and expires < engine.expires(recache))
            else:
                self._show(parts, letter, entry, expires)
        parts += [flag for mark, flag in ((WON, b"Z"), (STALE, b"X")) if entry.marks & mark]
        parts += [b"W"] * won
        if fresh:
            new = Entry(ZERO, b"", 0, expires, entry.cas, marks=WON)
        elif won or "T" in meta:
            new = decisions.touched(entry, expires, entry.seen, WON * won)
        else:
            new = entry
        if "u" not in meta:
            new.seen = engine.now
        return entry if new is entry else (new, new)

    def _show(self, parts: list[bytes | None], letter: int, entry: Entry, expires: int) -> None:
        """Note what a flag shows of the entry as it was."""
        engine = self._engine
        match chr(letter):
            case "s":
                parts.append(b"s%d" % len(entry.value or b""))
            case "t":
                parts.append(b"t%d" % engine.left(expires))
            case "c":
                parts.append(None)  # known when it is stored
            case "f":
                parts.append(b"f%d" % entry.flags)
            case "h":
                parts.append(b"h%d" % (entry.seen > 0))
            case "l":
                parts.append(b"l%d" % (engine.idle(entry) if entry.version != ZERO else 0))
            case _:
                shown = self.meta.shown(letter)
                if shown is not None:
                    parts.append(shown)

    def show(self, result: Result) -> bytes:
        """The reply."""
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
    """ms: store a value in one of five modes."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._engine = engine
        self.meta = read(words, 3)
        self._mode = self.meta.mode((b"E", b"A", b"P", b"R", b"S"), "S", "ms")
        self.meta.check_opaque()
        self.flags = (self.meta.number("F") or 0) & 0xFFFFFFFF
        self._value = b""

    @property
    def plain(self) -> bool:
        """Whether it asks for nothing but to store."""
        return self._mode == "S" and "C" not in self.meta and "E" not in self.meta

    @property
    def exptime(self) -> int:
        """As the client sent it, s."""
        return self.meta.time("T") or 0

    def keep(self, value: bytes) -> bytes:
        """Remember the value, for the reply."""
        self._value = value
        return value

    def deciding(self, value: bytes) -> Decide:
        """What becomes of the entry, given this value."""
        self.keep(value)
        new = self._new(value, self._engine.expires(self.exptime))
        match self._mode:
            case "E":
                return decisions.showing(decisions.add(new))
            case "A" | "P":
                return self._extend(value)
            case mode if "C" not in self.meta:
                return decisions.showing(decisions.replace(new)) if mode == "R" else lambda entry: (new, new)
            case _:
                return lambda entry: self._swap(entry, new)

    def _new(self, value: bytes, expires: int, marks: int = 0) -> Entry:
        return Entry(ZERO, value, self.flags, expires, self.meta.number("E") or 0, marks=marks)

    def _extend(self, value: bytes) -> Decide:
        before, behind = (b"", value) if self._mode == "A" else (value, b"")
        engine, meta = self._engine, self.meta
        extend = decisions.extend(before, behind, partial(engine.room.fits, meta.key))
        vivify = meta.time("N")

        def decide(entry: Entry | None) -> Decision:
            if entry is None and vivify is not None:
                new = self._new(value, engine.expires(vivify))
                return new, new
            decision = decisions.when_cas(meta.number("C") or 0, extend)(entry)
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
        """The reply."""
        if isinstance(result, Outcome) and result in _ERRORS:
            return _ERRORS[result]
        meta = self.meta
        entry = result if isinstance(result, Entry) else None
        if entry is not None and meta.quiet:
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
        """What becomes of the entry."""
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
            expires = engine.expires(exptime)
        if "I" in meta:
            marks |= STALE
        return Entry(ZERO, value, flags, expires, unique, entry.hold, marks, entry.seen), DELETED

    def show(self, result: Result) -> bytes:
        """The reply."""
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
        calculate = decisions.incr if self.counter == "incr" else decisions.decr
        self._calculate = decisions.when_cas(meta.number("C") or 0, calculate(1 if delta is None else delta))
        self._parts: list[bytes | None] = []
        self._made = False

    def decide(self, entry: Entry | None) -> Decision:
        """What becomes of the entry."""
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
                new.expires = engine.expires(meta.times[letter])
            elif letter == ord("t"):
                parts.append(b"t%d" % engine.left(new.expires))
            elif letter == ord("c"):
                parts.append(None)  # known when it is stored
            else:
                parts.append(meta.shown(letter) or b"")
        return new, new

    def show(self, result: Result) -> bytes:
        """The reply. What it has made it tells even if it is quiet."""
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
    """me: what there is to know of an entry, for people.

    Raises:
        BadMeta: it makes no sense.
    """
    if len(words) < 2 or len(words[1]) > KEY_BYTES_MAX:
        raise BadMeta(_BAD_LINE)
    key, word = words[1], words[1]
    if words[2:3] == [b"b"]:
        key = _decoded(word)
        if not key:
            raise BadMeta(_BAD_LINE)
    entry = engine.look(key)
    if entry is None:
        return b"EN\r\n"
    left = engine.left(entry.expires)
    return b"ME %b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d\r\n" % (
        word,
        -left if left > 0 else left,
        engine.idle(entry),
        entry.cas_unique,
        b"yes" if entry.seen else b"no",
        cost_of(key, entry),
    )


def _line(code: bytes, parts: list[bytes | None] | list[bytes]) -> bytes:
    return b" ".join([code, *filter(None, parts)]) + b"\r\n"
