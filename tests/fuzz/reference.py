"""The comparison with memcached: the same bytes to it and to a node, over sockets, and their answers.

What each may choose is made equal first: cas uniques, what is told of times and sizes, the version. What
docs/protocol.md and the transcripts name as a difference is not said, or not looked at. A conversation that is
answered otherwise is put to both again, more than once, and to a memcached that has just started: what comes
out equal then was a matter of time, or of what its memory had held before.
"""

from __future__ import annotations

import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final

import attrs

from memrep.php.options import PhpOptions
from memrep.protocol.memcached.numbers import signed32
from memrep.protocol.memcached.text.commands import Text
from tests.conformance.servers import RealMemcached
from tests.fuzz import grammar
from tests.fuzz.grammar import HEADER, Chance
from tests.harness.lone_node import lone_node
from tests.real.cluster import Cluster
from tests.real.processes import HOST

#: How long an answer may take, s.
_PATIENCE_S: Final = 5.0

#: How often a difference must be seen.
_TRIES: Final = 4

#: A number that no cas unique of memcached's is meant to meet: they count up from 1.
_STORES: Final = 3_000

_COMMANDS: Final = (grammar.text, grammar.text, grammar.meta, grammar.meta, grammar.binary, grammar.binary)

#: What docs/protocol.md and the transcripts list as differences, in what is said.
_LISTED: Final = re.compile(
    rb"(?<!\r)\n"  # a data block may end in LF alone
    rb"|[^ \n]{251}"  # a get with a key that is too long costs no earlier answers
    rb"|-\d{19}"  # a number far below 0 is none
    rb"|flush_all[ \t]+(?!noreply)[^ \r]"  # in milliseconds; a delayed one undoes an earlier one
    rb"|verbosity"  # it would fill the logs
    rb"|HTTP/|(?i:host:)"  # hung up on earlier
    rb"|\b(watch|lru|lru_crawler|slabs|cache_memlimit|refresh_certs|stats|shutdown|extstore|mop)\b"
    rb"|m\w [^\n]* [Ex]"  # of later versions, as are MA and MP with N
    rb"|ms [^\n]* N"
    rb"|m\w [^\n]* O[^ \r\n]{31}"  # refused before anything is done
    rb"|m\w [^\n]* [NT]-"  # what has ended is 0 seconds from its end
    rb"|m\w (?=[^ \r\n]*(=[^= \r\n]|[^A-Za-z0-9+/= \r\n]))[^\n]* b"  # base64 is taken as it is defined
    rb"|ma [^\n]* [CT]",  # C is looked at first; T counts for a number that grows
    re.MULTILINE,
)

_STAT: Final = 0x10
_VERBOSITY: Final = 0x1B
_VERSION: Final = 0x0B
_FLUSHES: Final = (0x08, 0x18)
_COUNTS: Final = (0x05, 0x06, 0x15, 0x16)
_TOUCHES: Final = (0x1C, 0x1D, 0x1E, 0x23, 0x24)
_OPCODES: Final = frozenset([*range(0x1B), *_TOUCHES, 0x20, 0x21, 0x22])

#: A key is told as it was asked for, be it base64 or not; memcached tells it as it was stored.
_KEYS_TOLD: Final = (re.compile(rb"m\w [^\n]* b"), re.compile(rb"m\w [^\n]* k"))

#: A storage command up to its data block; its length.
_STORE: Final = re.compile(
    rb"(?:(?:set|add|replace|append|prepend|cas) +[^ \r\n]+ +[^ \r\n]+ +[^ \r\n]+ +([^ \r\n]+)"
    rb"|ms +[^ \r\n]+ +([^ \r\n]+))[^\n]*\n"
)

#: About where a line is an endless one.
_LINE_MAX: Final = 2_000

_FIGURES: Final = (
    (re.compile(rb"(VALUE \S+ \d+ \d+) \d+(?=\r\n)"), rb"\1 CAS"),
    (re.compile(rb" c\d{4,}\b"), rb" cCAS"),
    (re.compile(rb" t\d+\b"), rb" tTIME"),
    (re.compile(rb"^ME .*\r$", re.MULTILINE), rb"ME"),
    (re.compile(rb"^VERSION .*\r$", re.MULTILINE), rb"VERSION"),
)


