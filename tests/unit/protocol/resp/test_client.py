"""What one client has chosen concerns nobody else, and RESET takes it back."""

from __future__ import annotations

import pytest

from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.client import KEY_MAX
from memrep.protocol.users import Users
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import (
    NIL,
    OK,
    PONG,
    QUEUED,
    TOO_LARGE,
    Word,
    bulk,
    lone_client,
    one_told,
    said,
)

CHOICES = said("SELECT", 3) + said("CLIENT", "SETNAME", "me") + said("HELLO", 3) + said("MULTI")


def test_what_one_has_chosen_concerns_nobody_else() -> None:
    lone = lone_node()
    one, other = lone.connect(REDIS), lone.connect(REDIS)
    one.receive(CHOICES)
    assert one.receive(said("SET", "a", "x")) == QUEUED
    assert other.receive(said("GET", "a") + said("CLIENT", "GETNAME") + said("SET", "a", "y")) == NIL + NIL + OK
    one.receive(said("EXEC"))
    assert other.receive(said("GET", "a")) == bulk(b"y")


def test_reset_takes_back_all_choices_and_keeps_the_number() -> None:
    client = lone_client()
    number = client.receive(said("CLIENT", "ID"))
    client.receive(said("SET", "a", "of0") + said("WATCH", "a") + CHOICES + said("SET", "a", "x"))
    assert client.receive(said("RESET")) == b"+RESET\r\n"
    assert client.receive(
        said("GET", "none") + said("CLIENT", "GETNAME") + said("GET", "a")
    ) == NIL + NIL + bulk(b"of0")
    assert client.receive(said("CLIENT", "ID")) == number
    assert client.receive(said("EXEC")).startswith(b"-ERR EXEC without MULTI")


def test_reset_asks_for_the_password_again() -> None:
    client = lone_client(users=Users({b"ann": b"secret"}))
    assert client.receive(said("AUTH", "secret") + said("PING")) == OK + PONG
    assert client.receive(said("RESET") + said("GET", "a")).endswith(b"-NOAUTH Authentication required.\r\n")


def test_a_stranger_reads_and_writes_nothing_by_the_short_way_either() -> None:
    lone = lone_node(users=Users({b"ann": b"secret"}))
    inside, client = lone.connect(REDIS), lone.connect(REDIS)
    inside.receive(said("AUTH", "ann", "secret") + said("SET", "a", "x"))
    for command in (said("GET", "a"), said("SET", "a", "y"), said("SETEX", "a", 60, "y")):
        assert client.receive(command) == b"-NOAUTH Authentication required.\r\n"
    assert inside.receive(said("GET", "a")) == bulk(b"x")


@pytest.mark.parametrize("version", [2, 3])
def test_nothing_is_spelled_as_the_client_has_chosen_by_each_way(version: int) -> None:
    client = lone_client()
    client.receive(said("HELLO", version))
    nil = {2: NIL, 3: b"_\r\n"}[version]
    assert client.receive(said("GET", "a") + said("get", "a") + said("GETDEL", "a")) == nil * 3


def test_a_queue_takes_what_else_goes_the_short_way() -> None:
    client = lone_client()
    assert client.receive(said("MULTI") + said("GET", "a") + said("SET", "a", "x")) == OK + QUEUED * 2


def test_a_key_that_is_too_long_is_not_stored() -> None:
    client = lone_client()
    fits, long = b"k" * (KEY_MAX - 10), b"k" * (KEY_MAX + 1)
    assert client.receive(said("SET", fits, "x") + said("GET", fits)) == OK + bulk(b"x")
    for command in (
        said("SET", long, "x"),
        said("SETNX", long, "x"),
        said("SETEX", long, 9, "x"),
        said("INCR", long),
    ):
        assert client.receive(command) == TOO_LARGE
    assert one_told(client.receive(said("DBSIZE"))) == 1


def test_a_client_is_described_by_what_it_has_chosen() -> None:
    lone = lone_node()
    client = lone.connect(REDIS)
    client.receive(said("SELECT", 3) + said("CLIENT", "SETNAME", "me"))
    lone.advance(5)
    fields = dict(field.split(b"=", 1) for field in one_told(client.receive(said("CLIENT", "INFO"))).split())
    expected = {b"db": b"3", b"name": b"me", b"age": b"5", b"multi": b"-1", b"resp": b"2", b"user": b"default"}
    assert expected.items() <= fields.items()


@pytest.mark.parametrize(
    "command",
    [
        ("MSETNX", b"k" * 300, "v" * 200),
        ("RENAME", "a", b"k" * 300),
        ("RENAMENX", "a", b"k" * 300),
        ("EVALSHA", "96da70f7716f27d278a5218544df37fd8b0a5e4c", 1, b"k" * 300, "v" * 200, 5_000),  # redlock's
        ("EVALSHA", "420ca604de4310d8301943a71390ee669720d640", 1, b"k" * 300, "s", 60, "v" * 200),  # Laravel's
    ],
    ids=["msetnx", "rename", "renamenx", "several locks", "limiter"],
)
@pytest.mark.parametrize("queued", [False, True], ids=["alone", "in a transaction"])
def test_what_shows_to_be_too_large_in_the_second_half_of_a_command_is_refused(
    command: tuple[Word, ...], queued: bool
) -> None:
    client = lone_client(item_max=400)
    client.receive(said("SET", "a", "v" * 200))
    if queued:
        client.receive(said("MULTI"))
        told = client.receive(said(*command) + said("GET", "a") + said("EXEC"))
        assert told == 2 * QUEUED + b"*2\r\n" + TOO_LARGE + bulk(b"v" * 200)
    else:
        assert client.receive(said(*command) + said("GET", "a")) == TOO_LARGE + bulk(b"v" * 200)
