"""What memrep has not is refused in a word that PHP's class Redis does not take for an empty answer."""

from __future__ import annotations

import pytest

from memrep.protocol.resp.absent import ABSENT
from memrep.protocol.resp.table import COMMANDS
from tests.unit.protocol.resp.test_dialect import lone_client, one_told, said


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_a_command_of_redis_that_is_not_here_is_refused_in_whatever_case(name: bytes) -> None:
    client = lone_client()
    for spelled in (name, name.upper()):
        refusal = one_told(client.receive(said(spelled, "a", "b")))
        assert refusal.startswith(b"-NOPERM unknown command '%b', with args beginning with: 'a' " % spelled)


def test_none_of_them_is_here() -> None:
    assert ABSENT.isdisjoint(COMMANDS)


def test_a_name_that_redis_does_not_have_either_is_answered_as_there() -> None:
    assert one_told(lone_client().receive(said("NOSUCH"))).startswith(b"-ERR unknown command 'NOSUCH'")


def test_a_transaction_with_one_of_them_is_given_up() -> None:
    client = lone_client()
    client.receive(said("MULTI") + said("SADD", "a", "b"))
    assert one_told(client.receive(said("EXEC"))).startswith(b"-EXECABORT")
