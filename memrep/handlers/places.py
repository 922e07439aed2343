"""Where sessions are, as php.ini says it: session.save_handler, a colon, session.save_path.

So the operator copies two lines. What a save_path says beside addresses, passwords, database and prefix
(weights, timeouts) is for PHP alone and passed over: all servers of a pool are read in full, so which of them
a session hashes to does not matter.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from memrep.errors import UsageError

_PORTS: Final = {"memcache": 11211, "memcached": 11211, "redis": 6379}
_PORT_MAX: Final = 65_535
_HOST: Final = re.compile(r"(?:tcp://)?(\[[0-9a-fA-F:.]+\]|[^\[\]:/?#\s@]+)(?::(\d{1,5}))?(?::\d+)?/?")
_UNIX: Final = re.compile(r"(?:unix://)?(/[^?:]*)(?::0)?")

#: Other words for what php.ini calls otherwise.
_ALIASES: Final = {"valkey": "redis", "phpredis": "redis", "file": "files", "pecl-memcache": "memcache"}

HANDLERS: Final = ("files", "memcache", "memcached", "redis", "laravel-files", "lines")


class Server(msgspec.Struct, frozen=True):
    """A server.

    Attributes:
        host: its name or address; "" for a unix socket.
        port: its port.
        path: that of its unix socket.
        user: who asks it, if it wants to know that,
        password: and the proof.
        database: which of Redis' databases.
        prefix: what its save_path says of the beginning of keys; None if nothing.
    """

    host: str
    port: int
    path: str = ""
    user: str = ""
    password: str = ""
    database: int = 0
    prefix: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


class Place(msgspec.Struct, frozen=True):
    """What is kept where.

    Attributes:
        handler: one of HANDLERS.
        servers: those of a handler that has servers,
        path: or what its save_path is.
    """

    handler: str
    servers: tuple[Server, ...] = ()
    path: str = ""


def parse_place(text: str) -> Place:
    """Read HANDLER:SAVE_PATH.

    Raises:
        UsageError: it is none.
    """
    handler, colon, path = text.partition(":")
    handler = _ALIASES.get(handler, handler)
    if handler not in HANDLERS or not colon or not path:
        raise UsageError(
            f"{text!r} does not say whence; write session.save_handler, a colon and session.save_path, as "
            "files:/var/lib/php/sessions, memcache:tcp://10.0.0.1:11211 or redis:tcp://10.0.0.1:6379"
        )
    if handler in _PORTS:
        return Place(handler, parse_servers(path, handler))
    return Place(handler, path=path)


def parse_servers(text: str, handler: str) -> tuple[Server, ...]:
    """Read the servers of a save_path.

    Args:
        text: one or more, with commas, semicolons or blanks between them.
        handler: whose save_path it is.

    Raises:
        UsageError: there is none, or one has a mistake.
    """
    servers = tuple(parse_server(part, _PORTS[handler]) for part in re.split(r"[,;\s]+", text) if part)
    if not servers:
        raise UsageError(f"{handler}: names no server; write {handler}:tcp://10.0.0.1:{_PORTS[handler]}")
    return servers


def parse_server(text: str, port: int) -> Server:
    """Read one server.

    Args:
        text: tcp://HOST:PORT?NAME=VALUE, or less of it, or unix:///PATH.
        port: for who gives none.

    Raises:
        UsageError: it has a mistake.
    """
    address, _, query = text.partition("?")
    if re.match(r"(tls|ssl|rediss)://", address):
        raise UsageError(
            f"{text!r}: TLS is not spoken here; name a tunnel's end (stunnel, ssh -L) in its place"
        )
    pairs = parse_qsl(query)
    given = dict(pairs)
    listed = [value for name, value in pairs if name == "auth[]"]
    given |= dict(zip(("auth[pass]", "auth[user]"), reversed(listed), strict=False))
    number = given.get("database", "0")
    if not re.fullmatch(r"\d{1,4}", number):
        raise UsageError(f"{text!r}: database={number} is no number")
    server = partial(
        Server,
        user=given.get("auth[user]", ""),
        password=given.get("auth[pass]", given.get("auth", "")),
        database=int(number),
        prefix=given.get("prefix"),
    )
    if found := _UNIX.fullmatch(address):
        return server("", 0, found[1])
    found = _HOST.fullmatch(address)
    if found is None or not 1 <= int(found[2] or port) <= _PORT_MAX:
        raise UsageError(f"{text!r} is no HOST:PORT")
    return server(found[1].strip("[]"), int(found[2] or port))
