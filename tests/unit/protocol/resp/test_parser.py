"""Commands are read alike in whatever pieces they come, once, and what is too large is not kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.resp.parser import LINE_MAX, PASSED_OVER, Parser, ProtocolError, words_of
from tests.unit.protocol.resp.test_dialect import said

COMMANDS = st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=5), max_size=8)
CUTS = st.lists(st.integers(0, 600), max_size=12)


class Feed:
    """A parser, and the bytes that a connection keeps for it."""

    def __init__(self, bulk_max: int = 1 << 20) -> None:
        self.parser = Parser(bulk_max)
        self.kept = b""
        self.most = 0
        self.error = ""
        self.read: list[tuple[list[bytes], bool]] = []
        self._need = 0

    def receive(self, data: bytes) -> None:
        self.kept += data
        start = 0
        if len(self.kept) < self._need or self.error:
            return
        self._need = 0
        while start < len(self.kept):
            try:
                words = self.parser.read(self.kept, start)
            except ProtocolError as broken:
                self.error = str(broken)
                return
            start = self.parser.end
            if words is None:
                self._need = self.parser.need
                break
            if words:
                self.read.append((words, self.parser.passed_over))
        self.kept = self.kept[start:]
        self.most = max(self.most, len(self.kept))


def _cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


def _fed(pieces: Iterable[bytes], bulk_max: int = 1 << 20) -> Feed:
    feed = Feed(bulk_max)
    for piece in pieces:
        feed.receive(piece)
    return feed


@given(COMMANDS, CUTS)
def test_commands_are_read_alike_in_any_cuts(commands: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(said(*words) for words in commands)
    assert _fed(_cut(data, cuts)).read == [(words, False) for words in commands]


@given(COMMANDS)
def test_commands_are_read_alike_byte_by_byte_and_nothing_is_left(commands: list[list[bytes]]) -> None:
    data = b"".join(said(*words) for words in commands)
    feed = _fed(data[at : at + 1] for at in range(len(data)))
    assert feed.read == [(words, False) for words in commands]
    assert feed.kept == b""


@given(COMMANDS, CUTS)
def test_what_is_too_large_is_passed_over_in_its_place_in_any_cuts(
    commands: list[list[bytes]], cuts: list[int]
) -> None:
    data = b"".join(said(*words) for words in commands)
    expected = [
        ([PASSED_OVER if len(word) > 8 else word for word in words], any(len(word) > 8 for word in words))
        for words in commands
    ]
    assert _fed(_cut(data, cuts), bulk_max=8).read == expected


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_of_what_is_passed_over_nothing_is_kept(size: int) -> None:
    data = said("SET", b"x" * 20_000, b"y" * 20_000, "z")
    feed = _fed((data[at : at + size] for at in range(0, len(data), size)), bulk_max=100)
    assert feed.read == [([b"SET", PASSED_OVER, PASSED_OVER, b"z"], True)]
    assert feed.most <= size + 40


def test_what_has_been_read_of_a_command_is_not_read_again() -> None:
    """Else a command of many arguments that trickles in takes time by its square."""
    data = said("MGET", "a", "b", "c")
    parser = Parser(1 << 20)
    at = data.index(b"$1\r\nc")
    assert parser.read(data[:at], 0) is None
    assert parser.end == 0
    assert parser.read(b"?" * at + data[at:], 0) == [b"MGET", b"a", b"b", b"c"]


@given(st.lists(st.binary(max_size=3_000), min_size=1, max_size=4), st.data())
def test_a_command_is_never_said_to_need_more_than_it_has(words: list[bytes], data: st.DataObject) -> None:
    whole = said(*words)
    size = data.draw(st.integers(1, len(whole) - 1))
    parser = Parser(1 << 20)
    assert parser.read(whole[:size], 0) is None
    assert parser.need <= len(whole)
    assert parser.read(whole, 0) == words


def test_a_value_of_which_the_length_has_come_is_said_to_need_all_of_it() -> None:
    parser = Parser(1 << 20)
    head = b"*2\r\n$3\r\nGET\r\n$100000\r\n"
    assert parser.read(head, 0) is None
    assert parser.need == len(head) + 100_002


@given(
    st.lists(
        st.sampled_from([b"*", b"$", b"1", b"2", b"0", b"-", b"\r\n", b"\n", b"a", b" ", b'"']), max_size=40
    ),
    CUTS,
)
def test_any_bytes_are_read_alike_in_any_cuts_be_it_to_the_same_error(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)
    whole, cut = _fed([data]), _fed(_cut(data, [cut % 41 for cut in cuts]))
    assert (cut.read, cut.error) == (whole.read, whole.error)


@given(st.binary(max_size=100))
def test_any_bytes_are_commands_or_one_error(data: bytes) -> None:
    _fed([data])
    _fed(data[at : at + 1] for at in range(len(data)))


@pytest.mark.parametrize("head", [b"", b"*", b"*1\r\n$"])
def test_what_has_no_end_is_refused_when_it_is_longer_than_any_line(head: bytes) -> None:
    feed = _fed([head, b"1" * (LINE_MAX - 1)])
    assert not feed.error
    feed = _fed([head, b"1" * (LINE_MAX + 1)])
    assert feed.error.startswith("too big")


def test_a_stranger_may_say_as_much_as_a_password_needs() -> None:
    for words, fits in (
        ([b"x"] * 10, True),
        ([b"x"] * 11, False),
        ([b"x" * 16_384], True),
        ([b"x" * 16_385], False),
    ):
        parser = Parser(1 << 20)
        parser.stranger = True
        if fits:
            assert parser.read(said(*words), 0) == words
        else:
            with pytest.raises(ProtocolError, match="unauthenticated"):
                parser.read(said(*words), 0)


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
def test_any_words_can_be_typed(words: list[bytes]) -> None:
    line = b" ".join(b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"' for word in words)
    assert words_of(line) == words


@given(
    st.lists(st.from_regex(rb"[a-z0-9:]{1,10}", fullmatch=True), max_size=5),
    st.sampled_from([b" ", b"\t", b"  "]),
)
def test_blanks_part_words_whether_or_not_one_of_them_is_in_quotes(words: list[bytes], blank: bytes) -> None:
    line = blank.join(words)
    assert words_of(line) == words
    assert words_of(line + blank + b"''") == [*words, b""]
