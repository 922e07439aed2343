"""What each of PHP's session handlers calls a session, and which of its values others can read.

    handler     key                    lock                    value
    memcache    [prefix]ID             KEY.lock                PHP's text; with flags 2 compressed by zlib
    memcached   memc.sess.key.ID       memc.sess.key.lock.ID   PHP's text
    redis       PHPREDIS_SESSION:ID    KEY_LOCK                PHP's text
    laravel     REDIS_PREFIX CACHE_PREFIX ID  -                s:LENGTH:"Laravel's text";

(pecl-memcache 8.0, php-memcached 3.2, phpredis 5.3, Laravel's RedisStore.) Locks are never taken along: who
holds one speaks to the old store.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import msgspec

from memrep.handlers.item import Item, LeftOut

#: The prefixes that the handlers have if php.ini says nothing.
PREFIXES: Final = {"memcache": b"", "memcached": b"memc.sess.key.", "redis": b"PHPREDIS_SESSION:"}

#: The form of which sessions in Laravel's cache on Redis are.
LARAVEL: Final = "laravel"

#: What PHP calls a session (session.sid_bits_per_character), as files may be named.
ID: Final = re.compile(rb"[A-Za-z0-9,-]{1,250}")

#: pecl-memcache: the value is compressed (MMC_COMPRESSED); the other flags tell which type it is.
_COMPRESSED: Final = 2

#: What a compressed session may become, bytes.
_PLAIN_MAX: Final = 64 << 20

_PHPREDIS_SECRET: Final = re.compile(rb"[^|\s]+\|\d+")

#: What pecl-memcache's lock has for flags: an integer.
_PECL_INTEGER: Final = 0x300


class Form(msgspec.Struct, frozen=True):
    """How a handler keeps sessions.

    Attributes:
        handler: session.save_handler, or LARAVEL.
        prefix: what is before a session's name in its key.
    """

    handler: str
    prefix: bytes

    def key(self, name: bytes) -> bytes:
        """Return the key of the session of this name."""
        return self.prefix + name

    def name(self, key: bytes) -> bytes | None:
        """Return the name of the session that has this key; None if it is a lock, or something else.

        Without a prefix only what PHP could have made is taken for the name of a session.
        """
        if not key.startswith(self.prefix):
            return None
        name = key.removeprefix(self.prefix)
        if not self.prefix:
            return name if ID.fullmatch(name) else None
        is_lock = {
            "memcache": name.endswith(b".lock"),
            "memcached": name.startswith(b"lock."),
            "redis": name.endswith(b"_LOCK"),
        }.get(self.handler, False)
        return None if is_lock or not name else name


def is_id(text: str) -> bool:
    """Tell whether this may be what PHP calls a session."""
    return ID.fullmatch(text.encode(errors="surrogateescape")) is not None


def form_of(handler: str, prefix: str | None) -> Form:
    """Return the form of a handler, with its own prefix or this one."""
    return Form(handler, PREFIXES.get(handler, b"") if prefix is None else prefix.encode())


def converted(item: Item, handler: str, to: Form) -> Item | LeftOut:
    """Return a session as another handler keeps it, under its key there.

    Args:
        item: the session under its name.
        handler: whose value it is.
        to: as what it is to be kept.
    """
    value, flags = item.value, item.flags
    if not (handler == to.handler and handler in {"memcache", "memcached"}):
        text = plain(item, handler)
        if isinstance(text, LeftOut):
            return text
        value, flags = text, 0
        if to.handler == LARAVEL:
            value = b's:%d:"%b";' % (len(text), text)
    return msgspec.structs.replace(item, name=to.key(item.name), value=value, flags=flags)


def plain(item: Item, handler: str) -> bytes | LeftOut:
    """Return PHP's text, which every handler can read."""
    if not item.flags:
        return item.value
    if handler != "memcache" or item.flags != _COMPRESSED:
        return LeftOut(f"with flags {item.flags}, which another handler cannot read")
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(item.value, _PLAIN_MAX)
    except zlib.error:
        return LeftOut("marked as compressed, which it is not")
    return text if inflate.eof else LeftOut("cut short, or too large when it is not compressed")


def is_lock(item: Item, lock_prefixes: tuple[bytes, ...]) -> bool:
    """Tell whether an item is a lock of one of PHP's handlers, by all that it shows.

    Args:
        item: the item under its whole key.
        lock_prefixes: how php-memcached's locks begin.
    """
    return (
        item.name.startswith(lock_prefixes)
        or (item.name.endswith(b".lock") and item.flags == _PECL_INTEGER)
        or (item.name.endswith(b"_LOCK") and _PHPREDIS_SECRET.fullmatch(item.value) is not None)
    )


def recognised(item: Item, prefix: bytes | None) -> Item | LeftOut:
    """Return what memrep keeps as PHP's text under the name of its session, whichever handler has written it.

    Args:
        item: the item under its whole key.
        prefix: that of the sessions; None for those that handlers have if php.ini says nothing.
    """
    forms = [Form(handler, own) for handler, own in PREFIXES.items() if own] + [Form("memcache", b"")]
    if prefix is not None:
        forms = [Form("memcache", prefix)]
    for form in forms:
        name = form.name(item.name)
        if name is None or not ID.fullmatch(name):
            continue
        text = plain(item, form.handler)
        if isinstance(text, LeftOut):
            return text
        return msgspec.structs.replace(item, name=name, value=text, flags=0)
    return LeftOut("under the name of no session", is_loss=False)
