"""Redis' protocol as the simulator's clients speak it: each verb in all its spellings, and each reply."""

from __future__ import annotations

import pytest

from memrep.protocol.negotiation import REDIS
from tests.harness.lone_node import lone_node
from tests.simulation.resp_codec import Line, command, in_words, read, spellings


def _say(*sayings: tuple[str, bytes]) -> list[bytes]:
    """What a node alone answers to these verbs with their values, whatever their spelling, in classic words."""
    every = [spellings(verb, b"k", value, value) for verb, value in sayings]
    told = []
    for way in range(max(map(len, every))):
        client = lone_node().connect(REDIS)
        words = []
        for (verb, _), ways in zip(sayings, every, strict=True):
            reply = read(client.receive(command(*ways[way % len(ways)])))
            assert reply is not None
            words.append(in_words(verb, reply[0]))
        told.append(words)
    assert all(words == told[0] for words in told)
    return told[0]


def test_each_verb_succeeds_and_fails_in_the_words_of_the_text_protocol_however_it_is_spelled() -> None:
    there, missing = [("set", b"1")], list[tuple[str, bytes]]()
    for verb, value, before, expected in (
        ("get", b"", missing, b"END"), ("get", b"", there, b"VALUE k 0 1\r\n1\r\nEND"),
        ("add", b"2", missing, b"STORED"), ("add", b"2", there, b"NOT_STORED"),
        ("replace", b"2", missing, b"NOT_STORED"), ("replace", b"2", there, b"STORED"),
        ("getset", b"2", missing, b"END"), ("getset", b"2", there, b"VALUE k 0 1\r\n1\r\nEND"),
        ("getdel", b"", missing, b"END"), ("getdel", b"", there, b"VALUE k 0 1\r\n1\r\nEND"),
        ("delete", b"", missing, b"NOT_FOUND"), ("delete", b"", there, b"DELETED"),
        ("count", b"", missing, b"1"), ("count", b"", there, b"2"),
        ("extend", b"77", missing, b"2"), ("extend", b"77", there, b"3"),
        ("touch", b"", missing, b"NOT_FOUND"), ("touch", b"", there, b"TOUCHED"),
        ("persist", b"", missing, b"NOT_FOUND"), ("release", b"1", there, b"DELETED"),
        ("release", b"2", there, b"EXISTS"), ("release", b"1", missing, b"EXISTS"),
        ("flush", b"", there, b"STORED"),
    ):  # fmt: skip
        assert _say(*before, (verb, value))[-1] == expected + b"\r\n", verb


@pytest.mark.parametrize(
    "data", [b"+OK\r\n", b":12\r\n", b"$3\r\na\r\n\r\n", b"$-1\r\n", b"*2\r\n:1\r\n*1\r\n_\r\n"]
)
def test_a_reply_is_read_when_it_is_whole_and_not_before(data: bytes) -> None:
    complete = read(data + b"+")
    assert complete is not None
    assert complete == read(data)
    assert complete[1] == len(data)
    assert not any(read(data[:end]) for end in range(len(data)))


def test_what_fits_no_verb_means_nothing() -> None:
    assert in_words("get", Line(b"-ERR unknown")) == b"nonsense\r\n"
    assert in_words("get", 1) == in_words("count", b"x") == in_words("set", None) == b"nonsense\r\n"
