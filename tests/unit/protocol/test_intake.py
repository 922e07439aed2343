"""Intake: large commands that have come half are kept for so many clients as there is room for."""

from __future__ import annotations

import pytest

from memrep.protocol.connection import LINE_ROOM
from memrep.protocol.intake import HALF_MAX, LATE_MS, PATIENCE_MS, ROOM_MAX, Intake
from memrep.storage.version import Clock
from tests.fuzz.grammar import packet
from tests.harness.lone_node import LoneConnection, LoneNode, lone_node
from tests.unit.protocol.memcached.text.test_commands import held, pieces

MEGABYTE = 1 << 20
SET, GET, NOOP = 0x01, 0x00, 0x0A
PLAIN = bytes(8)
OUT_OF_MEMORY = b"SERVER_ERROR out of memory storing object\r\n"


class Guest:
    """Who wants room."""

    def __init__(self) -> None:
        self.incomplete = True
        self.told: list[str] = []

    def admit(self, late: bool) -> None:
        self.told.append("late" if late else "in")

    def refuse(self) -> None:
        self.told.append("refused")


class House:
    """An intake of eight megabytes, and its clock."""

    def __init__(self) -> None:
        self.clock = Clock(1, 0, 0)
        self.intake = Intake(64 * MEGABYTE, self.clock)

    def advance(self, ms: int) -> None:
        self.clock.turn(self.clock.now + ms, 0)
        self.intake.tick()


def test_the_room_is_an_eighth_of_the_memory_and_bounded() -> None:
    clock = Clock(1, 0, 0)
    assert Intake(64 * MEGABYTE, clock).limit == 8 * MEGABYTE
    assert Intake(1 << 40, clock).limit == ROOM_MAX


def test_there_is_always_room_for_one_however_large() -> None:
    house = House()
    assert house.intake.enter(Guest(), 100 * MEGABYTE)
    assert not house.intake.enter(Guest(), 1)


def test_who_finds_no_room_comes_in_when_there_is_some_and_nobody_before_him() -> None:
    house = House()
    inside = [Guest() for _ in range(8)]
    assert all(house.intake.enter(guest, MEGABYTE) for guest in inside)
    first, second = Guest(), Guest()
    assert not house.intake.enter(first, 2 * MEGABYTE)
    assert not house.intake.enter(second, 1)
    house.intake.leave(inside[0])
    assert (first.told, second.told) == ([], [])
    house.intake.leave(inside[1])
    assert (first.told, second.told) == (["in"], [])
    house.intake.leave(inside[2])
    assert second.told == ["in"]
    for guest in [*inside, first, second]:
        house.intake.leave(guest)
    assert house.intake.taken == 0


def test_who_has_waited_for_long_is_told_so() -> None:
    house = House()
    inside, outside = Guest(), Guest()
    house.intake.enter(inside, 8 * MEGABYTE)
    house.intake.enter(outside, MEGABYTE)
    house.advance(LATE_MS + 1)
    house.intake.leave(inside)
    assert outside.told == ["late"]


def test_who_keeps_others_waiting_and_sends_nothing_is_refused() -> None:
    house = House()
    silent, busy, outside = Guest(), Guest(), Guest()
    for guest in (silent, busy):
        house.intake.enter(guest, 4 * MEGABYTE)
    house.intake.enter(outside, MEGABYTE)
    house.advance(PATIENCE_MS - 1)
    house.intake.heard(busy)
    assert silent.told == []
    house.advance(1)
    assert (silent.told, busy.told, outside.told) == (["refused"], [], ["late"])


def test_who_sends_nothing_but_keeps_nobody_waiting_stays() -> None:
    house = House()
    silent = Guest()
    house.intake.enter(silent, 8 * MEGABYTE)
    house.advance(1_000_000)
    assert silent.told == []


def test_who_is_not_executed_for_no_fault_of_his_is_not_refused() -> None:
    house = House()
    complete, outside = Guest(), Guest()
    house.intake.enter(complete, 8 * MEGABYTE)
    complete.incomplete = False
    house.intake.enter(outside, MEGABYTE)
    house.advance(PATIENCE_MS)
    assert (complete.told, outside.told) == ([], [])


# --- with the protocols


def text_set(key: bytes, size: int, exptime: int = 0) -> bytes:
    return b"set %b 0 %d %d\r\n%b\r\n" % (key, exptime, size, b"v" * size)


def meta_set(key: bytes, size: int) -> bytes:
    return b"ms %b %d\r\n%b\r\n" % (key, size, b"v" * size)


def binary_set(key: bytes, size: int) -> bytes:
    return packet(SET, key, b"v" * size, PLAIN)


STORES = pytest.mark.parametrize("store", [text_set, meta_set, binary_set], ids=["text", "meta", "binary"])


