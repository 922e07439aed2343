"""Decisions: what a command makes of the entry that it finds, as pure functions.

Each takes the live entry (None for a miss) and returns either an outcome, which ends the command, or a new
entry and the result to be told when it is committed. They are pure because they may be run again: if another
write wins the key, the command is decided anew on what won.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from memrep.storage.entry import Entry
from memrep.storage.version import ZERO

_COUNTER_MAX: Final = 1 << 64
_COUNTER: Final = re.compile(rb"[ \t\r\n\v\f]*(\+?[0-9]{1,64}|-0{1,64})(?:[ \t\r\n\v\f\0].*)?", re.DOTALL)


class Outcome:
    """How a command ended. The instances below are all there are; compare by identity."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


STORED: Final = Outcome("stored")
NOT_STORED: Final = Outcome("not stored")
EXISTS: Final = Outcome("exists")
NOT_FOUND: Final = Outcome("not found")
DELETED: Final = Outcome("deleted")
TOUCHED: Final = Outcome("touched")
FLUSHED: Final = Outcome("flushed")
NOT_A_NUMBER: Final = Outcome("not a number")
NO_MEMORY: Final = Outcome("no memory")
TOO_LARGE: Final = Outcome("too large")

#: No outcome: the command is to be said again when it is known what stands behind it.
LATER: Final = Outcome("later")

#: An outcome, the entry that was read (None: a miss), or the new number of a counter.
Result = Outcome | Entry | bytes | list["Result"] | None

#: What a read-modify-write makes of the live entry: a final result, or an entry to write and its result.
Decision = Result | tuple[Entry, Result]
Operation = Callable[[Entry | None], Decision]


def showing(decide: Operation) -> Operation:
    """Do the same, but tell a success by the entry as it was stored."""

    def shown(entry: Entry | None) -> Decision:
        decision = decide(entry)
        return (decision[0], decision[0]) if isinstance(decision, tuple) else decision

    return shown


def otherwise(new: Entry, decide: Operation) -> Operation:
    """Do the same where there is something, else store this."""
    return lambda entry: (new, new.value or b"") if entry is None else decide(entry)


def when_cas(unique: int, decide: Operation) -> Operation:
    """Do the same, if what is there still has this cas unique; 0 asks for none."""
    if not unique:
        return decide
    return lambda entry: decide(entry) if entry is None or entry.cas_unique == unique else EXISTS


def add(new: Entry) -> Operation:
    """Store if there is nothing."""
    return lambda entry: (new, STORED) if entry is None else NOT_STORED


def add_new(new: Entry, is_open: Callable[[], bool]) -> Operation:
    """Store if there is nothing, and nobody has ended what was."""
    return lambda entry: (new, STORED) if entry is None and is_open() else NOT_STORED


def replace(new: Entry) -> Operation:
    """Store if there is something."""
    return lambda entry: NOT_STORED if entry is None else (new, STORED)


def compare_and_swap(new: Entry, unique: int) -> Operation:
    """Store if what is there still has this cas unique."""

    def decide(entry: Entry | None) -> Decision:
        if entry is None:
            return NOT_FOUND
        return (new, STORED) if entry.cas_unique == unique else EXISTS

    return decide


def extend(before: bytes, behind: bytes, fits: Callable[[int, int], bool]) -> Operation:
    """Put bytes around the value, if the whole (flags, length) still fits."""

    def decide(entry: Entry | None) -> Decision:
        if entry is None or entry.value is None:
            return NOT_STORED
        value = b"".join((before, entry.value, behind))
        if not fits(entry.flags, len(value)):
            return NOT_STORED
        return Entry(ZERO, value, entry.flags, entry.expires), STORED

    return decide


def incr(delta: int) -> Operation:
    """Add to the number, modulo 2^64 (protocol.txt, "Increment/Decrement")."""
    return partial(_calculate, lambda number: (number + delta) % _COUNTER_MAX)


def decr(delta: int) -> Operation:
    """Subtract from the number, not below 0."""
    return partial(_calculate, lambda number: max(0, number - delta))


def _calculate(change: Callable[[int], int], entry: Entry | None) -> Decision:
    if entry is None:
        return NOT_FOUND
    value = entry.value or b""
    found = _COUNTER.fullmatch(value)
    number = int(found[1]) if found else _COUNTER_MAX
    if number >= _COUNTER_MAX:
        return NOT_A_NUMBER
    digits = b"%d" % change(number)
    # A number never gets shorter (protocol.txt, on decr): memcached pads it with spaces.
    padded = digits.ljust(len(value))
    new = Entry(ZERO, padded, entry.flags, entry.expires)
    if len(padded) == len(value):  # changed in its place, to memcached; else it is another item
        new.marks, new.seen = entry.marks, entry.seen
    return new, digits


def remove(tombstone: Entry, removed: Outcome, missed: Outcome) -> Operation:
    """Put a tombstone in the place of a value."""
    return lambda entry: missed if entry is None else (tombstone, removed)


def touch(expires: int, now: int) -> Operation:
    """Let the entry end at another time; `now` is when it was touched."""
    return lambda entry: NOT_FOUND if entry is None else (touched(entry, expires, now), TOUCHED)


def show_and_touch(expires: int, now: int) -> Operation:
    """Do what `touch` does, and show the entry as it was."""
    return lambda entry: None if entry is None else (touched(entry, expires, now), entry)


def touched(entry: Entry, expires: int, now: int, marks: int = 0) -> Entry:
    """Make the same value under the same cas unique, that ends at another time and may have further marks."""
    marks |= entry.marks
    return Entry(ZERO, entry.value, entry.flags, expires, entry.cas_unique, entry.owner, marks, now)
