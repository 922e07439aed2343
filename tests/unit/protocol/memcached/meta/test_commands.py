"""What a meta command says is of the entry as it was decided last; of many clients one wins a stale value."""

from __future__ import annotations

from itertools import permutations

import pytest

from memrep.protocol.memcached.meta.commands import Calculate, Delete, Get, Set, describe
from memrep.protocol.memcached.meta.line import BadMeta
from memrep.storage.entry import NEVER, Entry
from memrep.storage.version import make
from tests.harness.engine_fixture import Rig, rig_later
from tests.unit.protocol.memcached.text.test_commands import connection_to


class Client:
    """A client of an engine that may have to wait."""

    def __init__(self, rig: Rig) -> None:
        self._connection = connection_to(rig.engine)

    def say(self, line: bytes) -> bytes:
        return self._connection.receive(line + b"\r\n")

    def told(self) -> bytes:
        return self._connection.resume()


def _held(value: bytes, seen: int = 0) -> Entry:
    return Entry(make(1, 99), value, 0, NEVER, seen=seen)


# --- decided anew


def test_a_get_that_is_decided_anew_tells_only_what_it_found_last() -> None:
    get = Get(Rig().engine, b"mg a v s h N30 Oabc".split())
    get.decide(None)
    found = _held(b"won by another", seen=5)
    get.decide(found)
    assert get.show(found) == b"VA 14 s14 h1 Oabc\r\nwon by another\r\n"


def test_a_calculation_that_is_decided_anew_has_made_nothing() -> None:
    calculate = Calculate(Rig().engine, b"ma a q N30 v t".split())
    made = calculate.decide(None)
    assert isinstance(made, tuple)
    assert calculate.show(_held(b"0")) == b"VA 1 t30\r\n0\r\n"
    calculate.decide(_held(b"5"))
    assert calculate.show(_held(b"6")) == b""


def test_of_two_clients_that_find_nothing_the_one_whose_write_wins_makes_the_value() -> None:
    rig = Rig("later")
    one, other = Client(rig), Client(rig)
    assert (one.say(b"mg a v N30"), other.say(b"mg a v N30")) == (b"", b"")
    rig.later.succeed()
    assert one.told() == b"VA 0 W\r\n\r\n"
    assert other.told() == b"VA 0 Z\r\n\r\n"


def test_a_get_whose_write_lost_against_a_value_shows_that_and_wins_nothing() -> None:
    rig = Rig("later")
    client = Client(rig)
    client.say(b"mg a v N30")
    rig.later.fail(winner=_held(b"y"))
    assert client.told() == b"VA 1\r\ny\r\n"
    assert not rig.later.rounds


# --- stale while revalidate


def test_a_stale_value_is_shown_to_all_and_one_of_them_is_to_make_it_anew() -> None:
    client = Client(Rig().holding(b"old"))
    assert client.say(b"md a I T30") == b"HD\r\n"
    assert [client.say(b"mg a v") for _ in range(3)] == [
        b"VA 3 X W\r\nold\r\n",
        b"VA 3 Z X\r\nold\r\n",
        b"VA 3 Z X\r\nold\r\n",
    ]
    client.say(b"ms a 3\r\nnew")
    assert client.say(b"mg a v") == b"VA 3\r\nnew\r\n"


def test_a_value_that_ends_soon_is_to_be_made_anew_by_one() -> None:
    rig = Rig().holding(b"x", exptime=60)
    client = Client(rig)
    assert client.say(b"mg a R30") == b"HD\r\n"
    rig.advance(31_000)
    assert [client.say(b"mg a R30") for _ in range(2)] == [b"HD W\r\n", b"HD Z\r\n"]


def test_who_makes_it_anew_too_late_leaves_a_newer_value_alone_or_its_own_as_stale() -> None:
    rig = Rig().holding(b"x")
    old = rig.unique(b"a")
    rig.holding(b"newer")
    client = Client(rig)
    assert client.say(b"ms a 4 C%d\r\nlate" % old) == b"EX\r\n"
    assert rig.value(b"a") == b"newer"
    assert client.say(b"ms a 4 I C%d\r\nlate" % old) == b"HD\r\n"
    assert client.say(b"mg a v") == b"VA 4 X W\r\nlate\r\n"


# --- what is shown


def test_a_get_shows_how_the_entry_was_read_before_and_u_leaves_no_trace() -> None:
    rig = Rig().holding(b"x")
    client = Client(rig)
    rig.advance(7_000)
    assert client.say(b"mg a h l u") == b"HD h0 l7\r\n"
    assert client.say(b"mg a h l") == b"HD h0 l7\r\n"
    assert client.say(b"mg a h l") == b"HD h1 l0\r\n"


@pytest.mark.parametrize("order", list(permutations([b"c", b"k", b"Oxyz", b"t"])))
def test_flags_are_answered_in_the_order_in_which_they_are_asked(order: tuple[bytes, ...]) -> None:
    asked = b" ".join(order)
    for line in (b"mg a %b", b"ma a %b"):
        rig = Rig().holding(b"5", exptime=60)
        told = Client(rig).say(line % asked)
        shown = {b"c": b"c%d" % rig.unique(b"a"), b"k": b"ka", b"t": b"t60"}
        assert told == b" ".join([b"HD", *(shown.get(word, word) for word in order)]) + b"\r\n"


@pytest.mark.parametrize(
    ("expected", "unexpected"),
    [
        (b"mg none q", b"mg a q"),
        (b"ms a 1 q\r\nx", b"ms a 1 q ME\r\nx"),
        (b"md a q", b"md none q"),
        (b"ma a q", b"ma none q"),
        (b"ma a q", b"ma none q N0"),
    ],
)
def test_a_quiet_command_tells_only_what_is_not_expected(expected: bytes, unexpected: bytes) -> None:
    assert Client(Rig().holding(b"5")).say(expected) == b""
    assert Client(Rig().holding(b"5")).say(unexpected) != b""


