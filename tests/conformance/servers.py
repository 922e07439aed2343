"""The servers that conversations are held with: memcached, Redis, and a memrep node; see transcript.py.

Each conversation gets a server of its own, which is up within milliseconds: no conversation can then see what
another one stored, flushed or set up, and none need take care of the names of its keys.

A file of conversations may ask for a server that lets nobody in without a password:

    @server: authfile       memcached -Y: the text protocol's authentication
    @server: sasl           memcached -S: the binary protocol's

memcached has one protocol left in either case. memrep has one file of users for both. Or for one that obeys
less:

    @server: noflush        memcached -F
    @server: bare           memcached -X -W, without the parts of its memory management that can be switched
                            off; save for -X memrep always answers like that

Or for one that speaks another language:

    @server: redis          redis-server; memrep on its port for Redis' protocol
    @server: redisauth      redis-server with a password for those who name no user, and a user of another name
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

#: The oracle. The conversations were written down from this program's version 1.6.
MEMCACHED: Final = Path("/usr/bin/memcached")

#: Makes the password file of a memcached with SASL; in Debian's package sasl2-bin.
SASLPASSWD: Final = "/usr/sbin/saslpasswd2"

#: The oracle of Redis' protocol. The conversations were written down from this program's version 7.0.15.
REDIS: Final = Path("/usr/bin/redis-server")

#: Seconds after which a server that owes bytes is taken for silent. Only a failing replay ever waits so long.
PATIENCE_S: Final = 5.0

#: The kinds of server that ask for a password.
LOCKED: Final = frozenset(["authfile", "sasl", "redisauth"])

#: The users of a server that knows any.
USERS: Final = {"user": "secret", "other": "pass:word"}
AUTH_FILE: Final = "".join(f"{name}:{password}\n" for name, password in USERS.items())


#: The password of Redis' user `default`, which is who a client is that names no user.
REDIS_PASSWORD: Final = "secret"

#: Seconds up to which a real clock is waited for: Redis counts in milliseconds, memcached does not.
NAP_S: Final = 0.5


class RealMemcached:
    """The oracle, by way of TCP."""

    def __init__(self, kind: str = "", quiet: bool = False, program: Sequence[str] = (str(MEMCACHED),)) -> None:
        self._clients: list[_Socket] = []
        self._folder = tempfile.TemporaryDirectory(prefix="memcached")
        # memcached chooses a free port by itself and tells it in this file, so that no port is ever tried that
        # somebody else takes in the meantime.
        port_file = Path(self._folder.name) / "port"
        options, environment = _KINDS[kind]()
        user = pwd.getpwuid(os.getuid()).pw_name
        self._process = subprocess.Popen(
            [*program, "-u", user, "-l", "127.0.0.1", "-p", "-1", "-U", "0", "-m", "64", *options],
            env={**os.environ, **environment, "MEMCACHED_PORT_FILENAME": str(port_file)},
            stderr=subprocess.DEVNULL if kind or quiet else None,
        )
        try:
            self.port = self._find_port(port_file)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> RealMemcached:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self._stop()

    def connect(self) -> _Socket:
        """See `Server`."""
        client = _Socket(_tcp(self.port))
        self._clients.append(client)
        return client

    def advance(self, seconds: float) -> None:
        """Not possible; who replays must not ask for it."""
        raise NotImplementedError("reference cannot move time")

    def unix_time(self) -> float:
        """The present time."""
        return time.time()

    def _find_port(self, port_file: Path) -> int:
        deadline = time.monotonic() + PATIENCE_S
        # The file is given its name when it is complete. Looking for it without a pause costs the few
        # milliseconds that the process needs, and no more.
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{MEMCACHED} did not start")
        found = re.search(r"TCP INET: (\d+)", port_file.read_text())
        if found is None:
            raise RuntimeError(f"{MEMCACHED} told no port: {port_file.read_text()!r}")
        return int(found[1])

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


class RealRedis:
    """Redis' oracle, by way of a socket in a folder of its own: of a port another program might be quicker."""

    def __init__(self, kind: str = "redis", program: Sequence[str] = (str(REDIS),)) -> None:
        self._clients: list[_Socket] = []
        self._folder = tempfile.TemporaryDirectory(prefix="redis")
        self._path = Path(self._folder.name) / "socket"
        files = ["--port", "0", "--unixsocket", str(self._path), "--dir", self._folder.name]
        no_files = ["--save", "", "--appendonly", "no", "--databases", "16"]
        self._process = subprocess.Popen(
            [*program, *files, *no_files, *_REDIS_KINDS[kind]], stdout=subprocess.DEVNULL
        )
        try:
            # What finds out that it is up is the first client, so that nobody else is to be seen there.
            self._unused = [self._first_connection()]
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> RealRedis:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (*self._clients, *self._unused):
            client.close()
        self._stop()

    def connect(self) -> _Socket:
        """See `Server`."""
        client = self._unused.pop() if self._unused else _Socket(_unix(self._path))
        self._clients.append(client)
        return client

    def advance(self, seconds: float) -> None:
        """Wait. Who replays must not ask for more than NAP_S."""
        assert seconds <= NAP_S
        time.sleep(seconds)

    def unix_time(self) -> float:
        """The present time."""
        return time.time()

    def _first_connection(self) -> _Socket:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return _Socket(_unix(self._path))
            except (FileNotFoundError, ConnectionRefusedError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("redis-server did not start") from None
            time.sleep(0.001)

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def _tcp(port: int) -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _unix(path: Path) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(PATIENCE_S)
        connected.connect(str(path))
    except BaseException:
        connected.close()
        raise
    return connected


class _Socket:
    """One connection to a real server."""

    def __init__(self, connected: socket.socket) -> None:
        self.closed = False
        self._socket = connected

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """See `Client`. A reset counts as closing: it is what closing looks like while bytes are under way."""
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answered = b""
        try:
            while not enough(answered):
                received = self._socket.recv(1 << 20)
                if not received:
                    self.closed = True
                    break
                answered += received
        except TimeoutError:
            pass
        except ConnectionResetError:
            self.closed = True
        return answered


# --- How memcached learns who its users are -----------------------------------------------------------------

_Start = tuple[Sequence[str], dict[str, str]]


def _as_usual() -> _Start:
    return [], {}


@functools.cache
def _with_auth_file() -> _Start:
    path = Path(_users_folder().name) / "users"
    path.write_text(AUTH_FILE)
    return ["-Y", str(path)], {}


@functools.cache
def _with_sasl() -> _Start:
    folder = Path(_users_folder().name)
    database = folder / "sasldb"
    (folder / "memcached.conf").write_text(f"mech_list: plain\nsasldb_path: {database}\n")
    realms = {socket.gethostname(), socket.getfqdn()}
    for realm, (name, password) in itertools.product(realms, USERS.items()):
        command = [SASLPASSWD, "-p", "-c", "-a", "memcached", "-u", realm, "-f", str(database), name]
        subprocess.run(command, input=password.encode(), check=True)
    return ["-S"], {"SASL_CONF_PATH": str(folder)}


@functools.cache
def _users_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="users")


