"""SUBSCRIBE, PUBLISH and their like, among the clients of this node (Redis' pubsub.c).

What is published here reaches this node's clients only: the other nodes are told nothing of it. What the node
itself publishes is `+switch-master`, as Redis' sentinels do (topology.py).

A client of RESP2 that has subscribed cannot tell what it is told from what it has asked for, and may do little
else; one of RESP3 may do everything. Subscribing is refused behind MULTI, for its replies are no part of
EXEC's; Redis lets it pass, and its clients lose count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from memrep.protocol.resp.arguments import CommandError, wrong_words
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import CONTROL, FAST, NO_KEYS, PUBSUB, PUSHES, Command, container
from memrep.protocol.resp.glob import everything, matcher
from memrep.protocol.resp.spelling import EMPTY, ZERO, array, bulk, bulks
from memrep.protocol.resp.spelling import integer as spell_integer

Words = Sequence[bytes]

_FLAGS: Final = PUBSUB | CONTROL | NO_KEYS | PUSHES

#: What a client of RESP2 may say that has subscribed to something, and what it is told of anything else.
WHILE_SUBSCRIBED: Final = frozenset(
    [b"subscribe", b"psubscribe", b"unsubscribe", b"punsubscribe", b"ping", b"quit", b"reset"]
)
NOT_WHILE_SUBSCRIBED: Final = (
    b"ERR Can't execute '%b': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
    b"context"
)


def subscribe(client: Client, words: Words) -> bytes:
    """SUBSCRIBE channel ..."""
    return _begin(client, words, client.server.subscriptions.subscribe)


def psubscribe(client: Client, words: Words) -> bytes:
    """PSUBSCRIBE pattern ..."""
    return _begin(client, words, client.server.subscriptions.subscribe_to_pattern)


def unsubscribe(client: Client, words: Words) -> bytes:
    """UNSUBSCRIBE [channel ...]"""
    named = words[1:] or list(client.subscriber.channels)
    return _end(client, words, named, client.server.subscriptions.unsubscribe)


def punsubscribe(client: Client, words: Words) -> bytes:
    """PUNSUBSCRIBE [pattern ...]"""
    named = words[1:] or list(client.subscriber.patterns)
    return _end(client, words, named, client.server.subscriptions.unsubscribe_from_pattern)


def _begin(client: Client, words: Words, add: Callable[[Client, bytes], bool]) -> bytes:
    _check_outside(client, words)
    told = []
    for name in words[1:]:
        if not add(client, name):
            raise CommandError(b"ERR too many subscriptions")
        told.append(_told(client, words, bulk(name)))
    return b"".join(told)


def _end(
    client: Client, words: Words, named: Iterable[bytes], remove: Callable[[Client, bytes], None]
) -> bytes:
    _check_outside(client, words)
    told = []
    for name in named:
        remove(client, name)
        told.append(_told(client, words, bulk(name)))
    return b"".join(told) or _told(client, words, client.say.nil)


def _told(client: Client, words: Words, name: bytes) -> bytes:
    return client.say.push([bulk(words[0].lower()), name, spell_integer(len(client.subscriber))])


def _check_outside(client: Client, words: Words) -> None:
    if client.transaction is not None:
        client.transaction.broken = True
        raise CommandError(b"ERR %b is not allowed in transactions" % words[0].upper())


def publish(client: Client, words: Words) -> bytes:
    """PUBLISH channel message"""
    return spell_integer(client.server.subscriptions.publish(words[1], words[2]))


def _channels(client: Client, words: Words) -> bytes:
    if len(words) > 3:
        raise wrong_words(words)
    fits = matcher(words[2]) if len(words) > 2 else everything
    return bulks([channel for channel in client.server.subscriptions.channels() if fits(channel)])


def _number_of(client: Client, words: Words) -> bytes:
    count = client.server.subscriptions.number_of
    return array([part for name in words[2:] for part in (bulk(name), spell_integer(count(name)))])


def _patterns(client: Client, words: Words) -> bytes:
    return spell_integer(client.server.subscriptions.patterns)


def _no_shards(client: Client, words: Words) -> bytes:
    """Tell 0 of each of these channels: no client can subscribe to a shard's channels."""
    return array([part for name in words[2:] for part in (bulk(name), ZERO)])


def _no_shard_channels(client: Client, words: Words) -> bytes:
    if len(words) > 3:
        raise wrong_words(words)
    return EMPTY


COMMANDS: Final = (
    Command(b"subscribe", -2, _FLAGS, subscribe),
    Command(b"psubscribe", -2, _FLAGS, psubscribe),
    Command(b"unsubscribe", -1, _FLAGS, unsubscribe),
    Command(b"punsubscribe", -1, _FLAGS, punsubscribe),
    Command(b"publish", 3, PUBSUB | FAST | NO_KEYS, publish),
    container(
        b"pubsub",
        Command(b"channels", -2, NO_KEYS, _channels),
        Command(b"numsub", -2, NO_KEYS, _number_of),
        Command(b"numpat", 2, NO_KEYS, _patterns),
        Command(b"shardchannels", -2, NO_KEYS, _no_shard_channels),
        Command(b"shardnumsub", -2, NO_KEYS, _no_shards),
    ),
)
