"""Orders to a memory management that is not there: settings are taken, deeds refused, keys never listed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.memcached.allocator import Words, cachedump, lru, lru_crawler, slabs, watch
from memrep.protocol.memcached.errors import BAD_LINE, ERROR

OK = b"OK\r\n"
END = b"END\r\n"

#: By what a line begins with; with lists of keys that are empty, and with none.
ORDERS: dict[bytes, Callable[[Words], bytes]] = {
    b"lru": lru,
    b"lru_crawler": lambda words: lru_crawler(words, lists=True),
    b"lru_crawler ": lambda words: lru_crawler(words, lists=False),
    b"stats cachedump": lambda words: cachedump(words, lists=True),
    b"stats cachedump ": lambda words: cachedump(words, lists=False),
    b"slabs": slabs,
    b"watch": watch,
}

words = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from(
        b"tune mode sleep tocrawl crawl metadump enable disable all hash reassign automove ratio noreply "
        b"0 1 2 3 10 63 64 0.1 -1 1e9 nan 1,2 1,,2".split()
    ),
)


@given(st.sampled_from(sorted(ORDERS)), st.lists(words, max_size=6))
def test_whatever_is_ordered_the_answer_is_one_line_or_none_for_who_wants_none(
    order: bytes, behind: Words
) -> None:
    answer = ORDERS[order]([*order.split(), *behind])
    if answer:
        assert answer.endswith(b"\r\n")
        assert answer.count(b"\n") == 1
    else:
        assert behind[-1] == b"noreply"


def _say(line: bytes, lists: bool = True) -> bytes:
    said = line.split()
    if said[0] == b"lru_crawler":
        return lru_crawler(said, lists)
    return cachedump(said, lists) if said[0] == b"stats" else {b"lru": lru, b"slabs": slabs}[said[0]](said)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"lru tune 40 40 0.1 2.0", OK),
        (b"lru tune 41 40 0.1 2.0", b"ERROR hot and warm pcts must not exceed 80\r\n"),
        (b"lru tune 10 25 1e3 .5", OK),
        (b"lru tune 10 25 0.1 0", b"ERROR hot/warm age factors must be greater than 0\r\n"),
        (b"lru tune 10 25 -1 2.0", b"ERROR hot/warm age factors must be greater than 0\r\n"),
        (b"lru tune 10 25 x 2.0", ERROR),
        (b"lru tune 10 -1 0.1 2.0", ERROR),
        (b"lru tune 10 25 0.1", ERROR),
        (b"lru_crawler sleep 1000000", OK),
        (b"lru_crawler sleep 1000001", b"CLIENT_ERROR sleep must be one second or less\r\n"),
        (b"lru_crawler sleep x", BAD_LINE),
        (b"lru_crawler tocrawl 1000001", OK),
        (b"lru_crawler tocrawl x", BAD_LINE),
        (b"slabs automove 2", OK),
        (b"slabs automove 3", ERROR),
        (b"slabs automove x", BAD_LINE),
        (b"slabs automove ratio 0.8", OK),
        (b"slabs automove ratio x", ERROR),
        (b"slabs automove ratio", ERROR),
    ],
)
def test_a_setting_is_taken_within_its_bounds(line: bytes, answer: bytes) -> None:
    assert _say(line) == answer


@pytest.mark.parametrize("line", [b"lru_crawler crawl all", b"lru_crawler enable", b"slabs reassign 1 2"])
def test_what_would_be_a_deed_is_refused(line: bytes) -> None:
    assert _say(line).startswith((b"CLIENT_ERROR ", b"ERROR "))


@pytest.mark.parametrize(
    "line",
    [
        b"lru_crawler metadump all",
        b"lru_crawler metadump hash",
        b"lru_crawler metadump 1,2,63",
        b"stats cachedump 0 0",
        b"stats cachedump 63 100",
    ],
)
def test_a_list_of_keys_comes_to_its_end_at_once_or_is_refused(line: bytes) -> None:
    assert _say(line) == END
    assert b" not allowed\r\n" in _say(line, lists=False)


@pytest.mark.parametrize("classes", [b"0", b"64", b"1,64", b"1,,2", b"1,", b",", b"x", b"-1", b"ALL"])
def test_a_dump_of_classes_that_cannot_be_ends_nothing(classes: bytes) -> None:
    assert _say(b"lru_crawler metadump " + classes) == b"BADCLASS invalid class id\r\n"


@pytest.mark.parametrize("asked", [b"64 0", b"x 0", b"1 x", b"1", b""])
def test_neither_does_a_list_of_such_a_class(asked: bytes) -> None:
    assert _say(b"stats cachedump " + asked).startswith(b"CLIENT_ERROR ")


@pytest.mark.parametrize("what", [b"", b" fetchers", b" mutations evictions"])
def test_nobody_watches(what: bytes) -> None:
    assert watch([b"watch", *what.split()]) == b"CLIENT_ERROR watch commands not allowed\r\n"
