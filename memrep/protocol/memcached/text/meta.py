"""The meta commands as lines of the text protocol: mn mg ms md ma me, executed and answered.

What such a line says, and what it makes of an entry, is told in the package `meta`; here it meets a client: its
engine and policy, its counters, the data block behind `ms`, and the reply, now or later. A line that makes no
sense is refused before anything is done (`BadMeta`).
"""

from __future__ import annotations

from memrep.engine.operations import TOO_LARGE
from memrep.protocol.memcached.errors import BAD_LINE, ERROR
from memrep.protocol.memcached.limits import deadline
from memrep.protocol.memcached.meta import commands
from memrep.protocol.memcached.meta.line import BadMeta, check
from memrep.protocol.memcached.numbers import signed32
from memrep.protocol.memcached.text.client import TextClient, Words
from memrep.protocol.memcached.text.data_block import BAD_CHUNK, LARGE, VALUE_MAX, end_of_block
from memrep.protocol.memcached.text.storage import drop


def noop(client: TextClient, words: Words) -> None:
    """Do nothing (mn); the reply tells that all before it have been answered."""
    client.out.append(b"MN\r\n")


def get(client: TextClient, words: Words) -> None:
    """Show a value, and perhaps change it (mg)."""
    _modify(client, words, commands.Get)


def delete(client: TextClient, words: Words) -> None:
    """Remove a value, or mark it (md)."""
    _modify(client, words, commands.Delete)


def calculate(client: TextClient, words: Words) -> None:
    """Count (ma)."""
    _modify(client, words, commands.Calculate)


def _modify(
    client: TextClient,
    words: Words,
    kind: type[commands.Get] | type[commands.Delete] | type[commands.Calculate],
) -> None:
    client.engine.counters.cmd_meta += 1
    if len(words) < 2:
        client.refuse(ERROR)
        return
    try:
        command = kind(client.engine, words)
    except BadMeta as error:
        client.refuse(error.args[0])
    else:
        count = client.engine.counters.counted(command.counter)
        client.show(client.commands.modify(command.meta.key, command.decide, count), command.show)


def describe(client: TextClient, words: Words) -> None:
    """Tell people what there is to know of a value (me)."""
    try:
        client.out.append(commands.describe(client.engine, words))
    except BadMeta as error:
        client.refuse(error.args[0])


def store(client: TextClient, words: Words, data: bytes, body: int) -> int:
    """Store the data block that begins at `body` (ms); return as `StorageCommand.execute` does."""
    if len(words) < 2:
        client.refuse(ERROR)
        return body
    try:
        check(words)
    except BadMeta as error:
        client.refuse(error.args[0])
        return body
    length = signed32(words[2]) if len(words) > 2 else None
    if length is None or not 0 <= length < VALUE_MAX:
        client.refuse(BAD_LINE)
        return body
    try:
        command = commands.Set(client.engine, words)
    except BadMeta as error:
        client.skip_block(length, error.args[0])
        return body
    engine, key = client.engine, command.meta.key
    if engine.item_limit.too_large(key, command.flags, length):
        engine.counters.store_too_large += 1
        engine.counters.cmd_meta += 1
        client.answer(engine.refuse(key, TOO_LARGE), noreply=True)
        client.skip_block(length, LARGE)
        return body
    after = end_of_block(data, body + length)
    if after < 0:
        if not client.connection.refused:
            return after
        drop(client, key, length, empty=True, noreply=False)
        return body
    engine.counters.cmd_meta += 1
    if after == 0:
        client.refuse(BAD_CHUNK)
        return body + length + 2
    value = data[body : body + length]
    client.connection.next = after
    if command.plain:
        ends, sent = deadline(engine.clock, command.exptime), command.exptime
        result = client.commands.set(key, command.flags, ends, command.keep(value), sent=sent, show=True)
    else:
        result = client.commands.store_if(key, length, command.deciding(value), engine.counters.count_stored)
    client.show(result, command.show, plain=command.plain)
    return after
