"""A command is of a kind if it does what the kind is named for: writes, shows values, or brings large ones.

What a command does is seen at an engine whose writes have to go round; so none is forgotten.
"""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.shapes import BODY_MAX, SHAPES
from memrep.protocol.memcached.kinds import SHOWING, SHOWING_OPCODES, STORING, WRITING, WRITING_OPCODES, writes
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import rig_later
from tests.unit.protocol.memcached.text.test_commands import connection_to

#: What is held under "a", and a number under "n".
HELD = b"what is held"

LINES = [
    b"get a", b"bget a", b"gets a", b"gat 60 a", b"gats 60 a", b"mg a v", b"mg a v T60", b"mg b N60 v",
    b"mn", b"me a",
    b"set a 0 0 1\r\nx", b"add b 0 0 1\r\nx", b"replace a 0 0 1\r\nx", b"append a 0 0 1\r\nx",
    b"prepend a 0 0 1\r\nx", b"cas a 0 0 1 %d\r\nx", b"ms a 1\r\nx", b"incr n 1", b"decr n 1", b"ma n v",
    b"touch a 60", b"delete a", b"md a", b"flush_all", b"version", b"stats", b"verbosity 1",
]  # fmt: skip

#: What a packet needs beyond a key: its extras, and its value.
BODIES = {
    opcodes.SET: (bytes(8), b"x"),
    opcodes.ADD: (bytes(8), b"x"),
    opcodes.REPLACE: (bytes(8), b"x"),
    opcodes.APPEND: (b"", b"x"),
    opcodes.PREPEND: (b"", b"x"),
    opcodes.INCR: (bytes(20), b""),
    opcodes.DECR: (bytes(20), b""),
    opcodes.TOUCH: (bytes(4), b""),
    opcodes.GAT: (bytes(4), b""),
    opcodes.GATK: (bytes(4), b""),
}


def _does(said: bytes) -> tuple[bool, bool]:
    """Whether a command writes, and whether it shows what is held, now or when its write is done."""
    rig = rig_later(a=HELD, n=b"5")
    client = connection_to(rig.engine)
    if b"%d" in said:
        said %= rig.unique(b"a")
    told = client.receive(said)
    writes = bool(rig.later.rounds)
    if writes:
        rig.later.succeed()
        told += client.resume()
    return writes, HELD in told


@pytest.mark.parametrize("line", LINES)
def test_a_command_is_of_the_kinds_that_its_deeds_are_of(line: bytes) -> None:
    words = line.split(b"\r\n")[0].split()
    wrote, shown = _does(line + b"\r\n")
    assert wrote == writes(words)
    assert shown == (words[0] in SHOWING and words[1] != b"b")


def test_a_meta_get_that_may_win_an_early_recache_counts_as_a_write_whether_it_wins_or_not() -> None:
    """Who wins is known only when the entry is looked at."""
    assert writes(b"mg a v R90".split())
    assert not writes(b"mg a v t c".split())
    assert not writes(b"mg TNR v".split()), "a key is no flag"
    assert not writes([])


def test_no_kind_has_a_command_that_has_not_been_tried() -> None:
    assert {line.split()[0] for line in LINES} >= WRITING | SHOWING


@pytest.mark.parametrize("opcode", SHAPES)
def test_an_opcode_is_of_the_kinds_that_its_deeds_are_of(opcode: int) -> None:
    extras, value = BODIES.get(opcode, (b"", b""))
    key = {opcodes.ADD: b"b", opcodes.INCR: b"n", opcodes.DECR: b"n"}.get(opcode, b"a")
    said = packet(opcode, b"" if SHAPES[opcode].key is False else key, value, extras)
    assert _does(said) == (opcode in WRITING_OPCODES, opcode in SHOWING_OPCODES)


@pytest.mark.parametrize("opcode", SHAPES)
def test_only_opcodes_that_store_bring_large_values(opcode: int) -> None:
    extras, _ = BODIES.get(opcode, (b"", b""))
    client = connection_to(rig_later().engine)
    client.receive(packet(opcode, b"a", bytes(BODY_MAX), extras))
    assert client.closing == (opcode not in STORING)


def test_a_quiet_opcode_is_of_the_kinds_of_its_loud_sibling_by_which_it_is_looked_up() -> None:
    assert not opcodes.QUIET.keys() & (WRITING_OPCODES | SHOWING_OPCODES)
    assert STORING < WRITING_OPCODES
    assert SHAPES.keys() >= (WRITING_OPCODES | SHOWING_OPCODES)
