"""Pools are read key by key from whoever has the newest copy, in the words of old memcacheds and new ones."""

from __future__ import annotations

import pytest

from memrep.errors import UsageError
from memrep.handlers.forms import Form, form_of
from memrep.handlers.item import Item, LeftOut
from memrep.move.memcached import Memcacheds
from memrep.move.pace import Pace
from tests.unit.move.scripted import Conversation, scripted

PECL = form_of("memcache", None)
LIST = b"lru_crawler metadump all\r\n"
NOW = 1_000_000


def _stats(version: bytes = b"1.6.18") -> tuple[bytes, bytes]:
    return b"stats\r\n", b"STAT time %d\r\nSTAT version %b\r\nEND\r\n" % (NOW, version)


def _listing(*items: tuple[bytes, int], version: bytes = b"1.6.18") -> Conversation:
    lines = b"".join(
        b"key=%b exp=%d la=5 cas=1 fetch=no cls=1 size=70\r\n" % (key, ends) for key, ends in items
    )
    return [_stats(version), (LIST, lines + b"END\r\n"), (LIST, lines + b"END\r\n")]


def _asked(key: bytes) -> bytes:
    return b"mg %b f t v u\r\n" % key


def test_sessions_are_read_with_flags_and_the_time_that_they_have_left_now() -> None:
    listing = _listing((b"one", NOW + 9), (b"two", -1), (b"one.lock", NOW + 9), (b"old", NOW - 1))
    reading = [(_asked(b"one") + _asked(b"two"), b"VA 1 f2 t1440\r\nx\r\nVA 1 f0 t-1\r\ny\r\n")]
    with scripted(listing, reading) as server:
        source = Memcacheds([server], PECL)
        assert source.count() == 2
        others, *items = source.read()
    assert others == LeftOut("no sessions, or locks", is_loss=False)
    assert items == [Item(b"one", b"x", 2, 1_440_000), Item(b"two", b"y", 0, None)]


def test_the_copy_that_ends_last_is_taken_and_the_others_are_counted() -> None:
    with (
        scripted(
            _listing((b"one", NOW + 5), (b"two", NOW + 5)), [(_asked(b"two"), b"VA 1 f0 t5\r\n2\r\n")]
        ) as a,
        scripted(
            _listing((b"one", NOW + 9), (b"two", NOW + 5)), [(_asked(b"one"), b"VA 1 f0 t9\r\n1\r\n")]
        ) as b,
    ):
        source = Memcacheds([a, b], PECL)
        others, *items = source.read()
    assert others == LeftOut("older or equal copies at other servers", is_loss=False, count=2)
    assert items == [Item(b"two", b"2", 0, 5_000), Item(b"one", b"1", 0, 9_000)]


def test_a_server_without_meta_commands_is_asked_by_get() -> None:
    listing = _listing((b"one", NOW + 9), (b"two", NOW + 9), version=b"1.4.31")
    reading = [(b"get one two\r\n", b"VALUE one 2 3\r\n\r\nx\r\nEND\r\n")]
    seconds = iter([0.0, 0.0, 4.0])
    with scripted(listing, reading) as server:
        source = Memcacheds([server], PECL, Pace(clock=lambda: next(seconds)))
        items = list(source.read())
    assert items == [Item(b"one", b"\r\nx", 2, 5_000), LeftOut("gone meanwhile", is_loss=False)]


def test_keys_are_spelled_as_in_a_url_and_those_with_blanks_are_no_sessions() -> None:
    form = Form("memcached", b"site:")
    listing = _listing((b"site%3Aabc", NOW + 9), (b"site%3Aa%20b", NOW + 9))
    with scripted(listing, [(_asked(b"site:abc"), b"VA 1 f0 t9\r\nx\r\n")]) as server:
        others, item = Memcacheds([server], form).read()
    assert (others.count if isinstance(others, LeftOut) else 0, item) == (1, Item(b"abc", b"x", 0, 9_000))


def test_what_one_listing_misses_another_one_has() -> None:
    line = b"key=%b exp=-1 la=5 cas=1 fetch=no cls=1 size=70\r\n"
    listings = [(LIST, b"".join(line % key for key in keys) + b"END\r\n") for keys in ([b"a"], [b"b"], [b"a"])]
    with scripted([_stats(), *listings]) as server:
        assert Memcacheds([server], PECL).count() == 2


def test_new_sessions_that_keep_coming_do_not_keep_it_for_ever() -> None:
    line = b"key=%d exp=-1 la=5 cas=1 fetch=no cls=1 size=70\r\nEND\r\n"
    with scripted([_stats(), *((LIST, line % number) for number in range(5))]) as server:
        assert Memcacheds([server], PECL).count() == 5


def test_a_server_that_is_busy_is_asked_again() -> None:
    rests: list[float] = []
    busy = (LIST, b"BUSY currently processing crawler request\r\n")
    with scripted([_stats(), busy, busy, (LIST, b"END\r\n")]) as server:
        assert Memcacheds([server], PECL, Pace(sleep=rests.append)).count() == 0
    assert len(rests) == 2


@pytest.mark.parametrize(
    ("conversation", "says"),
    [
        ([_stats(), (LIST, b"ERROR metadump not allowed\r\n")], "does not list its keys"),
        ([_stats(), (LIST, b"ERROR\r\n")], "takes memcached 1.4.31"),
        ([(b"stats\r\n", b"STAT memrep_version 0.1\r\nSTAT time 1\r\nEND\r\n")], "see `memrep dump`"),
        ([(b"stats\r\n", b"CLIENT_ERROR unauthenticated\r\n")], "without a password"),
    ],
)
def test_a_server_that_will_not_is_told_of(conversation: Conversation, says: str) -> None:
    with scripted(conversation) as server, pytest.raises(UsageError, match=says):
        Memcacheds([server], PECL)