class NodeAlone(Cluster):
    """A memrep that does not take its clients for PHP."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1, folder)

    def argv(self, i: int) -> list[str]:
        """See `Cluster`."""
        return [*super().argv(i), "--no-php"]


def answer(port: int, said: bytes) -> tuple[bytes, bool]:
    """All that a server answers until it closes, and whether it did so in order."""
    with socket.create_connection((HOST, port), _PATIENCE_S) as client:
        told = b""
        try:
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                told += piece
        except (ConnectionResetError, BrokenPipeError):
            return told, False
    return told, True


def equalled(told: bytes, said: bytes) -> bytes:
    """An answer without what each server may choose."""
    if not said.startswith(b"\x80"):
        for figure, name in _FIGURES:
            told = figure.sub(name, told)
        return told
    packets = []
    while len(told) >= HEADER.size:
        end = HEADER.size + int.from_bytes(told[8:12], "big")
        version = told[1] == _VERSION
        unique = b"CAS" if any(told[16:24]) else b""
        packets.append(told[:8] if version else told[:16] + unique + told[24:end])
        told = told[end:]
    return b"|".join([*packets, told])


def talk(rng: Random) -> bytes:
    """Some conversation."""
    command = rng.choice(_COMMANDS)
    return b"".join(grammar.talk(Chance(rng), command, 6, bite=40))


def is_listed(said: bytes) -> bool:
    """Whether something is said that memrep means to answer otherwise, or for which it has its own figures."""
    if not said.startswith(b"\x80"):
        too_long = len(said.rpartition(b"\n")[2]) > _LINE_MAX
        told_as_asked = all(flag.search(said) for flag in _KEYS_TOLD)
        return too_long or told_as_asked or _LISTED.search(said) is not None or _ends_in_lf(said)
    flushes = 0
    for each in _packets(said):
        flushes += each.opcode in _FLUSHES
        if (
            each.magic != 0x80
            or each.opcode in (_STAT, _VERBOSITY)
            or (each.opcode not in _OPCODES and each.size)
            or each.size >= 1 << 31  # to memcached less than nothing
            or (each.opcode in _TOUCHES and each.size > each.keys + each.extras)  # their values are passed over
            or (each.opcode in _COUNTS and each.cas)  # which is looked at first
            or (each.opcode in _FLUSHES and (flushes > 1 or each.size))  # a later one takes an earlier one back
        ):
            return True
    return False


def _ends_in_lf(said: bytes) -> bool:
    """Whether a length is one too large, so that CR belongs to the value and LF alone ends the block."""
    for line in _STORE.finditer(said):
        length = signed32((line[1] or line[2]).split(b"\0")[0])
        end = line.end() + (length or 0)
        if length is not None and length > 0 and said[end - 1 : end + 1] == b"\r\n":
            return True
    return False


#: Makes two conversations strangers. A flush_all would leave things behind that a delayed one revives.
_DELETES: Final = (
    b"flush_all\r\n"
    + b"".join(
        b"md %b b q\r\n" % b64encode(key)
        for key in {*grammar.KEYS, *grammar.ODD_KEYS, *grammar.BINARY_KEYS}
        if len(key) <= 187
    )
    + b"delete %b\r\n" % (b"k" * 250)
)


@attrs.frozen
class _Packet:
    """What a header says, and where its packet ends to memcached, which waits for the key."""

    magic: int
    opcode: int
    keys: int
    extras: int
    size: int
    cas: int
    end: int


def _packets(said: bytes) -> Iterator[_Packet]:
    at = 0
    while at + HEADER.size <= len(said):
        magic, opcode, keys, extras, _, _, size, _, cas = HEADER.unpack_from(said, at)
        yield _Packet(magic, opcode, keys, extras, size, cas, at + HEADER.size + max(size, keys + extras))
        at += HEADER.size + size


def is_unfinished(said: bytes) -> bool:
    """Whether its last command is not all there; memcached may then keep earlier answers to itself."""
    if said.startswith(b"\x80"):
        ends = [each.end for each in _packets(said)]
        return not ends or ends[-1] != len(said) or max(ends) > len(said)
    client = lone_node(php_options=PhpOptions(on=False)).connect()
    client.receive(said)
    connection = client.connection
    dialect = connection._dialect
    return bool(connection._inbox or (isinstance(dialect, Text) and dialect._client.skip))


class Comparison:
    """memcached and a node, side by side."""

    def __init__(self, memcached: RealMemcached, node: Cluster) -> None:
        self._memcached = memcached.port
        self._node = node.ports[0]
        answer(self._memcached, b"set a 0 0 1 noreply\r\nx\r\n" * _STORES)
        self.unsteady = 0

    def differs(self, said: bytes) -> str | None:
        """How the two answer otherwise; None if they do not."""
        for _ in range(_TRIES):
            found = self._differs_now(said)
            if found is None:
                return None
            self.unsteady += 1
        self.unsteady -= _TRIES
        return found

    def _differs_now(self, said: bytes) -> str | None:
        for port in (self._memcached, self._node):
            answer(port, _DELETES)
        (reference, whole), (told, _) = answer(self._memcached, said), answer(self._node, said)
        expected, actual = equalled(reference, said), equalled(told, said)
        if expected == actual:
            return None
        if actual.startswith(expected) and (not whole or is_unfinished(said)):
            return None
        at = next((n for n, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b), None)
        at = min(len(expected), len(actual)) if at is None else at
        begin = max(0, at - 60)
        return f"memcached: ...{expected[begin : at + 100]!r}\nmemrep:    ...{actual[begin : at + 100]!r}"


def compare(seconds: float, seed: int, folder: Path, tell: Callable[[str], None]) -> list[Path]:
    """Search for so long; returns the files of what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    over = time.monotonic() + seconds
    found: list[Path] = []
    done = skipped = 0
    rng = Random(seed)
    with RealMemcached(quiet=True) as memcached, NodeAlone(folder) as node:
        comparison = Comparison(memcached, node)
        while time.monotonic() < over and len(found) < 3:
            said = talk(rng)
            if is_listed(said):
                skipped += 1
                continue
            done += 1
            difference = comparison.differs(said)
            if difference is not None:  # some of memcached's answers depend on what its memory held before
                with RealMemcached(quiet=True) as fresh:
                    difference = Comparison(fresh, node).differs(said)
            if difference is not None:
                file = folder / f"difference-{seed}-{done}"
                file.write_bytes(said)
                found.append(file)
                tell(f"{said!r}\n{difference}")
        tell(
            f"memcached: {done} conversations compared, {skipped} with listed differences left out, "
            f"{comparison.unsteady} answers that were a matter of time"
        )
    return found
