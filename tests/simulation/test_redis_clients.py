"""Redis' clients of the simulator: right histories of what they are told pass, and wrong ones do not."""

from __future__ import annotations

import math
from random import Random

import pytest

from tests.simulation.linearizability import ANY, NONE, Keeps, Operation, Writes, explain, in_turn, only
from tests.simulation.redis_clients import Exec, Verb
from tests.simulation.semantics import BEHIND, Sent, family, nth
from tests.simulation.workload import Part


def _op(begin: float, end: float, verb: str, reply: bytes | None, **sent: bytes) -> Operation:
    return Operation(begin, end, reply, Sent(verb, **sent).meaning, f"{verb} at {begin}")


def _exec(reply: bytes, *verbs: str, looked: bytes = b"") -> list[Part]:
    """A transaction on one key that was answered so, on a key that it has watched if it has looked at it."""
    rng = Random(1)
    value = {"set": nth(2), "extend": BEHIND}
    queue = [Verb.of(rng, verb, b"k", value.get(verb, b"")) for verb in verbs]
    look = Verb("get", b"k", (b"GET", b"k")) if looked else None
    exchange = Exec(queue, {}, look)
    exchange.begin = 2.0
    if looked:
        exchange.hear(b"+OK\r\n" + looked, 3.0)
        assert exchange.goes_on()
        exchange.begin = 4.0
    exchange.hear(b"+OK\r\n" + b"+QUEUED\r\n" * len(verbs) + reply, 5.0)
    assert exchange.over
    return list(exchange.parts())


def _fits(before: Operation, parts: list[Part], *after: Operation) -> bool:
    return explain([before, *(part.operation("c") for part in parts), *after], family=family) is None


@pytest.mark.parametrize(("told", "right"), [(b"10001001", True), (b"10001002", False)])
def test_a_transaction_happens_in_one_moment(told: bytes, right: bool) -> None:
    stored = _op(0, 1, "set", b"STORED\r\n", value=nth(1))
    reply = b"*2\r\n:10001001\r\n$8\r\n%b\r\n" % told
    assert _fits(stored, _exec(reply, "count", "get")) is right
    rival = _op(2.5, 2.6, "count", b"10001002\r\n")
    assert _fits(stored, _exec(b"*2\r\n:10001001\r\n$8\r\n10001002\r\n", "count", "get"), rival) is False


def test_who_watches_loses_no_update() -> None:
    stored = _op(0, 1, "set", b"STORED\r\n", value=nth(1))
    shown = b"$8\r\n10001000\r\n"
    rival = _op(3.2, 3.4, "count", b"10001001\r\n")
    assert _fits(stored, _exec(b"*1\r\n+OK\r\n", "set", looked=shown))
    assert not _fits(stored, _exec(b"*1\r\n+OK\r\n", "set", looked=shown), rival)
    assert _fits(stored, _exec(b"*-1\r\n", "set", looked=shown), rival)


@pytest.mark.parametrize(
    ("verb", "right", "wrong"),
    [
        ("getset", b"VALUE k 0 8\r\n10001000\r\nEND\r\n", b"END\r\n"),
        ("getdel", b"VALUE k 0 8\r\n10001000\r\nEND\r\n", b"END\r\n"),
        ("count", b"10001001\r\n", b"1\r\n"),
        ("extend", b"9\r\n", b"1\r\n"),
        ("release", b"DELETED\r\n", b"EXISTS\r\n"),
        ("persist", b"TOUCHED\r\n", b"nonsense\r\n"),
        ("flush", b"STORED\r\n", b"nonsense\r\n"),
    ],
)
def test_each_verb_has_replies_that_cannot_have_been(verb: str, right: bytes, wrong: bytes) -> None:
    stored = _op(0, 1, "set", b"STORED\r\n", value=nth(1))
    for reply, fits in ((right, True), (wrong, False)):
        assert (explain([stored, _op(2, 3, verb, reply, value=nth(2), expected=nth(1))]) is None) is fits


def test_what_begins_with_nothing_may_be_unanswered_and_have_begun() -> None:
    for verb, shown in (("count", b"1"), ("extend", BEHIND)):
        read = _op(2, 3, "get", b"VALUE k 0 1\r\n%b\r\nEND\r\n" % shown)
        assert explain([_op(0, math.inf, verb, None), read], family=family) is None
        assert explain([_op(4, math.inf, verb, None), read], family=family) is not None


def test_meanings_in_turn_are_one_where_that_can_be() -> None:
    assert in_turn([]) == Keeps(ANY)
    assert in_turn([Keeps(only(b"a")), Writes(ANY, b"b"), Keeps(only(b"b"))]) == Writes(only(b"a"), b"b")
    assert in_turn([Writes(ANY, b"b"), Keeps(only(b"a"))]) == Writes(NONE, b"b")
