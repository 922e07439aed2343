"""What a command means for the history of its key: the states that its reply needs, what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import attrs

from tests.simulation.linearizability import (
    ANY,
    MISSING,
    NONE,
    PRESENT,
    Changes,
    Keeps,
    Meaning,
    State,
    States,
    Undecided,
    Writes,
    but,
    only,
)

#: What `prepend` and `append` put around a number. It stays one, and gets a value that the key never had: a cas
#: that fails can then be told from the value alone. (Hence no `decr`, which would undo an `incr`.)
BEFORE = b"9"
BEHIND = b"7"

_COUNTER_MAX = 1 << 64

#: And from which on a number is none to Redis.
_REDIS_COUNTER_MAX = 1 << 63

#: The digits in which values differ that are written, and those after them, which `incr` counts up.
_FAMILY = 5
_COUNTED = 3


def nth(number: int) -> bytes:
    """The number-th of the values that are written; there are 79,999 of them, and none begins with BEFORE."""
    return b"%d" % (10 ** (_FAMILY + _COUNTED - 1) + 10**_COUNTED * number)


def family(value: bytes) -> bytes:
    """What the values that come from one write have in common; each writes another of 10001000, 10002000 ...

    A shorter number was written by nobody: INCR and APPEND have made it of nothing.
    """
    bare = value.lstrip(BEFORE)
    return b"<" + bare if len(bare) < _FAMILY + _COUNTED else bare[:_FAMILY]


@attrs.frozen
class Sent:
    """What a client sent: the verb, the value that it brings, and the value that its cas unique stands for."""

    verb: str
    value: bytes = b""
    expected: bytes = b""

    def meaning(self, reply: bytes | None) -> Meaning | None:
        """What it means, given the reply; without one, what it does if it does anything, or None."""
        return _MEANINGS[self.verb](self, reply)


def _told(reply: bytes | None, answers: dict[bytes, Meaning], unanswered: Meaning | None) -> Meaning | None:
    """The meaning of this reply; one that is wrong in all states fits nowhere."""
    return unanswered if reply is None else answers.get(reply, Keeps(NONE))


def _get(sent: Sent, reply: bytes | None) -> Meaning | None:
    if reply is not None and reply.startswith(b"VALUE"):
        return Keeps(only(reply.split(b"\r\n")[1]))
    return _told(reply, {b"END\r\n": Keeps(MISSING)}, None)


def _set(sent: Sent, reply: bytes | None) -> Meaning | None:
    written = Writes(ANY, sent.value)
    return _told(reply, {b"STORED\r\n": written}, written)


def _add(sent: Sent, reply: bytes | None) -> Meaning | None:
    written = Writes(MISSING, sent.value)
    return _told(reply, {b"STORED\r\n": written, b"NOT_STORED\r\n": Keeps(PRESENT)}, written)


def _replace(sent: Sent, reply: bytes | None) -> Meaning | None:
    written = Writes(PRESENT, sent.value)
    return _told(reply, {b"STORED\r\n": written, b"NOT_STORED\r\n": Keeps(MISSING)}, written)


def _cas(sent: Sent, reply: bytes | None) -> Meaning | None:
    written = Writes(only(sent.expected), sent.value)
    answers: dict[bytes, Meaning] = {b"STORED\r\n": written, b"NOT_FOUND\r\n": Keeps(MISSING)}
    return _told(reply, answers | _exists(sent), written)


def _delete(sent: Sent, reply: bytes | None) -> Meaning | None:
    deleted = Writes(_needed(sent), None)
    answers: dict[bytes, Meaning] = {b"DELETED\r\n": deleted, b"NOT_FOUND\r\n": Keeps(MISSING)}
    return _told(reply, answers | _exists(sent), deleted)


def _touch(sent: Sent, reply: bytes | None) -> Meaning | None:
    return _told(reply, {b"TOUCHED\r\n": Keeps(PRESENT), b"NOT_FOUND\r\n": Keeps(MISSING)}, None)


def _append(sent: Sent, reply: bytes | None) -> Meaning | None:
    return _extended(sent, reply, _without_behind)


def _prepend(sent: Sent, reply: bytes | None) -> Meaning | None:
    return _extended(sent, reply, _without_before)


def _extended(sent: Sent, reply: bytes | None, undo: Callable[[bytes], Iterator[bytes]]) -> Meaning | None:
    changed = Changes(_needed(sent), undo)
    answers: dict[bytes, Meaning] = {b"STORED\r\n": changed, b"NOT_STORED\r\n": Keeps(MISSING)}
    return _told(reply, answers | _exists(sent), changed)


def _incr(sent: Sent, reply: bytes | None) -> Meaning | None:
    if reply is not None and reply.startswith(b"CLIENT_ERROR"):
        raise Undecided  # some number of more than 64 bits: no set of `States`
    if reply is not None and reply[:-2].isdigit():
        old = b"%d" % (int(reply) - 1)
        return Changes(_needed(sent) & only(old), _one_less)
    answers: dict[bytes, Meaning] = {b"NOT_FOUND\r\n": Keeps(MISSING)}
    return _told(reply, answers | _exists(sent), Changes(_needed(sent), _one_less))


# --- what Redis has more


def _getset(sent: Sent, reply: bytes | None) -> Meaning | None:
    if reply is None:
        return Writes(ANY, sent.value)
    found = _get(sent, reply)
    return Writes(found.needs, sent.value) if isinstance(found, Keeps) else found


def _getdel(sent: Sent, reply: bytes | None) -> Meaning | None:
    if reply is None:
        return Writes(PRESENT, None)
    found = _get(sent, reply)
    return Writes(found.needs, None) if isinstance(found, Keeps) else found


def _count(sent: Sent, reply: bytes | None) -> Meaning | None:
    """INCR, which begins with 1."""
    if reply is not None and reply.startswith(b"CLIENT_ERROR"):
        raise Undecided
    if reply is None:
        return Changes(ANY, _one_less_or_none)
    if not reply[:-2].isdigit():
        return Keeps(NONE)
    number = int(reply)
    return Changes(only(b"%d" % (number - 1) if number > 1 else None), _one_less_or_none)


def _extend(sent: Sent, reply: bytes | None) -> Meaning | None:
    """APPEND, which begins with nothing, and tells the length."""
    if reply is None:
        return Changes(ANY, _shorter(0))
    if not reply[:-2].isdigit():
        return Keeps(NONE)
    length = int(reply)
    return Changes(MISSING if length == len(BEHIND) else PRESENT, _shorter(length))


def _release(sent: Sent, reply: bytes | None) -> Meaning | None:
    """A delete of this value only, by a script; what else is there, or nothing, is all the same to it."""
    deleted = Writes(only(sent.expected), None)
    return _told(reply, {b"DELETED\r\n": deleted, b"EXISTS\r\n": Keeps(but(sent.expected))}, deleted)


def _persist(sent: Sent, reply: bytes | None) -> Meaning | None:
    """Only of what ends it is told that it was there."""
    return _told(reply, {b"TOUCHED\r\n": Keeps(PRESENT), b"NOT_FOUND\r\n": Keeps(ANY)}, None)


def _flush(sent: Sent, reply: bytes | None) -> Meaning | None:
    flushed = Writes(ANY, None)
    return _told(reply, {b"STORED\r\n": flushed}, flushed)


def _one_less_or_none(new: bytes) -> Iterator[State]:
    if int(new) >= _REDIS_COUNTER_MAX:
        yield new  # too large: INCR left it as it was
    elif new == b"1":
        yield None
    else:
        yield from _one_less(new)


@cache
def _shorter(length: int) -> Callable[[bytes], Iterator[State]]:
    """The undoing of an APPEND after which the value has this length; any, if 0."""
    return partial(_without_tail, length)


def _without_tail(length: int, new: bytes) -> Iterator[State]:
    if new.endswith(BEHIND) and length in (0, len(new)):
        yield new.removesuffix(BEHIND) or None


def _needed(sent: Sent) -> States:
    """What must be there for it to do anything; in the binary protocol any verb may have a condition."""
    return only(sent.expected) if sent.expected else PRESENT


def _exists(sent: Sent) -> dict[bytes, Meaning]:
    """What a command with a condition says of another value."""
    if not sent.expected:
        return {}
    again = family(sent.expected).startswith(b"<")  # the same number may have begun anew
    return {b"EXISTS\r\n": Keeps(PRESENT if again else but(None, sent.expected))}


def _without_behind(new: bytes) -> Iterator[bytes]:
    if new.endswith(BEHIND) and new != BEHIND:
        yield new.removesuffix(BEHIND)


def _without_before(new: bytes) -> Iterator[bytes]:
    if new.startswith(BEFORE) and new != BEFORE:
        yield new.removeprefix(BEFORE)


def _one_less(new: bytes) -> Iterator[bytes]:
    if int(new) >= _COUNTER_MAX:
        yield new  # too large: `incr` left it as it was
    elif family(new).startswith(b"<"):
        if int(new) > 1:  # it began with 1
            yield b"%d" % (int(new) - 1)
    elif int(new) > int(_least(new)):
        yield b"%d" % (int(new) - 1)


def _least(value: bytes) -> bytes:
    """What this value was if nobody had called `incr`."""
    bare = value.lstrip(BEFORE)
    behind = len(bare) - _FAMILY - _COUNTED
    return value.removesuffix(bare) + bare[:_FAMILY] + b"0" * _COUNTED + BEHIND * behind


_MEANINGS: dict[str, Callable[[Sent, bytes | None], Meaning | None]] = {
    "get": _get, "gets": _get, "set": _set, "add": _add, "replace": _replace, "cas": _cas, "delete": _delete,
    "touch": _touch, "append": _append, "prepend": _prepend, "incr": _incr, "getset": _getset,
    "getdel": _getdel, "count": _count, "extend": _extend, "release": _release, "persist": _persist,
    "flush": _flush,
}  # fmt: skip