def _without_flush() -> _Start:
    return ["-F"], {}


def _bare() -> _Start:
    return ["-X", "-W", "-o", "no_lru_crawler,no_lru_maintainer,no_slab_reassign"], {}


_KINDS: Final[dict[str, Callable[[], _Start]]] = {
    "": _as_usual,
    "noflush": _without_flush,
    "bare": _bare,
    "authfile": _with_auth_file,
    "sasl": _with_sasl,
}


# --- How Redis does, and which of the two is meant ----------------------------------------------------------

_OTHER: Final = ["--user", "other", f">{USERS['other']}", "on", "~*", "&*", "+@all"]
_REDIS_KINDS: Final[dict[str, Sequence[str]]] = {
    "redis": [],
    "redisauth": ["--requirepass", REDIS_PASSWORD, *_OTHER],
}


def is_redis(kind: str) -> bool:
    """Whether such a server speaks Redis' protocol."""
    return kind in _REDIS_KINDS


def reference(kind: str) -> RealMemcached | RealRedis:
    """The oracle of this kind, started."""
    return RealRedis(kind) if is_redis(kind) else RealMemcached(kind)


def missing(kind: str) -> str | None:
    """What is not installed of what it takes to start the reference in this way."""
    if is_redis(kind):
        needed = [str(REDIS)]
    else:
        needed = [str(MEMCACHED), SASLPASSWD] if kind == "sasl" else [str(MEMCACHED)]
    return next((program for program in needed if shutil.which(program) is None), None)


# --- memrep -------------------------------------------------------------------------------------------------


class _Connection(Protocol):
    @property
    def closing(self) -> bool: ...

    def receive(self, data: bytes) -> bytes: ...


class _LoneNode(Protocol):
    def connect(self, protocol: str = ...) -> _Connection: ...

    def advance(self, seconds: float) -> None: ...


class MemrepNode:
    """One node without a network and without peers, whose clock is moved by hand."""

    def __init__(self, kind: str = "") -> None:
        # Read only when a node is wanted: the transcripts can be proved true before there is any node.
        support = importlib.import_module("tests.harness.lone_node")
        users = importlib.import_module("memrep.protocol.users").parse_users(AUTH_FILE.encode(), "users")
        self._node: _LoneNode = support.lone_node(
            users=users if kind in LOCKED else None, flush_all=kind != "noflush", lists=kind != "bare"
        )
        self._protocol = ["redis"] if is_redis(kind) else []
        self._unix_time: float = support.WALL / 1000

    def connect(self) -> _LoneClient:
        """See `Server`."""
        return _LoneClient(self._node.connect(*self._protocol))

    def advance(self, seconds: float) -> None:
        """See `Server`."""
        self._node.advance(seconds)
        self._unix_time += seconds

    def unix_time(self) -> float:
        """See `Server`."""
        return self._unix_time


class _LoneClient:
    """One client of a lone node."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @property
    def closed(self) -> bool:
        """See `Client`."""
        return self._connection.closing

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """See `Client`. What is sent to a closed connection is lost, as it would be on a socket."""
        answered = b""
        for piece in pieces:
            if self.closed:
                break
            answered += self._connection.receive(piece)
        return answered
