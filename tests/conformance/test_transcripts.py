"""The transcripts, replayed against memcached or Redis, and against memrep; see transcript.py.

Where a transcript fails against its reference, it is wrong; where it fails against memrep, memrep is.
The last part puts the replay itself to the test, since an oracle that never says no proves nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence

import attrs
import pytest

from tests.conformance.placeholders import BadTranscript, Known, Verdict, compare, parse_text
from tests.conformance.servers import MemrepNode, RealMemcached, RealRedis, is_redis, missing, reference
from tests.conformance.transcript import (
    LONG,
    Conversation,
    Feeding,
    Mismatch,
    bytewise,
    cuts,
    read,
    read_all,
    replay,
    whole,
)
from tests.real.generation import DEBIAN_13


def _each(conversations: Sequence[Conversation]) -> pytest.MarkDecorator:
    ids = [f"{each.source}: {each.title}" for each in conversations]
    return pytest.mark.parametrize("conversation", conversations, ids=ids)


ALL = read_all()
each_conversation = _each(ALL)
#: Redis' commands go through one parser: that is cut in the short tests, what commands mean in the long ones.
each_to_be_cut = pytest.mark.parametrize(
    "conversation",
    [
        pytest.param(
            each,
            id=f"{each.source}: {each.title}",
            marks=[pytest.mark.long] if is_redis(each.server) and each.source != "redis_protocol" else [],
        )
        for each in ALL
    ],
)
each_agreement = _each([each for each in ALL if each.differs is None])
each_change = _each([each for each in ALL if each.has_changed and not each.moves_time])
each_difference = _each([each for each in ALL if each.differs is not None and not each.moves_time])
whole_and_bytewise = pytest.mark.parametrize("feeding", [whole, bytewise], ids=["whole", "bytewise"])


@pytest.fixture
def the_reference_is_here(conversation: Conversation) -> None:
    """Skips where there is no reference, save where tests must be complete: there its absence is a failure."""
    program = missing(conversation.server)
    if program is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is missing, so that nothing proves the transcripts")
    pytest.skip(f"the reference is not installed: {program}")


# --- memcached and Redis: are the transcripts true? ---------------------------------------------------------


@whole_and_bytewise
@each_agreement
@pytest.mark.usefixtures("the_reference_is_here")
def test_the_reference_answers_as_the_transcript_says(conversation: Conversation, feeding: Feeding) -> None:
    if conversation.moves_time:
        pytest.skip("reference cannot move time")
    with reference(conversation.server) as server:
        replay(conversation, server, feeding)


@each_difference
@pytest.mark.usefixtures("the_reference_is_here")
def test_a_deliberate_difference_from_the_reference_is_one(conversation: Conversation) -> None:
    with reference(conversation.server) as server, pytest.raises(Mismatch):
        replay(conversation, server)


# --- a later memcached, and valkey: what has changed there, and has nothing else?


@pytest.mark.long
@each_conversation
def test_a_later_reference_answers_as_the_transcript_says_of_it(conversation: Conversation) -> None:
    if conversation.moves_time:
        pytest.skip("reference cannot move time")
    with _later_reference(conversation) as server:
        if conversation.of_later.differs is None:
            replay(conversation.of_later, server)
        else:
            with pytest.raises(Mismatch):
                replay(conversation.of_later, server)


@each_change
def test_what_has_changed_in_a_later_reference_is_not_as_it_was(conversation: Conversation) -> None:
    with _later_reference(conversation) as server:
        if conversation.until_later:
            replay(conversation.of_later, server)
        else:
            with pytest.raises(Mismatch):
                replay(conversation, server)


def _later_reference(conversation: Conversation) -> RealMemcached | RealRedis:
    if is_redis(conversation.server):
        return RealRedis(conversation.server, program=DEBIAN_13.command("valkey-server"))
    return RealMemcached(conversation.server, program=DEBIAN_13.command("memcached"))


# --- memrep: does it answer alike? --------------------------------------------------------------------------


@whole_and_bytewise
@each_conversation
def test_memrep_answers_as_the_transcript_says(conversation: Conversation, feeding: Feeding) -> None:
    replay(conversation, MemrepNode(conversation.server), feeding)


@each_to_be_cut
def test_memrep_answers_the_same_wherever_the_bytes_are_cut(conversation: Conversation) -> None:
    """Of a conversation that is LONG only some cuts are tried."""
    for feeding in cuts(conversation):
        replay(conversation, MemrepNode(conversation.server), feeding)


# --- The replay: does it notice? ----------------------------------------------------------------------------


@attrs.define
class Parrot:
    """Answers each round with what it was told to, and keeps what it was sent."""

    answers: list[bytes]
    closes: bool = False
    connects: Callable[[], Parrot] | None = None
    heard: list[Sequence[bytes]] = attrs.field(factory=list)
    time: float = 1_000_000.0

    @property
    def closed(self) -> bool:
        return self.closes and not self.answers

    def connect(self) -> Parrot:
        return self.connects() if self.connects else self

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        self.heard.append(pieces)
        return self.answers.pop(0) if self.answers else b""

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def unix_time(self) -> float:
        return self.time


VERSION = b"VERSION 1\r\n"
PONG = b"+PONG\r\n"
TOLD = """\
== a value comes with its number
> gets a
< VALUE a 0 1 $one
< x
< END
> cas a 0 0 1 $one
> y
< STORED
> gets a
< VALUE a 0 1 $two
< y
< END
"""
FIRST = b"VALUE a 0 1 17\r\nx\r\nEND\r\n"
SECOND = b"STORED\r\nVALUE a 0 1 18\r\ny\r\nEND\r\n"


def _packet(magic: int, opcode: int, *, key: bytes = b"", value: bytes = b"", cas: int = 0) -> bytes:
    return struct.pack(">BBHIIIQ", magic, opcode, len(key), 0, len(key + value), 0, cas) + key + value


def _replay_with(conversation: Conversation, parrots: list[Parrot]) -> None:
    server = parrots[0]
    waiting = iter(parrots)
    replay(conversation, attrs.evolve(server, connects=lambda: next(waiting)))


def _conversation(text: str) -> Conversation:
    (conversation,) = read(text, "here")
    return conversation


def _redis(lines: str) -> Conversation:
    return _conversation(f"@server: redis\n== here\n{lines}")


def test_what_a_later_memcached_answers_stands_in_place_of_the_line_above() -> None:
    conversation = _conversation("== it has changed\n> a\n< b\n< c\n<1.6.38 e\n< f\n")
    replay(conversation, Parrot([b"b\r\nc\r\nf\r\n", VERSION]))
    replay(conversation.of_later, Parrot([b"b\r\ne\r\nf\r\n", VERSION]))


def test_a_later_answer_may_be_a_string_or_leave_a_line_out() -> None:
    conversation = _redis("> a\n<$ b\n<valkey$ cd\n< +e\n<valkey\n< +f\n")
    replay(conversation, Parrot([b"$1\r\nb\r\n+e\r\n+f\r\n", PONG]))
    replay(conversation.of_later, Parrot([b"$2\r\ncd\r\n+f\r\n", PONG]))


def test_a_number_that_the_server_told_is_sent_back_to_it() -> None:
    parrot = Parrot([FIRST, SECOND, VERSION])
    replay(_conversation(TOLD), parrot)
    assert parrot.heard == [[b"gets a\r\n"], [b"cas a 0 0 1 17\r\ny\r\ngets a\r\n"], [b"version\r\n"]]


@pytest.mark.parametrize("place", range(len(FIRST)))
def test_a_single_wrong_byte_is_noticed(place: int) -> None:
    if FIRST[place : place + 1].isdigit() and place >= FIRST.index(b"17"):
        pytest.skip("a cas unique may be any number")
    wrong = FIRST[:place] + b"#" + FIRST[place + 1 :]
    with pytest.raises(Mismatch):
        replay(_conversation(TOLD), Parrot([wrong, SECOND, VERSION]))


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([FIRST[:-2], SECOND, VERSION], id="too little in the middle"),
        pytest.param([FIRST + b"END\r\n", SECOND, VERSION], id="too much in the middle"),
        pytest.param([FIRST, SECOND, b"ERROR\r\n" + VERSION], id="too much at the end"),
        pytest.param([FIRST, SECOND, b"ERROR\r\n"], id="out of step at the end"),
        pytest.param([FIRST, SECOND.replace(b"18", b"17"), VERSION], id="a number that should have changed"),
        pytest.param([b"", SECOND, VERSION], id="nothing"),
    ],
)
def test_an_answer_that_is_not_the_expected_one_is_noticed(answers: list[bytes]) -> None:
    with pytest.raises(Mismatch):
        replay(_conversation(TOLD), Parrot(answers))


def test_a_number_that_should_have_stayed_is_noticed() -> None:
    conversation = _conversation(TOLD.replace("$two", "$one"))
    replay(conversation, Parrot([FIRST, SECOND.replace(b"18", b"17"), VERSION]))
    with pytest.raises(Mismatch):
        replay(conversation, Parrot([FIRST, SECOND, VERSION]))


TWO_CLIENTS = """\
== two
> gets a
< VALUE a 0 1 $one
< x
< END
@client binary
>b delete key=a cas=$one
<b delete
>b quit
<b quit
<closed>
@client
> get a
< END
"""


def test_each_client_has_a_connection_of_its_own_and_all_know_the_same_numbers() -> None:
    delete, quit_ = _packet(0x81, 0x04), _packet(0x81, 0x07)
    text, binary = Parrot([FIRST, b"END\r\n", VERSION]), Parrot([delete + quit_], closes=True)
    _replay_with(_conversation(TWO_CLIENTS), [text, binary])
    assert text.heard == [[b"gets a\r\n"], [b"get a\r\n"], [b"version\r\n"]]
    assert binary.heard == [[_packet(0x80, 0x04, key=b"a", cas=17) + _packet(0x80, 0x07)]]
    with pytest.raises(Mismatch):
        _replay_with(
            _conversation(TWO_CLIENTS), [Parrot([FIRST, b"END\r\n", VERSION]), Parrot([delete + quit_])]
        )


def test_whoever_spoke_binary_is_asked_in_binary_whether_it_is_in_step() -> None:
    noop, version = _packet(0x81, 0x0A), _packet(0x81, 0x0B, value=b"1.6")
    parrot = Parrot([noop, version])
    replay(_conversation("== here\n>b noop\n<b noop\n"), parrot)
    assert parrot.heard == [[_packet(0x80, 0x0A)], [_packet(0x80, 0x0B)]]
    with pytest.raises(Mismatch):
        replay(_conversation("== here\n>b noop\n<b noop\n"), Parrot([noop, noop + version]))


def test_a_file_may_ask_for_a_server_of_its_kind() -> None:
    (conversation,) = read("@server: sasl\n# why\n\n== here\n> x\n", "here")
    assert conversation.server == "sasl"


def test_a_number_is_within_its_range_or_noticed() -> None:
    conversation = _conversation("== left\n> mg a t\n< HD t{9..10}\n")
    for seconds in (9, 10):
        replay(conversation, Parrot([b"HD t%d\r\n" % seconds, VERSION]))
    for wrong in (b"8", b"11", b"", b"-9", b"100"):
        with pytest.raises(Mismatch):
            replay(conversation, Parrot([b"HD t" + wrong + b"\r\n", VERSION]))


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("PING", b"*1\r\n$4\r\nPING\r\n"),
        (r"SET a\x20b {}", b"*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n"),
        ("GET {k*12} é", b"*3\r\n$3\r\nGET\r\n$12\r\n" + b"k" * 12 + b"\r\n$2\r\n\xc3\xa9\r\n"),
        ("A {now+5}000", b"*2\r\n$1\r\nA\r\n$10\r\n1000005000\r\n"),
    ],
)
def test_words_are_sent_as_an_array_with_their_lengths(line: str, sent: bytes) -> None:
    parrot = Parrot([b"+OK\r\n", PONG])
    replay(_redis(f">r {line}\n< +OK\n"), parrot)
    assert parrot.heard == [[sent], [b"PING\r\n"]]


@pytest.mark.parametrize(
    ("line", "right", "wrong"),
    [
        pytest.param("<$ ab", [b"$2\r\nab\r\n"], [b"$2\r\nax\r\n", b"$3\r\nab\r\n"], id="text"),
        pytest.param("<$", [b"$0\r\n\r\n"], [b"$-1\r\n", b"$1\r\na\r\n"], id="empty"),
        pytest.param("<$ {any}", [b"$4\r\na\r\nb\r\n"], [b"$3\r\na\r\nb\r\n", b"=1\r\na\r\n"], id="any"),
        pytest.param(
            "<$ {9..10}", [b"$1\r\n9\r\n", b"$2\r\n10\r\n"], [b"$1\r\n8\r\n", b"$2\r\n9x\r\n"], id="number"
        ),
        pytest.param(
            "<$: b:{1..3}", [b"$8\r\na:0\r\nb:2\r\n"], [b"$8\r\na:0\r\nb:4\r\n", b"$4\r\nxb:2\r\n"], id="line"
        ),
        pytest.param(
            "<$: a={word} b=1",
            [b"$7\r\na=x b=1\r\n"],
            [b"$9\r\na=x y b=1\r\n", b"$7\r\na=x b=2\r\n"],
            id="word",
        ),
        pytest.param("<= ab", [b"=6\r\ntxt:ab\r\n"], [b"=2\r\nab\r\n", b"$6\r\ntxt:ab\r\n"], id="verbatim"),
        pytest.param("<=: b", [b"=7\r\ntxt:a\nb\r\n"], [b"=7\r\ntxt:a\nc\r\n"], id="verbatim's line"),
        pytest.param("<r a {}", [b"*2\r\n$1\r\na\r\n$0\r\n\r\n"], [b"*1\r\n$1\r\na\r\n"], id="array"),
        pytest.param(
            "<r* a b b",
            [b"*3\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nb\r\n"],
            [b"*3\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\na\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"],
            id="any order",
        ),
    ],
)
def test_redis_strings_and_arrays_are_as_they_are_told_or_noticed(
    line: str, right: list[bytes], wrong: list[bytes]
) -> None:
    conversation = _redis(f"> a\n{line}\n< +b\n")
    (round_,) = conversation.rounds
    for answer in right:
        replay(conversation, Parrot([answer + b"+b\r\n", PONG]))
        for end in range(len(answer)):
            assert compare(round_.expects, Known(0), answer[:end])[0] is Verdict.PARTIAL
    for answer in wrong:
        with pytest.raises(Mismatch):
            replay(conversation, Parrot([answer + b"+b\r\n", PONG]))


def test_a_number_within_a_string_is_learnt_and_sent_with_its_length() -> None:
    parrot = Parrot([b"$3\r\n123\r\n", b"+OK\r\n", PONG])
    replay(_redis("> a\n<$ $c\n>r b $c\n< +OK\n"), parrot)
    assert parrot.heard[1] == [b"*2\r\n$1\r\nb\r\n$3\r\n123\r\n"]


def test_a_little_time_is_waited_for_with_redis_only() -> None:
    text = "== naps\n> a\n@advance 0.5\n> b\n"
    assert _conversation(text).moves_time
    assert not _conversation(f"@server: redis\n{text}").moves_time
    assert _conversation(f"@server: redis\n{text.replace('0.5', '0.6')}").moves_time


def test_a_connection_that_should_have_been_closed_is_noticed() -> None:
    conversation = _conversation("== bye\n> quit\n<closed>\n")
    replay(conversation, Parrot([b""], closes=True))
    with pytest.raises(Mismatch):
        replay(conversation, Parrot([b""]))


def test_a_connection_that_should_not_have_been_closed_is_noticed() -> None:
    with pytest.raises(Mismatch):
        replay(_conversation("== here\n> foo\n< ERROR\n"), Parrot([b"ERROR\r\n"], closes=True))


def test_time_passes_between_rounds() -> None:
    parrot = Parrot([b"STORED\r\n", b"END\r\n", VERSION])
    text = "== ends\n> set a 0 {now+5} 1\n> x\n< STORED\n@advance 7\n> get a\n< END\n"
    replay(_conversation(text), parrot)
    assert parrot.time == 1_000_007.0
    assert parrot.heard[0] == [b"set a 0 1000005 1\r\nx\r\n"]


def test_a_short_conversation_is_cut_at_every_position() -> None:
    conversation = _conversation("== short\n> get a\n< END\n@advance 1\n> get\n< ERROR\n")
    heard = []
    for feeding in cuts(conversation):
        parrot = Parrot([b"END\r\n", b"ERROR\r\n", VERSION])
        replay(conversation, parrot, feeding)
        heard.append(parrot.heard[:2])
    first, second = b"get a\r\n", b"get\r\n"
    assert heard == [[[first[:at], first[at:]], [second]] for at in range(1, len(first))] + [
        [[first], [second[:at], second[at:]]] for at in range(1, len(second))
    ]


@pytest.mark.parametrize(
    "data", [b"get a\r\n", b"x" * LONG, b"ab\r\n" * LONG, b"x" * 5_000 + b"\r\n" + b"y" * 5_000]
)
def test_bytewise_loses_no_byte_and_tears_every_line_end(data: bytes) -> None:
    pieces = bytewise(0, data)
    assert b"".join(pieces) == data
    assert not any(b"\r\n" in piece for piece in pieces)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("a b", b"a b"),
        (r"\x00\xfF\r\n\0\\\$\{\}\*", b"\x00\xff\r\n\0\\${}*"),
        ("é*3", "é*3".encode()),
        ("{ab*3}c", b"abababc"),
        (r"{{k*2}\x20*2}", b"kk kk "),
        (r"{\**2}", b"**"),
        ("{x*0}", b""),
    ],
)
def test_a_text_stands_for_bytes(text: str, means: bytes) -> None:
    assert b"".join(part for part in parse_text(text) if isinstance(part, bytes)) == means


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("> get a\n", "begins with =="),
        ("== a\n> get a\n\n> get b\n", "begins with =="),
        ("== a\n> get a\n== b\n> get b\n", "blank line"),
        ("== a\n> get a\n\n== a\n> get a\n", "title"),
        ("== a\n> get a \n", "nobody can see"),
        ("== a\nget a\n", "no known mark"),
        ("== a\n@differs:\n", "no known mark"),
        ("== a\n> cas a 0 0 1 $c\n", "before any reply"),
        ("== a\n> get {any}\n", "cannot send"),
        ("== a\n> get {1..2}\n", "cannot send"),
        ("== a\n@advance -1\n", "forwards"),
        ("== a\n@advance soon\n", "number of seconds"),
        ("== a\n<closed>\n< END\n", "after it has closed"),
        ("== a\n> x\n<closed>\n@client b\n> x\n@client\n< END\n", "after it has closed"),
        ("== a\n>x 8\n", "not hexadecimal"),
        ("== a\n>r a  b\n", "two blanks"),
        ("== a\n>r {any}\n", "cannot send"),
        ("== a\n>r $c\n", "before any reply"),
        ("== a\n<r* a {any}\n", "any order"),
        ("== a\n< b\n<1.6.38? c\n", "no known mark"),
        ("== a\n< b\n<valkey c\n", "no known mark"),
        ("== a\n>b get cas={any}\n", "cannot send"),
        ("== a\n>b get cas=$c\n", "before any reply"),
        ("== a\n> x\n\n@server: sasl\n", "begins with =="),
        ("== a\n> {x*3\n", "no end"),
        ("== a\n> x*3}\n", "not begun"),
        ("== a\n> {{now+1}*3}\n", "only plain text"),
        ("== a\n> \\q\n", "cannot be read"),
        ("== a\n> $\n", "cannot be read"),
        ("== a\n", "nothing is said"),
    ],
)
def test_a_transcript_that_breaks_a_rule_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadTranscript, match=complaint):
        read(text, "here")
