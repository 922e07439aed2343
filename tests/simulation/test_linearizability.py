"""The checker of the checkers: histories that are known to be right, and known to be wrong.

Besides those that are written down, there are histories of a key that was played (`_play`): they are right by
construction, or damaged afterwards. Of small ones the checker must say what one says that tries all orders.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from random import Random

import attrs
import pytest

from tests.simulation import linearizability
from tests.simulation.linearizability import (
    ANY,
    Changes,
    Keeps,
    Operation,
    State,
    Undecided,
    Writes,
    explain,
    only,
)
from tests.simulation.semantics import BEFORE, BEHIND, Sent, family, nth


def _write(begin: float, end: float, value: bytes) -> Operation:
    reply = None if end == math.inf else b"STORED\r\n"
    return Operation(begin, end, reply, lambda reply: Writes(ANY, value), f"write {value!r} at {begin}")


def _read(begin: float, end: float, value: bytes | None) -> Operation:
    return Operation(begin, end, value or b"", lambda reply: Keeps(only(value)), f"read {value!r} at {begin}")


def _one_less(new: bytes) -> list[bytes]:
    return [b"%d" % (int(new) - 1)]


def _add_one(begin: float, end: float, result: bytes | None) -> Operation:
    """An increment; `result` is None if it was not answered."""

    def meaning(reply: bytes | None) -> Changes:
        return Changes(ANY if reply is None else only(_one_less(reply)[0]), _one_less)

    return Operation(begin, end, result, meaning, f"increment to {result!r} at {begin}")


def test_an_empty_history_is_linearizable() -> None:
    assert explain([]) is None


def test_one_after_the_other_is_linearizable() -> None:
    assert explain([_read(0, 1, None), _write(2, 3, b"a"), _read(4, 5, b"a")]) is None


def test_the_state_before_the_first_operation_may_be_given() -> None:
    assert explain([_read(0, 1, b"a")], b"a") is None
    assert explain([_read(0, 1, b"a")]) == "read b'a' at 0"


def test_a_stale_read_is_found() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, 3, b"b"), _read(4, 5, b"a")]) == "read b'a' at 4"


def test_a_read_during_a_write_may_see_either_value() -> None:
    for seen in (b"a", b"b"):
        assert explain([_write(0, 1, b"a"), _write(2, 9, b"b"), _read(3, 4, seen)]) is None


def test_once_a_new_value_was_read_the_old_one_may_not_be_read_any_more() -> None:
    history = [_write(0, 1, b"a"), _write(2, 9, b"b"), _read(3, 4, b"b"), _read(5, 6, b"a")]
    assert explain(history) == "read b'a' at 5"


def test_the_order_in_which_a_history_is_written_down_does_not_matter() -> None:
    history = [_read(4, 5, b"b"), _write(2, 3, b"b"), _write(0, 1, b"a")]
    assert explain(history) is None


def test_a_lost_update_is_found() -> None:
    assert explain([_add_one(0, 5, b"1"), _add_one(1, 6, b"1")], b"0") == "increment to b'1' at 1"


def test_two_increments_at_once_may_take_effect_in_either_order() -> None:
    assert explain([_add_one(0, 5, b"2"), _add_one(1, 6, b"1")], b"0") is None


def test_an_increment_that_began_after_the_other_ones_answer_comes_after_it() -> None:
    assert explain([_add_one(0, 5, b"2"), _add_one(6, 7, b"1")], b"0") is not None


def test_a_write_without_an_answer_may_have_happened() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"b")]) is None


def test_a_write_without_an_answer_may_not_have_happened() -> None:
    assert explain([_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"a")]) is None


def test_a_write_without_an_answer_may_happen_late() -> None:
    history = [_write(0, 1, b"a"), _write(2, math.inf, b"b"), _read(5, 6, b"a"), _read(50, 51, b"b")]
    assert explain(history) is None


def test_a_write_without_an_answer_happens_once_at_most() -> None:
    history = [_write(0, math.inf, b"b"), _read(1, 2, b"b"), _write(3, 4, b"a"), _read(5, 6, b"b")]
    assert explain(history) == "read b'b' at 5"


def test_an_unanswered_increment_may_count_but_not_twice() -> None:
    assert explain([_add_one(0, math.inf, None), _add_one(1, 2, b"2")], b"0") is None
    assert explain([_add_one(0, math.inf, None), _add_one(1, 2, b"3")], b"0") is not None


def test_a_write_does_not_take_effect_before_it_was_sent() -> None:
    assert explain([_read(0, 1, b"a"), _write(2, 3, b"a")]) == "read b'a' at 0"


def test_a_read_shows_that_an_unanswered_write_is_over() -> None:
    history = [_write(0, math.inf, b"a"), _read(1, 2, b"a"), _write(3, 4, b"b"), _read(5, 6, b"a")]
    assert explain(history, family=lambda value: value) == "read b'a' at 5"


def test_of_two_writes_of_one_value_either_explains_a_read() -> None:
    history = [_write(0, 1, b"b"), _read(2, 3, b"a"), _write(1, math.inf, b"a"), _write(1, math.inf, b"a")]
    assert explain([*history, _write(4, 5, b"b"), _read(6, 7, b"a")]) is None
    assert explain([*history, _write(4, 5, b"b"), _read(6, 7, b"a"), _write(8, 9, b"b"), _read(10, 11, b"a")])


def test_a_history_that_is_too_large_is_undecided_and_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "CONFIGURATIONS_MAX", 100)
    with pytest.raises(Undecided):
        explain([_write(0, 100 + i, b"%d" % i) for i in range(12)])


def test_an_answer_that_says_more_than_can_be_checked_is_undecided() -> None:
    reply = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
    with pytest.raises(Undecided):
        explain([Operation(0, 1, reply, Sent("incr").meaning, "incr")])


def test_an_answer_that_is_never_right_is_found() -> None:
    assert explain([Operation(0, 1, b"ERROR\r\n", Sent("set", b"1001000").meaning, "set")]) == "set"


# --- a key that is played


def _act(sent: Sent, state: State) -> tuple[State, bytes]:
    """What memcached makes of a command: the new state and the reply."""
    if state is None:
        return {
            "set": (sent.value, b"STORED\r\n"),
            "add": (sent.value, b"STORED\r\n"),
            "get": (None, b"END\r\n"),
            "replace": (None, b"NOT_STORED\r\n"),
            "append": (None, b"NOT_STORED\r\n"),
            "prepend": (None, b"NOT_STORED\r\n"),
        }.get(sent.verb, (None, b"NOT_FOUND\r\n"))
    number = b"%d" % (int(state) + 1)
    if sent.verb in _CONDITIONAL and sent.expected not in (b"", state):
        return state, b"EXISTS\r\n"
    return {
        "set": (sent.value, b"STORED\r\n"),
        "add": (state, b"NOT_STORED\r\n"),
        "replace": (sent.value, b"STORED\r\n"),
        "get": (state, b"VALUE key 0 %d\r\n%b\r\nEND\r\n" % (len(state), state)),
        "cas": (sent.value, b"STORED\r\n"),
        "delete": (None, b"DELETED\r\n"),
        "touch": (state, b"TOUCHED\r\n"),
        "incr": (number, number + b"\r\n"),
        "append": (state + BEHIND, b"STORED\r\n"),
        "prepend": (BEFORE + state, b"STORED\r\n"),
    }[sent.verb]


_VERBS = [
    "set", "set", "get", "get", "get", "add", "replace", "incr", "incr", "delete", "cas", "append", "prepend",
    "touch",
]  # fmt: skip


#: Those that may be told to do it to a certain value only.
_CONDITIONAL = ("cas", "delete", "incr", "append", "prepend")


@attrs.define(eq=False)
class _Played:
    """One command: it takes effect at `act`, infinity if never, and is answered at `end`."""

    begin: float
    act: float
    end: float
    sent: Sent
    reply: bytes | None = None

    def operation(self) -> Operation:
        text = f"{self.begin:.2f}-{self.end:.2f} {self.sent} -> {self.reply!r}"
        return Operation(self.begin, self.end, self.reply, self.sent.meaning, text)


def _play(rng: Random, clients: int, commands: int, silent: float) -> list[_Played]:
    """A history of one key: a share of the commands is not answered, and takes effect late or never."""
    played: list[_Played] = []
    state: State = None
    seen = [nth(0)]
    acts: list[tuple[float, int]] = []
    ready = [(rng.random(), client) for client in range(clients)]
    heapq.heapify(ready)
    for number in range(clients * commands):
        begin, client = heapq.heappop(ready)
        while acts and acts[0][0] <= begin:
            state = _take_effect(played[heapq.heappop(acts)[1]], state, seen)
        end = begin + 2 * rng.random()
        heapq.heappush(ready, (end + rng.random() / 2, client))
        act = begin + rng.random() * (end - begin)
        if rng.random() < silent:
            end = math.inf
            act = rng.choice([act, begin + 20 * rng.random(), math.inf])
        verb = rng.choice(_VERBS)
        expected = rng.choice(seen[-5:]) if verb == "cas" or rng.random() < 0.3 else b""
        sent = Sent(verb, nth(1 + number), expected)
        played.append(_Played(begin, act, end, sent))
        heapq.heappush(acts, (act, number))
    for act, number in sorted(acts):
        if act != math.inf:
            state = _take_effect(played[number], state, seen)
    return played


def _take_effect(played: _Played, state: State, seen: list[bytes]) -> State:
    state, reply = _act(played.sent, state)
    if played.end != math.inf:
        played.reply = reply
        if reply.startswith(b"VALUE"):
            seen.append(reply.split(b"\r\n")[1])
    return state


def _damage(rng: Random, played: list[_Played]) -> None:
    """Let some commands be answered as in another state, or sooner."""
    states: list[State] = [None]
    for one in played:
        states += [one.sent.value, b"%d" % (int(one.sent.value) + 1), one.sent.value + BEHIND]
    for one in played:
        if one.reply is not None and rng.random() < 0.3:
            one.reply = _act(one.sent, rng.choice(states))[1]
        if one.reply is not None and rng.random() < 0.3:
            one.end = one.begin + rng.random() * (one.end - one.begin)


def _can_be_ordered(played: Sequence[_Played], state: State, moment: float) -> bool:
    """Whether what is known at this moment is linearizable: tries all orders."""
    if all(one.end > moment for one in played):
        return True
    first_end = min(one.end for one in played if one.end <= moment)
    for i, one in enumerate(played):
        if one.begin <= first_end:
            after, reply = _act(one.sent, state)
            fits = one.end > moment or one.reply == reply
            if fits and _can_be_ordered([*played[:i], *played[i + 1 :]], after, moment):
                return True
    return False


def _explain_by_trying(played: list[_Played]) -> str | None:
    for one in sorted(played, key=lambda one: one.end):
        if one.end != math.inf:
            known = [other for other in played if other.begin <= one.end]
            if not _can_be_ordered(known, None, one.end):
                return one.operation().text
    return None


def _one_family(value: bytes) -> None:
    """No help."""


@pytest.mark.parametrize("of", [family, _one_family])
def test_it_agrees_with_trying_all_orders(of: Callable[[bytes], bytes | None]) -> None:
    verdicts = []
    for seed in range(400):
        rng = Random(seed)
        clients, commands = rng.choice([(2, 3), (2, 4), (3, 2), (4, 2)])
        played = _play(rng, clients, commands, silent=rng.choice([0, 0.3, 0.6]))
        if seed % 2:
            _damage(rng, played)
        verdict = explain([one.operation() for one in played], family=of)
        assert verdict == _explain_by_trying(played), f"seed {seed}"
        verdicts.append(verdict)
    assert 220 < sum(verdict is None for verdict in verdicts) < 300


@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_of_many_clients_is_decided(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "CONFIGURATIONS_MAX", 100_000)  # a second or two
    played = _play(Random(seed), clients=8, commands=150, silent=0.15)
    assert explain([one.operation() for one in played], family=family) is None


@pytest.mark.parametrize("seed", range(4))
def test_one_stale_read_in_a_long_history_is_found(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "CONFIGURATIONS_MAX", 100_000)
    played = _play(Random(seed), clients=8, commands=150, silent=0.15)
    reads = [one for one in played if one.reply is not None and one.reply.startswith(b"VALUE")]
    reads[100].reply = reads[90].reply
    assert explain([one.operation() for one in played], family=family) is not None
