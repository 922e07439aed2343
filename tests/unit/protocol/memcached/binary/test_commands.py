"""The binary protocol beyond what transcripts show: quiet siblings, order, pieces, and what waits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.command import Said
from memrep.protocol.dialect import COMMANDS_A_LOOK, ServerContext
from memrep.protocol.memcached.binary import packet as opcodes
from memrep.protocol.memcached.binary.commands import Binary
from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, QUIET, error, response
from tests.fuzz.grammar import packet
from tests.harness.engine_fixture import Rig
from tests.harness.lone_node import lone_node
from tests.unit.protocol.memcached.text.test_commands import Waiting, connection_to

QUIETLY = {loud: quiet for quiet, loud in QUIET.items()}

#: Flags and exptime of a storage command that has none.
PLAIN = bytes(8)


def _binary() -> Binary:
    context = ServerContext(
        version=b"1", reports={}, reset=lambda: None, set_verbosity=lambda level: None, shutdown=None
    )
    rig = Rig()
    return Binary(connection_to(rig.engine), rig.engine, rig.engine, context)


def _noted(replies: bytes) -> list[tuple[int, int, int]]:
    """Opcode, status and opaque of each packet."""
    found = []
    while replies:
        _, opcode, _, _, _, status, length, opaque, _ = HEADER.unpack_from(replies)
        found.append((opcode, status, opaque))
        replies = replies[HEADER_BYTES + length :]
    return found


# --- quiet opcodes

ON_HELD = [
    packet(opcodes.SET, b"a", b"new", PLAIN),
    packet(opcodes.REPLACE, b"a", b"new", PLAIN),
    packet(opcodes.APPEND, b"a", b"5"),
    packet(opcodes.PREPEND, b"a", b"5"),
    packet(opcodes.INCR, b"a", b"", (5).to_bytes(8, "big") + bytes(12)),
    packet(opcodes.DECR, b"a", b"", (5).to_bytes(8, "big") + bytes(12)),
    packet(opcodes.DELETE, b"a"),
    packet(opcodes.FLUSH),
    packet(opcodes.ADD, b"b", b"new", PLAIN),
]


def _quiet(said: bytes) -> bytes:
    return said[:1] + bytes([QUIETLY[said[1]]]) + said[2:]


@pytest.mark.parametrize("said", ON_HELD)
def test_a_quiet_opcode_does_what_its_loud_sibling_does_and_says_nothing_of_its_success(said: bytes) -> None:
    loud, quiet = Rig().holding(b"70"), Rig().holding(b"70")
    assert _noted(connection_to(loud.engine).receive(said))[0][1] == 0
    assert connection_to(quiet.engine).receive(_quiet(said)) == b""
    assert [quiet.value(key) for key in (b"a", b"b")] == [loud.value(key) for key in (b"a", b"b")]
    assert loud.value(b"a") != b"70" or loud.value(b"b")


@pytest.mark.parametrize(
    "said",
    [
        packet(opcodes.ADD, b"a", b"new", PLAIN),
        packet(opcodes.REPLACE, b"b", b"new", PLAIN),
        packet(opcodes.APPEND, b"b", b"new"),
        packet(opcodes.SET, b"a", b"new", PLAIN, cas=1),
        packet(opcodes.INCR, b"a", b"", bytes(20)),
        packet(opcodes.DELETE, b"b"),
    ],
)
def test_a_quiet_opcode_that_fails_says_what_its_loud_sibling_says(said: bytes) -> None:
    told = connection_to(Rig().holding(b"x").engine).receive(said)
    quietly_told = connection_to(Rig().holding(b"x").engine).receive(_quiet(said))
    assert quietly_told == told[:1] + bytes([QUIETLY[said[1]]]) + told[2:]
    assert _noted(told)[0][1] != 0


def test_a_row_of_quiet_gets_ends_with_the_noop_behind_it() -> None:
    client = connection_to(Rig().holding(b"x").engine)
    gets = [packet(0x09, key, opaque=number) for number, key in enumerate([b"none", b"a", b"no", b"a"])]
    noted = _noted(client.receive(b"".join(gets) + packet(opcodes.NOOP, opaque=9)))
    assert noted == [(0x09, 0, 1), (0x09, 0, 3), (opcodes.NOOP, 0, 9)]


# --- pieces

said = st.sampled_from(
    [
        *ON_HELD,
        *map(_quiet, ON_HELD),
        packet(opcodes.GETK, b"a"),
        packet(opcodes.GAT, b"a", b"", bytes(4)),
        packet(opcodes.STAT, b"nothing"),
        packet(0x50, b"a", b"a body that is passed over"),
        packet(opcodes.SET, b"a", bytes(500), PLAIN),
        HEADER.pack(0x80, opcodes.GET, 0, 0, 0, 0, 0, 0, 0),
    ]
)


@given(st.lists(said, max_size=12), st.lists(st.integers(0, 1_000), max_size=12))
def test_any_pieces_are_answered_as_if_they_came_in_one(talk: list[bytes], places: list[int]) -> None:
    whole, pieces = lone_node(item_max=300).connect(), lone_node(item_max=300).connect()
    data = b"".join(talk)
    answer = whole.receive(data)
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    told = b""
    for start, end in pairwise(ends):
        if not pieces.closing:
            told += pieces.receive(data[start:end])
    assert (told, pieces.closing) == (answer, whole.closing)


def test_a_packet_that_has_come_half_is_not_looked_at_before_it_is_whole() -> None:
    client = connection_to(Rig().engine)
    data = packet(opcodes.SET, b"a", bytes(1_000), PLAIN)
    client.receive(data[:10])
    assert client.need == HEADER_BYTES
    client.receive(data[10:100])
    assert client.need == len(data)


# --- order


def test_plain_sets_behind_plain_sets_go_out_at_once_be_they_quiet_or_not() -> None:
    client = Waiting()
    told = client.receive(packet(opcodes.SET, b"a", b"x", PLAIN) + packet(0x11, b"b", b"x", PLAIN))
    assert (told, client.proposed()) == (b"", [b"a", b"b"])
    assert [_noted(client.succeed()) for _ in range(2)] == [[(opcodes.SET, 0, 0)], []]


@pytest.mark.parametrize(
    "behind",
    [
        packet(opcodes.GET, b"b"),
        packet(opcodes.ADD, b"b", b"x", PLAIN),
        packet(opcodes.SET, b"b", b"x", PLAIN, cas=1),
        packet(opcodes.DELETE, b"b"),
        packet(opcodes.NOOP),
    ],
)
def test_whatever_else_waits_for_the_write_in_front_of_it(behind: bytes) -> None:
    client = Waiting()
    told = client.receive(packet(opcodes.SET, b"a", b"x", PLAIN) + behind)
    assert (told, client.proposed()) == (b"", [b"a"])
    assert client.connection.blocked
    assert _noted(client.succeed())[0] == (opcodes.SET, 0, 0)
    assert not client.connection.stopped


def test_a_long_pipeline_is_left_to_the_next_turn_where_this_one_has_lasted_long_enough() -> None:
    client = connection_to(Rig().engine)
    client.spent = lambda: True
    steps = [client.receive(packet(opcodes.NOOP) * 40)]
    while client.blocked:
        steps.append(client.resume())
    assert b"".join(steps) == response(opcodes.NOOP, 0) * 40
    assert max(map(len, steps)) == COMMANDS_A_LOOK * HEADER_BYTES


# --- what the connection asks of its dialect

RETRIEVALS = {opcodes.GET, opcodes.GETK, opcodes.GAT, opcodes.GATK}


@pytest.mark.parametrize("opcode", range(0x25))
def test_a_retrieval_is_told_by_its_reply_wherever_among_replies_it_stands(opcode: int) -> None:
    others = response(opcodes.SET, 1) + error(opcodes.DELETE, 2, 1)
    told = _binary().answers_retrieval(others + response(opcode, 3, key=b"a", value=b"x") + others)
    assert told == (QUIET.get(opcode, opcode) in RETRIEVALS)


def test_no_reply_tells_no_retrieval() -> None:
    assert not _binary().answers_retrieval(b"")


def test_what_is_said_behind_a_packet_is_read_and_not_executed() -> None:
    binary = _binary()
    data = packet(opcodes.DELETE, b"a") + packet(0x11, b"b", b"x", PLAIN)
    assert list(binary.said(data, len(packet(opcodes.DELETE, b"a")))) == [Said(b"set", b"b", 0, b"x", True)]
