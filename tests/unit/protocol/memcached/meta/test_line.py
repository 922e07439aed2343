"""The line of a meta command is read in the order in which it was said, or refused with memcached's reason."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.memcached.errors import BAD_LINE
from memrep.protocol.memcached.meta.line import (
    TOO_LONG,
    TOO_LONG_GET,
    BadMeta,
    Meta,
    check,
    decoded,
    read,
    read_strictly,
)

#: Flags that need no token, and those that need a number.
BARE = b"OPLkstcfvhuqIx"
NUMBERED = b"NTRECDJF"

_flags = st.lists(
    st.one_of(
        st.sampled_from(BARE).map(lambda letter: bytes([letter])),
        st.tuples(st.sampled_from(NUMBERED), st.integers(0, 1000)).map(lambda pair: b"%c%d" % pair),
        st.just(b"MS"),
    ),
    unique_by=lambda word: word[0],
)


def _read(line: bytes) -> Meta:
    return read(line.split(), 2)


def _refusal(line: bytes) -> bytes:
    with pytest.raises(BadMeta) as caught:
        _read(line)
    (reply,) = caught.value.args
    assert isinstance(reply, bytes)
    return reply


@given(_flags)
def test_flags_and_their_tokens_are_kept_in_the_order_in_which_they_were_said(words: list[bytes]) -> None:
    meta = read([b"mg", b"key", *words], 2)
    assert [bytes([letter]) + token for letter, token in meta.flags.items()] == words
    assert (meta.key, meta.word) == (b"key", b"key")


@given(st.binary(min_size=1, max_size=60))
def test_a_key_in_base64_is_decoded_and_shown_as_it_was_said(key: bytes) -> None:
    word = b64encode(key)
    meta = read([b"mg", word, b"b", b"k"], 2)
    assert meta.key == decoded(word) == key
    assert meta.shown(ord("k")) == b"k" + word + b" b"


@pytest.mark.parametrize("word", b"Zm9|Zm9v=|Zg=|Zg===|Zm9v====|Z!9v|Zm 9v|=|====|".split(b"|"))
def test_what_is_no_base64_is_no_key(word: bytes) -> None:
    assert decoded(word) == b""
    if word:
        with pytest.raises(BadMeta, match="error decoding key"):
            read([b"mg", word, b"b"], 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"mg a v v", b"duplicate flag"),
        (b"mg a T1 T2", b"duplicate flag"),
        (b"mg a \x7f", b"duplicate flag"),
        (b"mg a y", b"invalid flag"),
        (b"mg a V", b"invalid flag"),
        (b"mg a Tsoon", b"bad token in command line format"),
        (b"mg a C-1", b"bad token in command line format"),
        (b"mg a E", b"bad token in command line format"),
        (b"ma a Jx", b"invalid numeric initial value"),
        (b"ma a Dx", b"invalid numeric delta value"),
        (b"ms a Fx", b"bad command line format"),
        (b"ms a MSE", b"incorrect length for M token"),
        (b"ms a M", b"incorrect length for M token"),
    ],
)
def test_a_mistake_is_told_in_memcacheds_words_or_in_one_for_all(line: bytes, said: bytes) -> None:
    assert _refusal(line) == b"CLIENT_ERROR %b\r\n" % said
    with pytest.raises(BadMeta, match="invalid or duplicate flag"):
        read_strictly(line.split())


def test_of_several_mistakes_the_last_one_is_told_but_that_of_client_flags_only_alone() -> None:
    assert _refusal(b"ma a Jx Dx") == _refusal(b"ma a Dx")
    assert _refusal(b"ma a Dx Jx") == _refusal(b"ma a Jx")
    assert _refusal(b"ma a Dx Fx") == _refusal(b"ma a Dx")
    assert _refusal(b"ma a Dx v v") == b"CLIENT_ERROR duplicate flag\r\n"


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=5))
def test_no_flags_are_too_odd(words: list[bytes]) -> None:
    try:
        meta = read([b"mg", b"a", *words], 2)
    except BadMeta as refusal:
        assert refusal.args[0].startswith(b"CLIENT_ERROR ")
        assert refusal.args[0].endswith(b"\r\n")
    else:
        assert len(meta.flags) == len(words)


def test_times_are_cut_to_32_bits_and_numbers_have_64() -> None:
    meta = _read(b"mg a T4294967295 N-5 R30 C18446744073709551615 E0")
    assert (meta.time("T"), meta.time("N"), meta.time("R"), meta.time("E")) == (-1, -5, 30, None)
    assert (meta.number("C"), meta.number("E"), meta.number("D")) == ((1 << 64) - 1, 0, None)
    assert "T" in meta and "D" not in meta


def test_a_key_has_250_bytes_at_most_and_a_line_19_words() -> None:
    check([b"mg", b"k" * 250, *[b"v"] * 17])
    for words, too_long in (([b"mg", b"k" * 251], BAD_LINE), ([b"mg", b"k", *[b"v"] * 18], TOO_LONG)):
        with pytest.raises(BadMeta) as caught:
            check(words)
        assert caught.value.args == (too_long,)
    with pytest.raises(BadMeta) as caught:
        check([b"mg", b"k" * 251, *[b"v"] * 18], TOO_LONG_GET)
    assert caught.value.args == (BAD_LINE,)


def test_an_opaque_has_31_bytes_at_most_its_letter_not_counted() -> None:
    _read(b"mg a O" + b"x" * 31).check_opaque()
    _read(b"mg a").check_opaque()
    with pytest.raises(BadMeta, match="opaque token too long"):
        _read(b"mg a O" + b"x" * 32).check_opaque()


def test_a_mode_is_one_of_those_that_the_verb_knows() -> None:
    known = (b"I", b"D")
    assert _read(b"ma a").mode(known, "I", "ma") == "I"
    assert _read(b"ma a MD").mode(known, "I", "ma") == "D"
    with pytest.raises(BadMeta, match="invalid mode for ma M token"):
        _read(b"ma a MS").mode(known, "I", "ma")
