"""What clients say of themselves: HELLO AUTH SELECT CLIENT and the like (Redis' networking.c, acl.c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.protocol.resp.arguments import (
    NOT_AN_INTEGER,
    SYNTAX,
    CommandError,
    integer,
    is_integer,
    printed,
    wrong_words,
)
from memrep.protocol.resp.client import OFF, SKIP, SKIP_NEXT, Client
from memrep.protocol.resp.command import CONTROL, FAST, NO_AUTH, NO_KEYS, Command, container
from memrep.protocol.resp.databases import ALL
from memrep.protocol.resp.spelling import OK, PONG, SPELLINGS, ZERO, array, bulk, bulks, simple
from memrep.protocol.resp.spelling import integer as spell_integer

Words = Sequence[bytes]

_WRONG_PASSWORD: Final = b"WRONGPASS invalid username-password pair or user is disabled."
_NO_PASSWORD: Final = (
    b"ERR AUTH <password> called without any password configured for the default user. "
    b"Are you sure your configuration is correct?"
)
_HELLO_FIRST: Final = (
    b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    b"AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
    b"version at the same time"
)
_BAD_NAME: Final = b"ERR Client names cannot contain spaces, newlines or special characters."
_DEFAULT: Final = b"default"
_INT32: Final = 1 << 31


def hello(client: Client, words: Words) -> bytes:
    """HELLO [2|3 [AUTH user password] [SETNAME name]]"""
    spelling = client.say
    if len(words) > 1:
        if not is_integer(words[1]):
            raise CommandError(b"ERR Protocol version is not an integer or out of range")
        if int(words[1]) not in SPELLINGS:
            raise CommandError(b"NOPROTO unsupported protocol version")
        spelling = SPELLINGS[int(words[1])]
    _hello_options(client, words[2:])
    if client.user is None:
        raise CommandError(_HELLO_FIRST)
    client.say = spelling
    server = client.server
    return client.say.mapping(
        [
            (b"server", bulk(b"redis")),
            (b"version", bulk(server.redis_version)),
            (b"proto", spell_integer(client.say.version)),
            (b"id", spell_integer(client.number)),
            (b"mode", bulk(server.mode)),
            (b"role", bulk(b"master")),
            (b"modules", array([])),
        ]
    )


def _hello_options(client: Client, words: Words) -> None:
    """Do what the options of HELLO say, one after another; what stands before a bad one is done."""
    at = 0
    while at < len(words):
        left = len(words) - at - 1
        if words[at].lower() == b"auth" and left >= 2:
            _log_in(client, words[at + 1], words[at + 2])
            at += 3
        elif words[at].lower() == b"setname" and left:
            client.name = _checked_name(words[at + 1])
            at += 2
        else:
            raise CommandError(b"ERR Syntax error in HELLO option '%b'" % printed(words[at]))


def auth(client: Client, words: Words) -> bytes:
    """AUTH [user] password"""
    if len(words) > 3:
        raise CommandError(SYNTAX)
    if len(words) == 2 and client.server.users is None:
        raise CommandError(_NO_PASSWORD)
    _log_in(client, words[1] if len(words) == 3 else _DEFAULT, words[-1])
    return OK


def _log_in(client: Client, user: bytes, password: bytes) -> None:
    """Let this user in; with a password alone any user's will do, for Redis' default user has no name.

    Raises:
        CommandError: it is none.
    """
    users = client.server.users
    if users is None:
        if user != _DEFAULT:
            raise CommandError(_WRONG_PASSWORD)
    elif not client.server.lets_in(user, password):
        raise CommandError(_WRONG_PASSWORD)
    client.user = user


def ping(client: Client, words: Words) -> bytes:
    """PING [message]"""
    if len(words) > 2:
        raise CommandError(b"ERR wrong number of arguments for 'ping' command")
    if client.subscriber and client.say.version == 2:
        return bulks([b"pong", words[1] if len(words) == 2 else b""])
    return PONG if len(words) == 1 else bulk(words[1])


def echo(client: Client, words: Words) -> bytes:
    """ECHO message"""
    return bulk(words[1])


def select(client: Client, words: Words) -> bytes:
    """SELECT number"""
    number = integer(words[1], NOT_AN_INTEGER)
    if not -_INT32 <= number < _INT32:
        raise CommandError(b"ERR value is out of range, value must between -2147483648 and 2147483647")
    if not 0 <= number < len(ALL):
        raise CommandError(b"ERR DB index is out of range")
    if number and client.server.mode == b"cluster":
        raise CommandError(b"ERR SELECT is not allowed in cluster mode")
    client.database = ALL[number]
    return OK


def quit_(client: Client, words: Words) -> bytes:
    """QUIT"""
    client.closing = True
    return OK


def reset(client: Client, words: Words) -> bytes:
    """RESET"""
    client.server.subscriptions.drop(client)
    client.reset()
    return b"+RESET\r\n"


# --- CLIENT


def _checked_name(name: bytes) -> bytes:
    if any(not 0x21 <= byte <= 0x7E for byte in name):
        raise CommandError(_BAD_NAME)
    return name


def _set_name(client: Client, words: Words) -> bytes:
    client.name = _checked_name(words[2])
    return OK


def _get_name(client: Client, words: Words) -> bytes:
    return client.say.value(client.name or None)


def _set_info(client: Client, words: Words) -> bytes:
    what = words[2].lower()
    name, version = client.library
    if what == b"lib-name":
        name = words[3]
    elif what == b"lib-ver":
        version = words[3]
    else:
        raise CommandError(b"ERR Unrecognized option '%b'" % printed(words[2]))
    if any(not 0x21 <= byte <= 0x7E for byte in words[3]):
        raise CommandError(b"ERR %b cannot contain spaces, newlines or special characters." % words[2])
    client.library = (name, version)
    return OK


def _number(client: Client, words: Words) -> bytes:
    return spell_integer(client.number)


def _info(client: Client, words: Words) -> bytes:
    return client.say.text(client.described(b"client|info") + b"\n")


def _list(client: Client, words: Words) -> bytes:
    clients = client.server.clients
    if len(words) > 3 and words[2].lower() == b"id":
        wanted = {integer(word, b"ERR Invalid client ID") for word in words[3:]}
        clients = [one for one in clients if one.number in wanted]
    elif len(words) == 4 and words[2].lower() == b"type":
        kind = _kind(words[3])
        clients = [one for one in clients if one.kind == kind]
    elif len(words) > 2:
        raise CommandError(SYNTAX)
    return client.say.text(
        b"".join(one.described(b"client|list" if one is client else b"NULL") + b"\n" for one in clients)
    )


def _kill(client: Client, words: Words) -> bytes:
    """Hang up on the clients that all these filters fit; addresses are not told apart here."""
    if len(words) == 3:
        raise CommandError(b"ERR No such client")
    if len(words) % 2:
        raise CommandError(SYNTAX)
    server = client.server
    found = server.clients
    skips_me = True
    for name, value in zip(words[2::2], words[3::2], strict=True):
        match name.lower():
            case b"id":
                if not is_integer(value) or int(value) <= 0:
                    raise CommandError(b"ERR client-id should be greater than 0")
                found = [one for one in found if one.number == int(value)]
            case b"type":
                found = [one for one in found if one.kind == _kind(value)]
            case b"user":
                if value != _DEFAULT and (server.users is None or value not in server.users.passwords):
                    raise CommandError(b"ERR No such user '%b'" % printed(value))
                found = [one for one in found if one.user == value]
            case b"addr" | b"laddr":
                found = []
            case b"skipme" if value.lower() in (b"yes", b"no"):
                skips_me = value.lower() == b"yes"
            case _:
                raise CommandError(SYNTAX)
    killed = [one for one in found if not (skips_me and one is client)]
    for one in killed:
        one.hang_up()
    return spell_integer(len(killed))


def _kind(name: bytes) -> bytes:
    """Return a kind of client by its name."""
    if name.lower() not in (b"normal", b"master", b"replica", b"slave", b"pubsub"):
        raise CommandError(b"ERR Unknown client type '%b'" % printed(name))
    return name.lower()


def _reply(client: Client, words: Words) -> bytes:
    how = words[2].lower()
    if how == b"on":
        client.muted = b""
        return OK
    if how not in (OFF, SKIP):
        raise CommandError(SYNTAX)
    if client.muted != OFF:
        client.muted = OFF if how == OFF else SKIP_NEXT
    return b""


def _switch(client: Client, words: Words) -> bytes:
    if words[2].lower() not in (b"on", b"off"):
        raise CommandError(SYNTAX)
    return OK


def _nothing(client: Client, words: Words) -> bytes:
    return OK


def _unblock(client: Client, words: Words) -> bytes:
    if len(words) > 4:
        raise wrong_words(words)
    if len(words) > 3 and words[3].lower() not in (b"timeout", b"error"):
        raise CommandError(b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    integer(words[2])
    return ZERO


def _help(client: Client, words: Words) -> bytes:
    lines = [
        b"CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        *sorted(map(bytes.upper, CLIENT.subcommands)),
    ]
    return array([simple(line) for line in lines])


CLIENT: Final = container(
    b"client",
    Command(b"setname", 3, NO_KEYS, _set_name),
    Command(b"getname", 2, NO_KEYS, _get_name),
    Command(b"setinfo", 4, NO_KEYS, _set_info),
    Command(b"id", 2, NO_KEYS, _number),
    Command(b"info", 2, NO_KEYS, _info),
    Command(b"list", -2, NO_KEYS, _list),
    Command(b"kill", -3, NO_KEYS, _kill),
    Command(b"reply", 3, NO_KEYS, _reply),
    Command(b"no-evict", 3, NO_KEYS, _switch),
    Command(b"no-touch", 3, NO_KEYS, _switch),
    Command(b"unpause", 2, NO_KEYS, _nothing),
    Command(b"unblock", -3, NO_KEYS, _unblock),
    Command(b"help", 2, NO_KEYS, _help),
)

COMMANDS: Final = (
    Command(b"hello", -1, FAST | NO_AUTH | NO_KEYS, hello),
    Command(b"auth", -2, FAST | NO_AUTH | NO_KEYS, auth),
    Command(b"quit", -1, CONTROL | FAST | NO_AUTH | NO_KEYS, quit_),
    Command(b"reset", 1, CONTROL | FAST | NO_AUTH | NO_KEYS, reset),
    Command(b"ping", -1, FAST | NO_KEYS, ping),
    Command(b"echo", 2, FAST | NO_KEYS, echo),
    Command(b"select", 2, FAST | NO_KEYS, select),
    CLIENT,
)
