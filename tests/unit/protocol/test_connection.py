"""A connection executes each command once and in order, however its bytes come, and holds no more than it may.

The dialect here is a small one of words, so that only the connection's own part is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.command import Said
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import Dialect, ServerContext
from memrep.protocol.intake import HALF_MAX, PATIENCE_MS, Intake
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX
from memrep.protocol.reply_gate import ReplyGate
from memrep.storage.version import Clock
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to, held
from tests.unit.protocol.resp.test_dialect import redis_to

#: What the word `big` answers.
BIG: Final = b"B" * 100_000

#: The longest word.
WORD_MAX: Final = 64


def _spell(result: Result) -> bytes:
    assert isinstance(result, bytes)
    return result


class Words(Dialect):
    """Commands are words, each with a blank behind it; whatever is not listed here is answered by itself.

    later: answered by and by. big: a long answer. quit: the end. alone: answered with what is read next.
    read: a retrieval. wait: waits for the word behind it. watch: as alone, and has what is behind it judged.
    """

    def __init__(self, connection: Connection) -> None:
        self.line = connection
        self.gate = connection.open_gate()
        self.executed: list[bytes] = []
        self.futures: list[Future] = []
        self.seen: list[list[Said | None]] = []

    def execute(self, data: bytes, start: int) -> int:
        line = self.line
        while not (line.closing or line.size >= OUTPUT_MAX or len(line.replies.queue) >= QUEUE_MAX):
            end = data.find(b" ", start)
            if end < 0:
                return start
            line.next = end + 1
            word = data[start:end]
            if word == b"wait" and next(self.gate.lookahead()) is None:
                self.gate.defer(3)
                return start
            self.executed.append(word)
            self._answer(word)
            start = end + 1
        line.stopped = start < len(data)
        return start

    def _answer(self, word: bytes) -> None:
        line = self.line
        if word == b"later":
            self.futures.append(Future())
            line.replies.hold(self.futures[-1], _spell)
        elif word == b"quit":
            line.closing = True
        else:
            line.out.append(BIG if word == b"big" else word + b" ")
            line.size += len(line.out[-1])
        if word in (b"alone", b"watch"):
            self.gate.hold()
        if word == b"watch":
            self.gate.watch(self._judge, 2)

    def _judge(self, said: Iterator[Said | None]) -> bool | None:
        self.seen.append([*said])
        return None if self.seen[-1] == [None] else True

    def oversized(self, inbox: bytearray) -> bool:
        return len(inbox) > WORD_MAX

    def answers_retrieval(self, replies: bytes) -> bool:
        return b"read " in replies

    def said(self, data: bytes, start: int) -> Iterator[Said]:
        return (Said(word) for word in data[start:].split(b" ")[:-1])


class Line:
    """One client that speaks words."""

    def __init__(self, intake: Intake | None = None) -> None:
        context = ServerContext(
            version=b"",
            reports={},
            reset=lambda: None,
            set_verbosity=lambda level: None,
            shutdown=None,
            intake=intake,
        )
        self.rang = 0
        self.connection = Connection(context, self._ring)
        self.words = Words(self.connection)
        self.connection.speak(self.words)

    @property
    def gate(self) -> ReplyGate:
        """The gate of the connection."""
        return self.connection.open_gate()

    def _ring(self, connection: Connection) -> None:
        assert connection is self.connection
        self.rang += 1


@pytest.fixture
def line() -> Line:
    return Line()


# --- input


@given(st.lists(st.sampled_from([b"a", b"bc", b"later", b"big"]), max_size=40), st.data())
def test_however_the_bytes_come_each_command_is_executed_once_in_order_and_answered(
    words: list[bytes], data: st.DataObject
) -> None:
    line = Line()
    connection = line.connection
    rest, said, known = b"".join(word + b" " for word in words), b"", 0
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        said += connection.receive(rest[:size])
        rest = rest[size:]
        if data.draw(st.booleans()):
            known = _end_all(line, known)
            said += connection.resume()
    while known < len(line.words.futures) or connection.blocked:
        known = _end_all(line, known)
        said += connection.resume()
    assert line.words.executed == words
    assert said == b"".join({b"later": b"ended ", b"big": BIG}.get(word, word + b" ") for word in words)
    assert not connection.busy


def _end_all(line: Line, known: int) -> int:
    """All that is waited for becomes known, from this one on."""
    for future in line.words.futures[known:]:
        future.resolve(b"ended ")
    return len(line.words.futures)


def test_who_says_the_end_is_not_heard_any_more(line: Line) -> None:
    assert line.connection.receive(b"a quit b ") == b"a "
    assert line.connection.closing
    assert line.connection.receive(b"c ") == b""
    assert line.connection.resume() == b""
    assert line.words.executed == [b"a", b"quit"]


def test_a_command_that_does_not_end_closes_the_connection(line: Line) -> None:
    assert line.connection.receive(b"x" * WORD_MAX) == b""
    assert not line.connection.closing
    line.connection.receive(b"x")
    assert line.connection.closing


def test_what_is_taken_in_is_executed_at_the_next_resume_and_not_before(line: Line) -> None:
    line.connection.take_in(b"a b")
    assert line.words.executed == []
    assert line.connection.resume() == b"a "
    assert line.connection.receive(b"c ") == b"bc "


# --- bounds


def test_whose_replies_are_not_sent_is_executed_no_further_than_the_limit(line: Line) -> None:
    said = [line.connection.receive(b"big " * 100)]
    while line.connection.blocked:
        said.append(line.connection.resume())
    assert b"".join(said) == BIG * 100
    assert max(map(len, said)) < OUTPUT_MAX + len(BIG)


def test_only_so_many_replies_wait_and_the_rest_is_executed_when_some_have_come(line: Line) -> None:
    assert line.connection.receive(b"later " * (QUEUE_MAX + 5)) == b""
    assert line.connection.blocked
    assert len(line.words.executed) == QUEUE_MAX
    for future in line.words.futures:
        future.resolve(b"ended ")
    assert line.rang == QUEUE_MAX
    assert line.connection.resume() == b"ended " * QUEUE_MAX
    assert len(line.words.executed) == QUEUE_MAX + 5
    assert not line.connection.blocked


def test_half_a_large_command_takes_room_and_gives_it_back_when_it_is_whole_or_its_client_has_gone() -> None:
    intake = Intake(1 << 26, Clock(1))
    for leaves in (False, True):
        connection = Line(intake).connection
        connection.need = 4 * HALF_MAX
        connection.receive(b"x")
        assert connection.inside
        assert intake.taken == 4 * HALF_MAX
        if leaves:
            connection.abandon()
        else:
            connection.need = 0
            connection.receive(b" ")
        assert intake.taken == 0


def test_who_finds_no_room_is_given_no_more_input_until_it_is_admitted() -> None:
    intake = Intake(8 * HALF_MAX, Clock(1))
    first, second = Line(intake).connection, Line(intake)
    for connection in (first, second.connection):
        connection.need = 2 * HALF_MAX
        connection.receive(b"x")
    assert (first.blocked, second.connection.blocked) == (False, True)
    first.abandon()
    assert second.rang == 1
    assert not second.connection.blocked


@pytest.mark.parametrize("sends", [True, False])
def test_who_keeps_others_waiting_is_refused_unless_it_sends(sends: bool) -> None:
    clock = Clock(1)
    intake = Intake(8 * HALF_MAX, clock)
    first, second = Line(intake).connection, Line(intake).connection
    for connection in (first, second):
        connection.need = 2 * HALF_MAX
        connection.receive(b"x")
    clock.turn(PATIENCE_MS - 1, 0)
    if sends:
        first.receive(b"x")
    clock.turn(PATIENCE_MS, 0)
    intake.tick()
    assert first.refused is not sends
    assert second.inside is not sends


# --- a client that has gone


def test_who_has_gone_is_told_nothing_and_what_was_not_begun_is_not_executed(line: Line) -> None:
    connection = line.connection
    assert connection.receive(b"a later b ") == b"a "
    connection.take_in(b"c ")
    connection.abandon()
    (future,) = line.words.futures
    assert future.abandoned
    future.resolve(b"ended ")
    assert connection.resume() == b""
    assert connection.receive(b"d ") == b""
    assert line.words.executed == [b"a", b"later", b"b"]
    assert not connection.waiting


def test_of_who_has_gone_nothing_is_kept(line: Line) -> None:
    """A connection refers to itself, and may lie about for long."""
    line.connection.take_in(b"x" * 1_000)
    before = held(line.connection)
    line.connection.abandon()
    assert held(line.connection) <= before - 1_000


# --- a gate


def test_a_connection_has_no_gate_before_its_policy_opens_one_and_then_one_for_good() -> None:
    connection = connection_to(Rig().engine)
    assert connection.gate is None
    gate = connection.open_gate()
    assert connection.gate is gate is connection.open_gate()
    assert connection.receive(b"mn\r\n") == b"MN\r\n"


def test_ahead_are_the_commands_behind_the_present_one_and_between_executions_those_that_are_kept(
    line: Line,
) -> None:
    connection = line.connection
    assert connection.receive(b"a wait ") == b"a "
    assert list(connection.ahead()) == [Said(b"wait")]
    connection.take_in(b"b c")
    assert list(connection.ahead()) == [Said(b"wait"), Said(b"b")]


@pytest.mark.parametrize(
    ("said", "lacks"), [(b"set k 0 0 1000000\r\nxx", 999_999), (b"set k 0 0 10\r\nxxxx", 7), (b"get k", 0)]
)
def test_what_an_unfinished_command_lacks_is_the_rest_of_its_value(said: bytes, lacks: int) -> None:
    connection = connection_to(Rig().engine)
    connection.receive(said)
    assert max(0, connection.lacks) == lacks


def test_a_command_of_very_many_words_lacks_little_whatever_is_still_to_come() -> None:
    connection = redis_to(Rig().engine)
    connection.receive(b"*10000\r\n" + b"$3\r\nkey\r\n" * 5_000)
    assert 0 <= connection.lacks < 100
