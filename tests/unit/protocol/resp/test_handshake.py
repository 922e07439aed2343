"""Handshakes in one write: one reply each, in order, and what is refused leaves the client as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from memrep.protocol.users import Users
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import NIL, OK, PONG, bulk, lone_client, one_told, said, told

REFUSED = b"-WRONGPASS invalid username-password pair or user is disabled."


def _users() -> Users:
    return Users({b"ann": b"secret", b"bob": b"other"})


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_handshake_in_one_write_is_answered_one_by_one(size: int) -> None:
    """As ioredis and node-redis send it; one reply too few, and each client reads another one's session."""
    client = lone_client(users=_users())
    data = (
        said("AUTH", "ann", "secret")
        + said("SELECT", 2)
        + said("CLIENT", "SETNAME", "app")
        + said("CLIENT", "SETINFO", "LIB-NAME", "x")
        + said("CLIENT", "MAINT_NOTIFICATIONS", "ON")
        + said("GET", "a")
    )
    replies = told(b"".join(client.receive(data[at : at + size]) for at in range(0, len(data), size)))
    assert replies[:4] == [b"+OK"] * 4
    assert replies[4].startswith(b"-ERR unknown subcommand")
    assert replies[5:] == [None]


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_nobody_comes_in_by_a_wrong_password(user: bytes, password: bytes) -> None:
    client = lone_client(users=_users())
    if _users().passwords.get(user) != password:
        assert one_told(client.receive(said("AUTH", user, password))) == REFUSED
        assert client.receive(said("GET", "a")) == b"-NOAUTH Authentication required.\r\n"


def test_a_wrong_password_leaves_who_is_in_inside() -> None:
    client = lone_client(users=_users())
    client.receive(said("AUTH", "ann", "secret"))
    assert one_told(client.receive(said("AUTH", "ann", "wrong"))) == REFUSED
    assert client.receive(said("PING")) == PONG
    assert one_told(client.receive(said("ACL", "WHOAMI"))) == b"ann"


def test_a_password_that_is_being_said_lets_nothing_in_that_stood_before_it() -> None:
    lone = lone_node(users=_users())
    client = lone.connect(REDIS)
    replies = told(client.receive(said("SET", "a", "x") + said("AUTH", "secret") + said("GET", "a")))
    assert replies == [b"-NOAUTH Authentication required.", b"+OK", None]


def test_who_is_in_may_say_more_than_a_stranger_from_the_next_command_on() -> None:
    client = lone_client(users=_users())
    data = said("AUTH", "secret") + said("MSET", *["k"] * 40) + said("SET", "a", b"x" * 100_000)
    assert client.receive(data) == OK * 3


def test_a_stranger_who_says_too_much_is_hung_up_on() -> None:
    client = lone_client(users=_users())
    assert client.receive(said("SET", "a", b"x" * 20_000)).startswith(
        b"-ERR Protocol error: unauthenticated bulk"
    )
    assert client.closing


def test_hello_lets_in_names_and_chooses_the_spelling_at_once() -> None:
    client = lone_client(users=_users())
    replies = client.receive(said("HELLO", 3, "AUTH", "bob", "other", "SETNAME", "me") + said("GET", "none"))
    assert replies.startswith(b"%7\r\n") and replies.endswith(b"_\r\n")
    assert client.receive(said("CLIENT", "GETNAME")) == bulk(b"me")


@pytest.mark.parametrize(
    "words", [("4",), ("3", "AUTH", "ann", "wrong"), ("3", "SETNAME", "a b"), ("3", "NONSENSE"), ("x",)]
)
def test_a_hello_that_is_refused_leaves_the_spelling_as_it_was(words: tuple[str, ...]) -> None:
    client = lone_client()
    assert client.receive(said("HELLO", *words)).startswith(b"-")
    assert client.receive(said("GET", "none")) == NIL


@given(st.binary(max_size=20))
def test_a_name_cannot_spoil_the_list_of_clients(name: bytes) -> None:
    client = lone_client()
    client.receive(said("CLIENT", "SETNAME", name))
    listed = one_told(client.receive(said("CLIENT", "LIST")))
    assert listed.count(b"\n") == 1
    assert len([field for field in listed.split(b" ") if field.startswith(b"name=")]) == 1


def test_a_client_that_is_killed_is_gone_and_the_others_are_not() -> None:
    lone = lone_node()
    one, other = lone.connect(REDIS), lone.connect(REDIS)
    number = one_told(one.receive(said("CLIENT", "ID")))
    assert other.receive(said("CLIENT", "KILL", "ID", number)) == b":1\r\n"
    assert one.closing and not other.closing
    assert other.receive(said("CLIENT", "KILL", "ID", number)) == b":0\r\n"


@pytest.mark.parametrize("data", [bytes(range(256)), b"phpredis:1:2", b""])
def test_an_echo_is_what_was_said(data: bytes) -> None:
    """By it redis-cli --pipe knows the end of its own stream, and phpredis its persistent connection."""
    assert lone_client().receive(said("ECHO", data)) == bulk(data)
