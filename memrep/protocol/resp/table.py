"""All commands by their names; and COMMAND, by which clients ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from memrep.protocol.resp import (
    cluster,
    handshake,
    information,
    keys,
    keyspace,
    numbers,
    pubsub,
    scripts,
    sentinel,
    strings,
    transactions,
)
from memrep.protocol.resp.absent import first_word
from memrep.protocol.resp.arguments import SYNTAX, CommandError, printed
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import NO_KEYS, Command, container
from memrep.protocol.resp.glob import matcher
from memrep.protocol.resp.spelling import array, bulks, integer

Words = Sequence[bytes]


def command(client: Client, words: Words) -> bytes:
    """COMMAND, all rows"""
    return array([each.described() for each in COMMANDS.values()])


def _count(client: Client, words: Words) -> bytes:
    return integer(len(COMMANDS))


def _info(client: Client, words: Words) -> bytes:
    found = [_named(name) for name in words[2:] or list(COMMANDS)]
    return array([client.say.nil if each is None else each.described() for each in found])


def _named(name: bytes) -> Command | None:
    first, bar, second = name.lower().partition(b"|")
    found = COMMANDS.get(first)
    return found.subcommands.get(second) if bar and found is not None else found


def _docs(client: Client, words: Words) -> bytes:
    return client.say.mapping([])


def _list(client: Client, words: Words) -> bytes:
    names = [name for each in COMMANDS.values() for name in each.names()]
    if len(words) == 2:
        return bulks(names)
    if len(words) != 5 or words[2].lower() != b"filterby":
        raise CommandError(SYNTAX)
    how = words[3].lower()
    if how not in (b"pattern", b"module", b"aclcat"):
        raise CommandError(SYNTAX)
    fits = matcher(words[4].lower())
    return bulks([name for name in names if how == b"pattern" and fits(name)])


def _keys_of(client: Client, words: Words) -> bytes:
    words = words[2:]
    found = find(words)
    if found is None:
        raise CommandError(b"ERR Invalid command specified")
    if not found.fits(len(words)):
        raise CommandError(b"ERR Invalid number of arguments specified for command")
    named = found.keys_of(words)
    if found.flags & NO_KEYS:
        raise CommandError(b"ERR The command has no key arguments")
    return bulks(named)


#: The commands, by their names in lower case.
COMMANDS: Final[dict[bytes, Command]] = {
    each.name: each
    for each in (
        *handshake.COMMANDS,
        *strings.COMMANDS,
        *numbers.COMMANDS,
        *keys.COMMANDS,
        *keyspace.COMMANDS,
        *transactions.COMMANDS,
        *scripts.COMMANDS,
        *information.COMMANDS,
        *pubsub.COMMANDS,
        *sentinel.COMMANDS,
        *cluster.COMMANDS,
        attrs.evolve(
            container(
                b"command",
                Command(b"count", 2, NO_KEYS, _count),
                Command(b"info", -2, NO_KEYS, _info),
                Command(b"docs", -2, NO_KEYS, _docs),
                Command(b"list", -2, NO_KEYS, _list),
                Command(b"getkeys", -4, NO_KEYS, _keys_of),
            ),
            arity=-1,
            handler=command,
        ),
    )
}

#: The same, as clients nearly always write them: all small or all large.
BY_WORD: Final = COMMANDS | {name.upper(): each for name, each in COMMANDS.items()}

#: Those of them that are known by their first word alone.
BY_FIRST_WORD: Final = {word: each for word, each in BY_WORD.items() if not each.subcommands}


def find(words: Words) -> Command | None:
    """Find the command of these words, the first in whatever case, or its subcommand; None if there is none."""
    found = BY_WORD.get(words[0]) or COMMANDS.get(words[0].lower())
    if found is not None and found.subcommands and len(words) > 1:
        return found.subcommands.get(words[1].lower())
    return found


def unknown(words: Words) -> bytes:
    """Return what is said of a command that does not exist."""
    words = [printed(word) for word in words]
    if words[0].lower() in COMMANDS:
        return b"ERR unknown subcommand '%b'. Try %b HELP." % (words[1][:128], words[0].upper())
    behind = b""
    for word in words[1:]:
        if len(behind) >= 128:
            break
        behind += b"'%b' " % word[: 128 - len(behind)]
    told = (first_word(words[0]), words[0][:128], behind)
    return b"%b unknown command '%b', with args beginning with: %b" % told
