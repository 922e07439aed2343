"""Replies come in the order of the commands, whenever they become known."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.replies import Replies


def _spell(result: Result) -> bytes:
    assert isinstance(result, bytes)
    return result


class Rig:
    """Replies, and how often they said that they were ready."""

    def __init__(self) -> None:
        self.rang = 0
        self.replies = Replies(self._ring)

    def _ring(self) -> None:
        self.rang += 1

    def hold(self, *, plain: bool = False) -> Future:
        future = Future()
        self.replies.hold(future, _spell, plain=plain)
        return future


def test_what_is_known_is_taken_at_once_and_once() -> None:
    replies = Rig().replies
    replies.out += [b"a", b"b"]
    assert replies.take() == b"ab"
    assert replies.take() == b""


def test_a_reply_that_is_not_known_holds_back_what_comes_behind_it() -> None:
    rig = Rig()
    rig.replies.out.append(b"before ")
    future = rig.hold()
    rig.replies.out.append(b" behind")
    assert rig.replies.take() == b"before "
    assert rig.replies.take() == b""
    future.resolve(b"late")
    assert rig.replies.take() == b"late behind"
    assert not rig.replies.queue


def test_a_reply_that_becomes_known_rings() -> None:
    rig = Rig()
    future = rig.hold()
    assert rig.rang == 0
    future.resolve(b"x")
    assert rig.rang == 1


def test_replies_wait_for_the_first_whichever_becomes_known_first() -> None:
    for order in permutations(range(4)):
        rig = Rig()
        futures = []
        for number in range(4):
            futures.append(rig.hold())
            rig.replies.out.append(b"%d " % number)
        taken = b""
        for number in order:
            futures[number].resolve(b"t%d " % number)
            taken += rig.replies.take()
        assert taken == b"t0 0 t1 1 t2 2 t3 3 "


def test_settling_takes_nothing_away_but_what_is_known() -> None:
    rig = Rig()
    first, second = rig.hold(), rig.hold()
    first.resolve(b"1")
    rig.replies.settle()
    assert len(rig.replies.queue) == 1
    second.resolve(b"2")
    rig.replies.settle()
    assert not rig.replies.queue
    rig.replies.out.append(b"3")
    assert rig.replies.take() == b"123"


def test_plain_writes_behind_plain_writes_are_plain() -> None:
    rig = Rig()
    assert rig.replies.plain
    rig.hold(plain=True)
    rig.hold(plain=True)
    assert rig.replies.plain


def test_one_command_that_reads_ends_the_plain_row() -> None:
    rig = Rig()
    rig.hold(plain=True)
    rig.hold()
    assert not rig.replies.plain
    rig.hold(plain=True)
    assert not rig.replies.plain


def test_a_plain_write_behind_nothing_is_plain_again() -> None:
    rig = Rig()
    future = rig.hold()
    future.resolve(b"x")
    rig.replies.settle()
    rig.hold(plain=True)
    assert rig.replies.plain


def test_whoever_has_left_abandons_what_waits() -> None:
    rig = Rig()
    futures = [rig.hold(), rig.hold()]
    rig.replies.out.append(b"x")
    rig.replies.abandon()
    assert all(future.abandoned for future in futures)
    assert not rig.replies.queue


def test_after_that_nothing_is_said_neither_what_was_known_nor_what_becomes_known() -> None:
    rig = Rig()
    first, second = rig.hold(), rig.hold()
    rig.replies.out.append(b"END\r\n")
    first.resolve(b"VALUE\r\n")
    rig.replies.settle()
    rig.replies.abandon()
    second.resolve(b"VALUE\r\n")
    assert rig.replies.take() == b""
    assert rig.replies.idle


moves = st.lists(st.sampled_from(["known", "later", "settle", "take"]), max_size=40)


@given(moves, st.randoms(use_true_random=False))
def test_the_replies_of_any_run_are_those_of_the_commands_in_order(run: list[str], chance: object) -> None:
    rig = Rig()
    waiting: list[tuple[Future, bytes]] = []
    taken = b""
    said = []
    for number, move in enumerate(run):
        word = b"%d " % number
        if move == "known":
            rig.replies.out.append(word)
            said.append(word)
        elif move == "later":
            waiting.append((rig.hold(), word))
            said.append(word)
        elif move == "settle" and waiting:
            future, late = waiting.pop(chance.randrange(len(waiting)))  # type: ignore[attr-defined]
            future.resolve(late)
        elif move == "take":
            taken += rig.replies.take()
            assert b"".join(said).startswith(taken)
    for future, late in waiting:
        future.resolve(late)
    assert taken + rig.replies.take() == b"".join(said)
