"""What clients say: a grammar of every protocol, mostly kept, for whoever needs input that gets far.

Random bytes end at the first line. So what is sent here is put together from whole commands with sensible keys
and numbers; some are then bitten into. Where the choices come from is the caller's business: hypothesis draws
them (and shrinks them), the fuzzer reads them off its input (and learns which bytes lead where), a seeded
generator does for the comparison with memcached. One grammar, three sources.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol, TypeVar

T = TypeVar("T")


class Source(Protocol):
    """Where choices come from."""

    def pick(self, choices: Sequence[T]) -> T:
        """One of these; of hypothesis' it is the simplest that comes first."""
        ...

    def number(self, least: int, most: int) -> int:
        """A number between these, both included."""
        ...

    def some(self, most: int) -> bytes:
        """So many bytes at most, whatever they are."""
        ...


class Chance:
    """A source that a seeded generator decides."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def pick(self, choices: Sequence[T]) -> T:
        """See `Source`."""
        return self._rng.choice(choices)

    def number(self, least: int, most: int) -> int:
        """See `Source`."""
        return self._rng.randint(least, most)

    def some(self, most: int) -> bytes:
        """See `Source`."""
        return self._rng.randbytes(self._rng.randint(0, most))


#: Values up to this many bytes are small enough for the nodes of these tests, the larger ones are not.
ITEM_MAX: Final = 400

KEYS: Final = (b"a", b"b", b"n", b"a", b"k" * 250)
ODD_KEYS: Final = (
    b"k" * 251,
    b"a.lock",
    b"memc.sess.key.x",
    b"memc.sess.key.lock.x",
    b"\xff\t",
    b"noreply",
    b"0",
)
NUMBERS: Final = (b"0", b"1", b"2", b"10", b"99", b"-1")
ODD_NUMBERS: Final = (
    b"", b"x", b"-0", b"+3", b"1x", b"007", b"4294967295", b"4294967296", b"2592000", b"2592001", b"768",
    b"-4294967295", b"2147483647", b"18446744073709551615", b"18446744073709551616", b"9" * 70, b"\t1",
)  # fmt: skip


def _often(source: Source, usual: Sequence[T], odd: Sequence[T]) -> T:
    return source.pick(odd) if source.number(0, 11) == 11 else source.pick(usual)


def _key(source: Source) -> bytes:
    return _often(source, KEYS, ODD_KEYS)


def _number(source: Source) -> bytes:
    return _often(source, NUMBERS, ODD_NUMBERS)


def _value(source: Source) -> bytes:
    kind = source.number(0, 9)
    if kind < 5:
        return source.pick((b"", b"1", b"5", b"10", b"99", b"18446744073709551615", b"x\r\ny", b"x\r\n", b"\0"))
    if kind < 9:
        return source.some(12)
    return b"v" * source.number(ITEM_MAX - 80, ITEM_MAX + 80)


# --- text

_ENDS: Final = (b"\r\n", b"\n", b"\r", b"")
_RETRIEVALS: Final = (b"get", b"gets", b"bget", b"gat 0", b"gats 10", b"gat x")
_STORES: Final = (b"set", b"set", b"add", b"replace", b"append", b"prepend", b"cas")
_BARE: Final = (
    b"version",
    b"verbosity 1",
    b"mn",
    b"",
    b"junk",
    b"shutdown",
    b"verbosity",
    b"verbosity 1 noreply",
)


def _line(source: Source, *words: bytes) -> bytes:
    if source.number(0, 19) == 19:
        words = (*words, source.pick((b"noreply", b"extra", b"0", b"")))
    return b" ".join(words) + (source.pick(_ENDS) if source.number(0, 15) == 15 else b"\r\n")


def _noreply(source: Source) -> tuple[bytes, ...]:
    return (b"noreply",) if source.number(0, 4) == 4 else ()


def _block(source: Source, value: bytes) -> bytes:
    return value + (source.pick((b"\n", b"\r", b"xy", b"")) if source.number(0, 15) == 15 else b"\r\n")


def _length(source: Source, value: bytes) -> bytes:
    return _number(source) if source.number(0, 15) == 15 else b"%d" % len(value)


def _retrieval(source: Source) -> bytes:
    keys = [_key(source) for _ in range(source.number(1, 4))]
    return _line(source, source.pick(_RETRIEVALS), *keys)


def _storage(source: Source) -> bytes:
    verb, value = source.pick(_STORES), _value(source)
    unique = (_number(source),) if verb == b"cas" else ()
    words = (verb, _key(source), _number(source), _number(source), _length(source, value), *unique)
    return _line(source, *words, *_noreply(source)) + _block(source, value)


def _on_one_key(source: Source) -> bytes:
    verb = source.pick((b"incr", b"decr", b"touch", b"delete", b"flush_all"))
    words: tuple[bytes, ...] = (verb,) if verb == b"flush_all" else (verb, _key(source))
    if verb != b"delete" and not (verb == b"flush_all" and source.number(0, 1)):
        words = (*words, _number(source))
    return _line(source, *words, *_noreply(source))


def _session(source: Source) -> bytes:
    """What pecl-memcache says of a session and its lock."""
    value = source.pick((b"0", b"1", b"x", b"18446744073709551615"))
    return source.pick(
        (
            b"incr a.lock 1\r\n",
            b"get a\r\n",
            b"add a.lock 768 15 %d\r\n%b\r\n" % (len(value), value),
            b"set a 0 1440 1\r\n1\r\n",
            b"set a.lock 768 15 1\r\n0\r\n",
            b"delete a.lock\r\n",
        )
    )


def _bare(source: Source) -> bytes:
    return _line(source, source.pick(_BARE))


def text(source: Source) -> bytes:
    """A command of the classic text protocol."""
    return source.pick((_retrieval, _storage, _storage, _on_one_key, _on_one_key, _session, _bare))(source)


# --- meta

_BARE_FLAGS: Final = (b"v", b"k", b"q", b"c", b"s", b"t", b"f", b"I", b"x", b"u", b"h", b"l")
_TOKEN_FLAGS: Final = (b"T", b"N", b"R", b"C", b"E", b"D", b"J", b"F")


def _flag(source: Source) -> bytes:
    kind = source.number(0, 9)
    if kind < 5:
        return source.pick(_BARE_FLAGS)
    if kind < 8:
        return source.pick(_TOKEN_FLAGS) + _number(source)
    if kind == 8:
        return b"O" + source.pick((b"", b"1", b"opaque", b"o" * 31, b"o" * 32))
    return b"M" + source.pick((b"I", b"D", b"+", b"-", b"E", b"A", b"P", b"R", b"S", b"x", b"", b"II"))


def _meta_key(source: Source) -> tuple[bytes, tuple[bytes, ...]]:
    """A key as it is written, and the flag that it asks for."""
    if source.number(0, 5) < 5:
        return _key(source), ()
    named = b64encode(source.pick((b"a", b"a b", b"\r\n", b"\0", b"\x80", b"k" * 187))) or b"="
    return _often(source, (named,), (b"YQ", b"====", b"Y Q=", b"YQ==YQ==")), (b"b",)


def meta(source: Source) -> bytes:
    """A meta command."""
    verb = source.pick((b"mg", b"ms", b"md", b"ma", b"me"))
    key, base64 = _meta_key(source)
    flags = [_flag(source) for _ in range(source.number(0, 4))]
    if source.number(0, 49) == 49:
        flags *= 8
    if verb != b"ms":
        return _line(source, verb, key, *base64, *flags)
    value = _value(source)
    return _line(source, verb, key, _length(source, value), *base64, *flags) + _block(source, value)


def lines(source: Source) -> bytes:
    """A classic or a meta command."""
    return source.pick((text, meta))(source)


# --- binary

HEADER: Final = struct.Struct(">BBHBBHIIQ")

#: What each opcode has for its extras, and whether it has a key and a value.
_STORE: Final = (8, True, True)
_SHAPES: Final = {
    **dict.fromkeys((0x00, 0x09, 0x0C, 0x0D, 0x04, 0x14), (0, True, False)),
    **dict.fromkeys((0x01, 0x01, 0x02, 0x03, 0x11, 0x12, 0x13), _STORE),
    **dict.fromkeys((0x0E, 0x0F, 0x19, 0x1A), (0, True, True)),
    **dict.fromkeys((0x05, 0x06, 0x15, 0x16), (20, True, False)),
    **dict.fromkeys((0x1C, 0x1D, 0x1E, 0x23, 0x24), (4, True, False)),
    **dict.fromkeys((0x08, 0x18), (4, False, False)),
    **dict.fromkeys((0x0A, 0x0B), (0, False, False)),
    0x10: (0, True, False),
}
_OPCODES: Final = tuple(_SHAPES)
_RARE_OPCODES: Final = (0x07, 0x17, 0x1B, 0x20, 0x25, 0x50, 0xFF)

BINARY_KEYS: Final = (b"a", b"b", b"n", b"a", b"a b", b"\r\n", b"\0", b"k" * 250)
_SIZES: Final = (0, 1, 4, 8, 250, 251, 0xFFFF, 0x10001, 0x7FFFFFFF, 0xFFFFFFFF)


def packet(
    opcode: int, key: bytes = b"", value: bytes = b"", extras: bytes = b"", opaque: int = 0, cas: int = 0
) -> bytes:
    """A request."""
    size = len(extras) + len(key) + len(value)
    return HEADER.pack(0x80, opcode, len(key), len(extras), 0, 0, size, opaque, cas) + extras + key + value


def _extras(source: Source, size: int) -> bytes:
    words = [int(source.pick((b"0", b"0", b"1", b"2592001", b"4294967295"))) for _ in range(size // 4)]
    return b"".join(word.to_bytes(4, "big") for word in words)


def binary(source: Source) -> bytes:
    """A packet."""
    opcode = _often(source, _OPCODES, _RARE_OPCODES)
    extras, key, value = _SHAPES.get(opcode, (0, False, False))
    made = packet(
        opcode,
        _often(source, BINARY_KEYS, ODD_KEYS) if key else b"",
        _value(source) if value else b"",
        _extras(source, extras),
        source.number(0, 3),
        source.pick((0, 0, 0, 0, 1)),
    )
    if source.number(0, 39) < 39:
        return made
    magic, opcode, keys, size, kind, status, body, opaque, cas = HEADER.unpack_from(made)
    match source.number(0, 3):
        case 0:
            keys = source.pick(_SIZES) & 0xFFFF
        case 1:
            size = source.pick(_SIZES) & 0xFF
        case 2:
            body = source.pick(_SIZES)
        case _:
            magic = source.pick((0x81, 0x00, 0x0A))
    return HEADER.pack(magic, opcode, keys, size, kind, status, body, opaque, cas) + made[HEADER.size :]


# --- logins

#: As tests/conformance/servers.py has it.
_PASSWORDS: Final = (b"user secret", b"other pass:word", b"user wrong", b"user", b"", b"user secret more")
_TOKENS: Final = (
    b"\0user\0secret", b"user\0user\0secret", b"other\0user\0secret", b"\0user\0wrong", b"user\0secret", b"",
    b"\0\0",
)  # fmt: skip


def login(source: Source) -> bytes:
    """A login of the text protocol, or something else."""
    if source.number(0, 3) == 3:
        return text(source)
    block = source.pick(_PASSWORDS)
    return _line(source, b"set", b"x", b"0", b"0", _length(source, block)) + _block(source, block)


def sasl(source: Source) -> bytes:
    """A login of the binary protocol, or something else."""
    kind = source.number(0, 4)
    if kind == 4:
        return binary(source)
    if kind == 3:
        return packet(source.pick((0x20, 0x0B)))
    mechanism = _often(source, (b"PLAIN",), (b"plain", b"CRAM-MD5", b"X" * 33, b"Y" * 300))
    return packet(source.pick((0x21, 0x22)), mechanism, source.pick(_TOKENS))


# --- conversations

Command = Callable[[Source], bytes]


def _bitten(source: Source, command: bytes) -> bytes:
    """The command with a piece of it gone, doubled or changed."""
    begin = source.number(0, len(command))
    end = min(len(command), begin + source.number(0, 4))
    middle = source.pick((b"", command[begin:end] * 2, b"\0", b" ", b"\r\n", b"\x80", b"\xff"))
    return command[:begin] + middle + command[end:]


def talk(source: Source, command: Command, most: int, bite: int = 12) -> list[bytes]:
    """Up to so many commands of this kind, one in `bite` of them bitten into."""
    commands = [command(source) for _ in range(source.number(1, most))]
    return [_bitten(source, one) if source.number(1, bite) == bite else one for one in commands]
