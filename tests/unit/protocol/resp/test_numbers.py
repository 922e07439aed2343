"""Numbers have 64 bits, signed, or a fraction; what is none is left as it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocol.resp.test_dialect import lone_client, one_told, said

DIGITS = st.decimals(-(10**9), 10**9, places=6).map(lambda number: format(number, "f"))


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_sum_is_told_if_it_has_64_bits_and_refused_otherwise(number: int, delta: int) -> None:
    client = lone_client()
    client.receive(said("SET", "n", number))
    reply = one_told(client.receive(said("INCRBY", "n", delta)))
    if -(1 << 63) <= number + delta < 1 << 63:
        assert reply == number + delta
    else:
        assert reply == b"-ERR increment or decrement would overflow"
    assert one_told(client.receive(said("GET", "n"))) == b"%d" % (reply if isinstance(reply, int) else number)


@given(DIGITS, DIGITS)
def test_a_sum_with_a_fraction_is_exact_and_has_no_nought_at_its_end(number: str, delta: str) -> None:
    client = lone_client()
    client.receive(said("SET", "n", number))
    told = one_told(client.receive(said("INCRBYFLOAT", "n", delta))).decode()
    assert Decimal(told) == Decimal(number) + Decimal(delta)
    assert "." not in told or told[-1] not in "0."
    assert one_told(client.receive(said("GET", "n"))) == told.encode()


@pytest.mark.parametrize("value", ["x", "", " 1", "1 ", "+1", "01", "1_0", "9" * 20, "0x1"])
def test_what_is_no_number_is_refused_and_left(value: str) -> None:
    client = lone_client()
    client.receive(said("SET", "n", value))
    for command in (said("INCR", "n"), said("DECRBY", "n", 5)):
        assert one_told(client.receive(command)) == b"-ERR value is not an integer or out of range"
    assert one_told(client.receive(said("GET", "n"))) == value.encode()


@pytest.mark.parametrize("delta", ["nan", "inf", "-inf", "x", "", "1_0", "1 "])
def test_a_fraction_that_is_none_is_refused_and_stores_nothing(delta: str) -> None:
    client = lone_client()
    assert one_told(client.receive(said("INCRBYFLOAT", "n", delta))).startswith(b"-ERR ")
    assert one_told(client.receive(said("EXISTS", "n"))) == 0
