"""What a session is called by each handler, what is none, and which values another handler can read."""

from __future__ import annotations

import zlib

import pytest

from memrep.handlers.forms import LARAVEL, Form, converted, form_of, is_id, is_lock, plain, recognised
from memrep.handlers.item import Item, LeftOut

ID = b"0123456789abcdefghijklmnop"
TEXT = b'n|i:1;luggage|s:3:"abc";'
LOCKS = (b"memc.sess.key.lock.",)

PLACES = {
    "memcache": ID,
    "memcached": b"memc.sess.key." + ID,
    "redis": b"PHPREDIS_SESSION:" + ID,
}


@pytest.mark.parametrize("handler", PLACES)
def test_a_session_has_the_key_that_its_handler_gives_it(handler: str) -> None:
    form = form_of(handler, None)
    assert form.key(ID) == PLACES[handler]
    assert form.name(PLACES[handler]) == ID


@pytest.mark.parametrize(
    ("handler", "prefix", "key"),
    [
        ("memcache", None, ID + b".lock"),
        ("memcache", "app_", b"app_" + ID + b".lock"),
        ("memcache", "app_", ID),
        ("memcache", None, b"a:cached:thing"),
        ("memcached", None, b"memc.sess.key.lock." + ID),
        ("memcached", "app.", b"app.lock." + ID),
        ("memcached", None, b"memc.sess.key."),
        ("redis", None, b"PHPREDIS_SESSION:" + ID + b"_LOCK"),
        ("redis", None, b"laravel_cache:" + ID),
    ],
)
def test_locks_and_other_things_are_no_sessions(handler: str, prefix: str | None, key: bytes) -> None:
    assert form_of(handler, prefix).name(key) is None


def test_only_what_php_makes_is_an_id() -> None:
    assert is_id("abcXYZ09,-")
    assert not [text for text in ("", "a b", "../x", "a/b", "a.lock", "\udcff") if is_id(text)]


@pytest.mark.parametrize("handler", ["memcache", "memcached"])
def test_the_same_handler_keeps_values_and_flags_as_they_are(handler: str) -> None:
    item = Item(ID, b"\x78\x9c...", 0x52, 1000)
    to = form_of(handler, None)
    assert converted(item, handler, to) == Item(to.key(ID), b"\x78\x9c...", 0x52, 1000)


@pytest.mark.parametrize("to", ["memcached", "redis"])
def test_another_handler_is_given_what_pecl_has_compressed_in_plain(to: str) -> None:
    moved = converted(Item(ID, zlib.compress(TEXT), 2, 1000), "memcache", form_of(to, None))
    assert moved == Item(PLACES[to], TEXT, 0, 1000)


@pytest.mark.parametrize(
    ("handler", "value", "flags", "reason"),
    [
        ("memcache", b"no zlib", 2, "not"),
        ("memcache", zlib.compress(TEXT)[:-5], 2, "cut short"),
        ("memcache", b"1", 0x300, "with flags 768"),
        ("memcached", b"...", 2, "with flags 2"),
    ],
)
def test_what_another_handler_cannot_read_is_left_out_as_a_loss(
    handler: str, value: bytes, flags: int, reason: str
) -> None:
    out = converted(Item(ID, value, flags), handler, form_of("redis", None))
    assert isinstance(out, LeftOut)
    assert out.is_loss
    assert reason in out.reason


def test_laravel_has_its_text_within_a_serialised_string() -> None:
    moved = converted(Item(ID, "é".encode()), "lines", form_of(LARAVEL, "db_cache:"))
    assert moved == Item(b"db_cache:" + ID, b's:2:"\xc3\xa9";')


def test_files_give_their_text_to_every_handler() -> None:
    for handler, key in PLACES.items():
        assert converted(Item(ID, TEXT, 0, 5), "files", form_of(handler, None)) == Item(key, TEXT, 0, 5)


@pytest.mark.parametrize(
    ("item", "is_one"),
    [
        (Item(b"x.lock", b"1", 0x300), True),
        (Item(b"x.lock", b"1", 0), False),
        (Item(b"memc.sess.key.lock.x", b"1"), True),
        (Item(b"x_LOCK", b"host|17"), True),
        (Item(b"x_LOCK", b"a token"), False),
        (Item(b"x", b"1", 0x300), False),
    ],
)
def test_a_lock_is_known_by_name_and_by_what_is_in_it(item: Item, is_one: bool) -> None:
    assert is_lock(item, LOCKS) is is_one


@pytest.mark.parametrize("handler", PLACES)
def test_sessions_of_all_handlers_are_recognised(handler: str) -> None:
    assert recognised(Item(PLACES[handler], TEXT, 0, 7), None) == Item(ID, TEXT, 0, 7)


def test_a_prefix_of_the_sites_own_is_recognised_when_it_is_named() -> None:
    item = Item(b"app_" + ID, zlib.compress(TEXT), 2)
    assert recognised(item, b"app_") == Item(ID, TEXT)
    for prefix, key in ((None, b"app_" + ID), (b"app_", ID), (b"app_", b"app_../etc")):
        out = recognised(Item(key, TEXT), prefix)
        assert isinstance(out, LeftOut)
        assert not out.is_loss


def test_plain_text_is_not_looked_into() -> None:
    assert plain(Item(ID, b"\0", 0), "memcached") == b"\0"
    assert Form("files", b"").key(ID) == ID