# --- what is stored


@pytest.mark.parametrize(
    ("mode", "on_held", "on_nothing"),
    [
        (b"", b"new", b"new"),
        (b"MS", b"new", b"new"),
        (b"ME", b"old", b"new"),
        (b"MR", b"new", None),
        (b"MA", b"oldnew", None),
        (b"MP", b"newold", None),
        (b"MA N30", b"oldnew", b"new"),
    ],
)
def test_a_mode_says_what_becomes_of_what_is_there(
    mode: bytes, on_held: bytes | None, on_nothing: bytes | None
) -> None:
    for rig, expected in ((Rig().holding(b"old"), on_held), (Rig(), on_nothing)):
        before = rig.value(b"a")
        told = Client(rig).say(b"ms a 3 %b\r\nnew" % mode)
        assert rig.value(b"a") == expected
        assert told == (b"NS\r\n" if expected == before else b"HD\r\n")


def test_a_plain_set_is_stored_as_by_any_other_and_whatever_asks_for_more_is_not_plain() -> None:
    rig = Rig()
    assert Set(rig.engine, b"ms a 1 T30 F7 c q".split()).plain
    for flag in (b"ME", b"MA", b"MR", b"C5", b"E5"):
        assert not Set(rig.engine, [b"ms", b"a", b"1", flag]).plain
    decision = Set(rig.engine, b"ms a 1 T30 F7".split()).deciding(b"x")(None)
    assert isinstance(decision, tuple)
    client = Client(rig)
    client.say(b"ms a 1 T30 F7\r\nx")
    decision[0].version = rig.entry(b"a").version
    assert decision[0] == rig.entry(b"a")


def test_a_number_goes_round_and_does_not_go_below_0() -> None:
    client = Client(Rig().holding(b"18446744073709551615"))
    assert client.say(b"ma a v D2") == b"VA 1\r\n1\r\n"
    assert client.say(b"ma a v MD D5") == b"VA 1\r\n0\r\n"


def test_a_deletion_may_leave_the_key_with_nothing_in_it() -> None:
    rig = Rig().holding(b"old", flags=7, exptime=60)
    unique = rig.unique(b"a")
    client = Client(rig)
    assert client.say(b"md a x C%d" % (unique + 1)) == b"EX\r\n"
    assert client.say(b"md a x C%d" % unique) == b"HD\r\n"
    assert client.say(b"mg a v f t") == b"VA 0 f0 t-1\r\n\r\n"
    assert client.say(b"md a") == b"HD\r\n"
    assert client.say(b"mg a v") == b"EN\r\n"


@pytest.mark.parametrize(
    "line", [b"ms a 1 E77\r\n5", b"ms a 1 MA E77\r\n5", b"ma a E77", b"md a I E77", b"mg b N0 E77"]
)
def test_who_brings_a_cas_unique_of_its_own_finds_it_again(line: bytes) -> None:
    rig = Rig().holding(b"5")
    client = Client(rig)
    assert client.say(line).startswith(b"HD")
    assert b" c77" in client.say(b"mg %b c" % line.split()[1])


# --- for people


def test_to_look_at_an_entry_is_not_to_read_it() -> None:
    rig = Rig().holding(b"x", exptime=60)
    assert b" exp=-60 " in describe(rig.engine, [b"me", b"a"])
    assert b" fetch=no " in describe(rig.engine, [b"me", b"a"])
    rig.engine.get(b"a")
    assert b" fetch=yes " in describe(rig.engine, [b"me", b"a"])
    assert describe(rig.engine, [b"me", b"YQ==", b"b"]).startswith(b"ME YQ== ")
    assert rig.counters.get_hits == 1


@pytest.mark.parametrize("words", [[b"me"], [b"me", b"k" * 251], [b"me", b"=", b"b"]])
def test_what_is_no_key_cannot_be_looked_at(words: list[bytes]) -> None:
    with pytest.raises(BadMeta):
        describe(Rig().engine, words)


def test_what_is_counted_is_counted_once_however_often_it_is_decided() -> None:
    rig = rig_later(a=b"5")
    client = Client(rig)
    client.say(b"ma a MD")
    rig.later.fail(winner=_held(b"7"))
    rig.later.succeed()
    assert client.told() == b"HD\r\n"
    assert rig.value(b"a") == b"6"
    assert (rig.counters.decr_hits, rig.counters.incr_hits, rig.counters.cmd_meta) == (1, 0, 1)
    assert {Get.counter, Delete.counter} == {"get", "delete"}


# --- memrep's own mode of ms


def test_what_somebody_has_ended_is_not_stored_anew_by_who_brings_what_is_missing() -> None:
    rig = Rig()
    client = Client(rig)
    assert client.say(b"ms a 1 M+\r\nx") == b"HD\r\n"
    assert client.say(b"ms a 1 M+\r\ny") == b"NS\r\n"
    client.say(b"md a")
    assert client.say(b"ms a 1 M+\r\nx") == b"NS\r\n"
    assert client.say(b"ms a 1 ME\r\nx") == b"HD\r\n"


def test_what_has_only_run_out_is_stored_anew_by_who_brings_what_is_missing() -> None:
    rig = Rig()
    client = Client(rig)
    client.say(b"ms a 1 T1\r\nx")
    rig.advance(1_000)
    assert client.say(b"ms a 1 M+\r\ny") == b"HD\r\n"
