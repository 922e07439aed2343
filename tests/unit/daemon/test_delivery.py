"""Delivery: what TCP tells of an answer, and that an answer which is withheld does not arrive."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from memrep.daemon.delivery import acknowledged, withhold


class Told(socket.socket):
    """A socket of which the kernel says this; see struct tcp_info in linux/tcp.h."""

    in_flight = sent_ms_ago = heard_ms_ago = round_trip_us = 0

    def getsockopt(self, level: int, option: int, size: int = 0) -> bytes:  # type: ignore[override]
        info = bytearray(size)
        for offset, value in (
            (24, self.in_flight),
            (44, self.sent_ms_ago),
            (56, self.heard_ms_ago),
            (68, self.round_trip_us),
        ):
            struct.pack_into("=I", info, offset, value)
        return bytes(info)


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as sock:
        yield sock


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection over loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as there,
        server.accept()[0] as here,
    ):
        there.settimeout(15)
        yield here, there


def test_what_was_sent_over_loopback_is_acknowledged_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    here.sendall(b"STORED\r\n")
    there.recv(100)
    assert acknowledged(here, 60_000)


def test_of_a_socket_on_which_nothing_was_sent_in_that_time_nothing_is_told(told: Told) -> None:
    told.sent_ms_ago = 1_000
    assert acknowledged(told, 1_000) is None
    assert acknowledged(told, 1_001) is True


def test_an_answer_in_flight_counts_as_lost_only_after_a_round_trip_and_the_delay_of_acknowledgements(
    told: Told,
) -> None:
    told.in_flight = 1
    told.round_trip_us = 20_000
    told.sent_ms_ago = told.heard_ms_ago = 94
    assert acknowledged(told, 60_000) is None
    told.sent_ms_ago = told.heard_ms_ago = 95
    assert acknowledged(told, 60_000) is False


def test_a_machine_that_has_acknowledged_something_a_moment_ago_is_there(told: Told) -> None:
    told.in_flight = 1
    told.sent_ms_ago, told.heard_ms_ago = 1_000, 10
    assert acknowledged(told, 60_000) is None


def test_what_is_withheld_ends_in_a_reset_and_not_in_an_end(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    withhold(here)
    here.close()
    with pytest.raises(ConnectionResetError):
        there.recv(100)
