"""Orders to memcached's memory management, of which memrep has none: lru, lru_crawler, slabs, watch.

Whoever sends them waits for an answer, some tools for ever. So each is answered in memcached's own words, those
of one that was started without crawler, maintainer, slab reassignment and watchers (`-o no_lru_crawler,
no_lru_maintainer,no_slab_reassign -W`): settings that nothing heeds are taken, deeds are refused for good.

Keys are never listed, nor shown to a watcher: who knows a session's key has the session. A list of keys is
empty, for tools read on until its END, whatever else they are told; with `-X` it is refused, as memcached does.
"""

from __future__ import annotations

import re
from typing import Final

from memrep.protocol.memcached.errors import BAD_LINE, ERROR
from memrep.protocol.memcached.numbers import unsigned

_END: Final = b"END\r\n"
_OK: Final = b"OK\r\n"
_NO_CRAWLER: Final = b"CLIENT_ERROR lru crawler disabled\r\n"
_CRAWLER_FAILS: Final = b"ERROR failed to start lru crawler thread\r\n"
_SLEEP_TOO_LONG: Final = b"CLIENT_ERROR sleep must be one second or less\r\n"
_NO_REASSIGNMENT: Final = b"CLIENT_ERROR slab reassignment disabled\r\n"
_TOO_MUCH: Final = b"ERROR hot and warm pcts must not exceed 80\r\n"
_TOO_LITTLE: Final = b"ERROR hot/warm age factors must be greater than 0\r\n"
_NO_LIST: Final = b"CLIENT_ERROR stats cachedump not allowed\r\n"
_NO_DUMP: Final = b"ERROR metadump not allowed\r\n"
_BAD_CLASS: Final = b"BADCLASS invalid class id\r\n"
_NO_WATCHING: Final = b"CLIENT_ERROR watch commands not allowed\r\n"

_SLEEP_MAX_US: Final = 1_000_000
_PERCENT_MAX: Final = 80
_AUTOMOVE_MAX: Final = 2

#: The numbers of memcached's slab classes end before this.
_CLASSES: Final = 64

#: A number with or without a fraction.
_DECIMAL: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Words = list[bytes]


def lru(words: Words) -> bytes:
    """Answer an order that says how memcached's lists are to be balanced."""
    return b"" if words[-1] == b"noreply" else _lru(words)


def _lru(words: Words) -> bytes:
    if words[1:2] != [b"tune"] or len(words) < 6:
        return ERROR
    hot, warm = unsigned(words[2]), unsigned(words[3])
    factors = [_decimal(word) for word in words[4:6]]
    if hot is None or warm is None or None in factors:
        return ERROR
    if hot + warm > _PERCENT_MAX:
        return _TOO_MUCH
    return _OK if all(factor and factor > 0 for factor in factors) else _TOO_LITTLE


def lru_crawler(words: Words, lists: bool) -> bytes:
    """Answer an order that says what memcached's crawler is to do.

    Args:
        words: the line.
        lists: whether a list of keys is empty, and not refused.
    """
    order = words[1] if len(words) > 1 else b""
    if len(words) == 2 and order in (b"enable", b"disable"):
        return _CRAWLER_FAILS if order == b"enable" else _OK
    if len(words) != 3:
        return ERROR
    if order == b"metadump":
        return _metadump(words[2]) if lists else _NO_DUMP
    if order == b"crawl":
        return _NO_CRAWLER
    if order not in (b"sleep", b"tocrawl"):
        return ERROR
    number = unsigned(words[2])
    if number is None:
        return BAD_LINE
    return _SLEEP_TOO_LONG if order == b"sleep" and number > _SLEEP_MAX_US else _OK


def _metadump(classes: bytes) -> bytes:
    numbers = [unsigned(word) for word in classes.split(b",")]
    known = classes in (b"all", b"hash") or all(number and number < _CLASSES for number in numbers)
    return _END if known else _BAD_CLASS


def cachedump(words: Words, lists: bool) -> bytes:
    """Answer a request for the keys of a slab class; `lists` as in `lru_crawler`."""
    if not lists:
        return _NO_LIST
    if len(words) < 4:
        return b"CLIENT_ERROR bad command line\r\n"
    slab, limit = unsigned(words[2]), unsigned(words[3])
    if slab is None or limit is None:
        return BAD_LINE
    return _END if slab < _CLASSES else b"CLIENT_ERROR Illegal slab id\r\n"


def slabs(words: Words) -> bytes:
    """Answer an order that says which class of memcached's slabs is to have a page of another one."""
    if words[1:2] == [b"reassign"] and len(words) == 4:
        return _NO_REASSIGNMENT
    if words[1:2] == [b"automove"] and len(words) > 2:
        return b"" if words[-1] == b"noreply" else _automove(words)
    return ERROR


def _automove(words: Words) -> bytes:
    if words[2] == b"ratio":
        return ERROR if len(words) < 4 or _decimal(words[3]) is None else _OK
    level = unsigned(words[2])
    if level is None:
        return BAD_LINE
    return _OK if level <= _AUTOMOVE_MAX else ERROR


def watch(words: Words) -> bytes:
    """Answer a request to see whatever happens as it happens."""
    return b"" if words[-1] == b"noreply" else _NO_WATCHING


def _decimal(word: bytes) -> float | None:
    return float(word) if _DECIMAL.fullmatch(word) else None