def half_sets(lone: LoneNode, store: object, count: int) -> list[tuple[LoneConnection, bytes]]:
    """Clients of which each has sent the half of a value of a megabyte, as far as it is read; and the rest."""
    clients = []
    for number in range(count):
        client = lone.connect()
        data = store(b"key%d" % number, 1_000_000)  # type: ignore[operator]
        sent = 0
        while sent < 500_000 and not client.connection.blocked:
            assert client.receive(data[sent : sent + HALF_MAX]) == b""
            sent += HALF_MAX
        clients.append((client, data[sent:]))
    return clients


@STORES
def test_four_hundred_half_values_of_a_megabyte_cost_no_more_than_the_room(store: object) -> None:
    lone = lone_node(memory=64 * MEGABYTE)
    clients = half_sets(lone, store, 400)
    kept = sum(held(client.connection) for client, _ in clients)
    assert kept < 8 * MEGABYTE + 400 * (HALF_MAX + 500)
    assert int(dict(lone.node.clients._context.reports[b""]())["intake_waiting"]) == 392  # type: ignore[call-overload]


@STORES
def test_all_of_them_are_stored_when_they_send_on(store: object) -> None:
    lone = lone_node(memory=1024 * MEGABYTE)
    clients = half_sets(lone, store, 60)
    todo = clients
    for _ in range(10):
        later = []
        for client, rest in todo:
            lone.begin()
            lone.end()
            if client.connection.blocked:
                later.append((client, rest))
            else:
                assert client.receive(rest)
        todo = later
    assert not todo
    assert len(lone.node.store) == 60


@STORES
def test_who_sends_nothing_more_is_told_memcacheds_answer_and_the_rest_is_passed_over(store: object) -> None:
    lone = lone_node(memory=64 * MEGABYTE)
    (first, rest), *_ = half_sets(lone, store, 9)
    lone.advance((PATIENCE_MS + 1) / 1000)
    told = dict(lone.take())[first.connection]
    assert held(first.connection) < 1_000
    told += b"".join(map(first.receive, pieces(rest, HALF_MAX)))
    if store is binary_set:
        assert told[6:8] == b"\x00\x82"
        assert first.receive(packet(NOOP))[:2] == bytes([0x81, NOOP])
    else:
        assert told == OUT_OF_MEMORY
        assert first.receive(b"get key0\r\n") == b"END\r\n"


def test_a_set_that_is_refused_leaves_no_old_value_behind() -> None:
    lone = lone_node(memory=64 * MEGABYTE)
    lone.connect().receive(text_set(b"key0", 5))
    half_sets(lone, text_set, 9)
    lone.advance((PATIENCE_MS + 1) / 1000)
    lone.take()
    assert lone.connect().receive(b"get key0\r\n") == b"END\r\n"


def test_a_noreply_is_refused_in_silence() -> None:
    lone = lone_node(memory=8 * 1_000_100)
    client = lone.connect()
    data = b"set key 0 0 1000000 noreply\r\n" + b"v" * 1_000_000 + b"\r\nmn\r\n"
    client.receive(data[: 2 * HALF_MAX])
    lone.connect().receive(text_set(b"other", 1_000_000)[: 2 * HALF_MAX])
    lone.advance((PATIENCE_MS + 1) / 1000)
    lone.take()
    assert b"".join(map(client.receive, pieces(data[2 * HALF_MAX :], HALF_MAX))) == b"MN\r\n"


def test_half_lines_of_many_keys_need_room_too() -> None:
    lone = lone_node(memory=8 * LINE_ROOM)
    line = b"get " + b"k " * 300_000
    clients = [lone.connect() for _ in range(50)]
    for client in clients:
        for piece in pieces(line, HALF_MAX):
            if not client.connection.blocked:
                assert client.receive(piece) == b""
    assert sum(held(client.connection) for client in clients) < LINE_ROOM + 50 * (3 * HALF_MAX + 500)
    lone.advance((PATIENCE_MS + 1) / 1000)
    lone.take()
    assert clients[0].closing


def test_who_hangs_up_gives_his_room_to_the_next() -> None:
    lone = lone_node(memory=64 * MEGABYTE)
    clients = half_sets(lone, text_set, 9)
    last, rest = clients[-1]
    assert last.connection.blocked
    lone.node.clients.disconnect(clients[0][0].connection)
    assert not last.connection.blocked
    assert last.receive(rest) == b"STORED\r\n"


def test_values_that_come_whole_need_no_room() -> None:
    lone = lone_node(memory=64 * MEGABYTE)
    half_sets(lone, text_set, 9)
    assert lone.connect().receive(text_set(b"whole", HALF_MAX - 100)) == b"STORED\r\n"
