"""The retrieval commands of the text protocol: get gets gat gats (protocol.txt, "Retrieval command").

A get of one key is the usual case and takes a short way; all others go key by key (multi_get.py).
"""

from __future__ import annotations

from functools import partial

from memrep.engine.future import Future
from memrep.engine.operations import Result
from memrep.protocol.memcached.limits import KEY_BYTES_MAX
from memrep.protocol.memcached.text.client import TextClient, Words
from memrep.protocol.memcached.text.outcomes import show, show_cas
from memrep.storage.entry import Entry


def get(client: TextClient, words: Words) -> None:
    """Show values."""
    if len(words) != 2 or len(words[1]) > KEY_BYTES_MAX or client.prefixes.on:
        client.multi_get.get(words, show)
        return
    key = words[1]
    found = client.engine.get(key)
    if found is None:
        found = client.commands.missed(key)
    if found is None:
        client.out.append(b"END\r\n")
    elif type(found) is Entry:
        value = found.value or b""
        client.connection.size += len(value)
        client.out.append(b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, found.flags, len(value), value))
    else:
        assert isinstance(found, Future)
        client.replies.hold(found, partial(_shown, client, key))
        client.out.append(b"END\r\n")


def _shown(client: TextClient, key: bytes, found: Result) -> bytes:
    entry = found if isinstance(found, Entry) else client.commands.missed(key)
    return b"" if entry is None else show(key, entry)


def gets(client: TextClient, words: Words) -> None:
    """Show values and their cas uniques."""
    client.multi_get.get(words, show_cas)


def gat(client: TextClient, words: Words) -> None:
    """Show values, and let them end anew."""
    client.multi_get.get_and_touch(words, show)


def gats(client: TextClient, words: Words) -> None:
    """Show values and their cas uniques, and let them end anew."""
    client.multi_get.get_and_touch(words, show_cas)
