"""Whom to ask about a cluster, and how: one request over the admin socket of a node that runs here.

Problem: a monitoring system, a script and an operator in a hurry ask often, and often on a machine in need.
Python's own HTTP clients take longer to load than the answer takes to come. HTTP/1.0 needs none of them: one
request goes out, and the answer is what comes until the other side closes.

Nothing here trusts the other side to be a node that is well: an answer is bounded in time and in length, and
each way in which there is none has its own words.

Whom: the socket that is named; else that of the config file; else each one in the places where sockets of nodes
are, the first that answers. Any node knows about all.
"""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from memrep.cli.config_file import read_config
from memrep.errors import UsageError
from memrep.status.facts import FORMAT, Status

#: How long one node may take to answer, s.
ANSWER_S: Final = 2.0

#: How long its answer may be, bytes.
ANSWER_MAX: Final = 4 << 20

#: Where a node that systemd runs has its socket.
SYSTEM_SOCKET: Final = "/run/memrep/admin.sock"

#: Places that are named when nobody answers.
_NAMED_MAX: Final = 6

_URL: Final = re.compile(r"(?:http://)?(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:/?#\s@]+)):(\d{1,5})/?")

#: How an answer begins that says that something is not done, and why: the order has a mistake, or it is not now
#: that it may be done.
_REFUSED: Final = re.compile(rb"HTTP/1\.[01] 4(00|09)\b")

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Read = TypeVar("_Read")


class NoAnswerError(Exception):
    """Nobody answers; the text is one line that says where it was looked, and what to do."""


class RefusedError(Exception):
    """A node will not do what it is asked to; the text is one line that says why, and what to do first."""


class _Failure(Exception):
    """One place has no answer; the text says why."""


class Answer(msgspec.Struct, frozen=True):
    """What a node has answered.

    Attributes:
        status: the cluster as it sees it.
        body: the same, as it was sent.
    """

    status: Status
    body: bytes


class Where(msgspec.Struct, frozen=True):
    """Whom to ask. The first of the attributes that is given counts.

    Attributes:
        url: host and port of a node's HTTP port.
        admin: path of its admin socket.
        system: where a service's socket is,
        directories: and which directories hold those of nodes that users run, as *.sock.
    """

    url: tuple[str, int] | None = None
    admin: str = ""
    system: str = SYSTEM_SOCKET
    directories: tuple[str, ...] = ()


_OPTIONS: Final = [
    click.option(
        "--admin", metavar="PATH", envvar="MEMREP_ADMIN", show_envvar=True,
        help="The node's admin socket. Without it: that of --config, else those of the nodes that run here.",
    ),
    click.option("--url", metavar="URL", help="Ask there instead, over TCP: http://127.0.0.1:31211."),
    click.option(
        "--config", metavar="FILE", envvar="MEMREP_CONFIG", show_envvar=True,
        help="The node's TOML file, which says where its socket is.",
    ),
]  # fmt: skip


def options(command: _Function) -> _Function:
    """Declare the options that say whom to ask."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def where(admin: str | None, url: str | None, config: str | None) -> Where:
    """Return whom to ask, from the options.

    Raises:
        UsageError: one of them has no sense.
    """
    if url:
        return Where(url=_host_and_port(url))
    if not admin and config:
        named = read_config(config).get("admin")
        admin = named if isinstance(named, str) else None
    if admin == "none":
        raise UsageError("the node has no admin socket (admin = none); give it one, or name another one")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    directories = ([f"{runtime}/memrep"] if runtime else []) + [f"/tmp/memrep-{os.getuid()}"]
    return Where(admin=admin or "", directories=tuple(directories))


def _host_and_port(url: str) -> tuple[str, int]:
    found = _URL.fullmatch(url)
    if found is None or not 1 <= int(found[3]) <= 65_535:
        raise UsageError(f"--url {url} is no address of a node's; write http://HOST:PORT")
    return found[1] or found[2], int(found[3])


def ask(place: Where, timeout_s: float = ANSWER_S) -> Answer:
    """Return how the cluster is, as the first that answers sees it.

    Args:
        place: whom to ask.
        timeout_s: how long each may take.

    Raises:
        NoAnswerError: there is no answer.
    """

    def read(body: bytes) -> Answer:
        status = msgspec.json.decode(body, type=Status)
        if status.format > FORMAT:
            raise _Failure("it is a newer memrep than this command; use the command of its version")
        return Answer(status, body)

    return fetch(place, "GET /status", read, timeout_s=timeout_s)


def fetch(
    place: Where, request: str, read: Callable[[bytes], _Read], body: str = "", timeout_s: float = ANSWER_S
) -> _Read:
    """Return what the first that answers is asked for.

    Args:
        place: whom to ask.
        request: method and target.
        read: makes what is returned of the body of the answer; raises msgspec.DecodeError if it is none.
        body: what is sent along.
        timeout_s: how long each may take.

    Raises:
        NoAnswerError: there is no answer.
        RefusedError: it will not do that.
    """
    failures = []
    for name, address in _addresses(place):
        try:
            if isinstance(address, _Failure):
                raise address
            return read(_body(_fetch(address, request, body, timeout_s)))
        except _Failure as failure:
            failures.append(f"{name}: {failure}")
        except msgspec.DecodeError as error:
            failures.append(f"{name}: its answer cannot be read: {error}")
        except (OSError, ValueError) as error:
            failures.append(f"{name}: {_in_words(error, timeout_s)}")
    more = [f"and {len(failures) - _NAMED_MAX} more"] if len(failures) > _NAMED_MAX else []
    if place.url:
        remedy = "see `systemctl status memrep` on that machine, or correct --url"
    else:
        remedy = "see `systemctl status memrep`, or name the node's socket with --admin"
    raise NoAnswerError(f"no node answers ({'; '.join(failures[:_NAMED_MAX] + more)}); {remedy}")


def twice(place: Where, request: str, read: Callable[[bytes], _Read], seconds: float) -> tuple[_Read, _Read]:
    """Return two answers of the first that answers, so many seconds apart.

    Raises:
        NoAnswerError: there are none.
    """
    before = fetch(place, request, read)
    time.sleep(seconds)
    return before, fetch(place, request, read)


def attempts(place: Where, every_s: float, for_s: float = math.inf) -> Iterator[Answer | NoAnswerError]:
    """Ask again and again how the cluster is.

    Args:
        place: whom to ask.
        every_s: how long to rest between two attempts.
        for_s: for how long to go on; there is one attempt at least.
    """
    return again(lambda timeout_s: ask(place, timeout_s), every_s, for_s)


def again(
    act: Callable[[float], _Read], every_s: float, for_s: float = math.inf
) -> Iterator[_Read | NoAnswerError]:
    """Yield what comes of this, done again and again.

    Args:
        act: asks somebody who may take so many seconds to answer.
        every_s: how long to rest between two attempts.
        for_s: for how long to go on; there is one attempt at least.
    """
    ends_at = time.monotonic() + for_s
    while True:
        outcome: _Read | NoAnswerError
        try:
            outcome = act(min(ANSWER_S, max(ends_at - time.monotonic(), every_s)))
        except NoAnswerError as error:
            outcome = error
        yield outcome
        left = ends_at - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(every_s, left))


def _addresses(place: Where) -> Iterator[tuple[str, str | tuple[str, int] | _Failure]]:
    """Yield the places in turn: as people write them, and their address or why there is none."""
    if place.url:
        host, port = place.url
        yield (f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"), place.url
        return
    if place.admin:
        yield place.admin, place.admin
        return
    yield place.system, place.system
    for directory in place.directories:
        try:
            # /tmp is everybody's: whoever makes this directory first could show his own cluster to others.
            if Path(directory).lstat().st_uid != os.getuid():
                yield directory, _Failure("the directory belongs to another user")
                continue
            sockets = sorted(str(path) for path in Path(directory).iterdir() if path.suffix == ".sock")
        except OSError as error:
            yield f"{directory}/*.sock", _Failure(_in_words(error, 0))
            continue
        if not sockets:
            yield f"{directory}/*.sock", _Failure("no such file")
        yield from zip(sockets, sockets, strict=True)


def _fetch(address: str | tuple[str, int], request: str, body: str, timeout_s: float) -> bytes:
    """Return the whole answer, head and body."""
    ends_at = time.monotonic() + timeout_s
    host = "localhost"
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        sock = socket.create_connection(address, timeout_s)
    with sock:
        sock.settimeout(timeout_s)
        if isinstance(address, str):
            sock.connect(address)
        length = f"Content-Length: {len(body.encode())}\r\n" if body else ""
        head = f"{request} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n{length}\r\n"
        sock.sendall(f"{head}{body}".encode())
        answer = bytearray()
        while True:
            left = ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(1 << 16)
            if not data:
                return bytes(answer)
            answer += data
            if len(answer) > ANSWER_MAX:
                raise _Failure(f"its answer is longer than {ANSWER_MAX >> 20} MB; it is no node")


def _body(answer: bytes) -> bytes:
    """Return the body of an answer that says that all went well."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0]
    if _REFUSED.match(line):
        raise RefusedError(body.decode(errors="replace").strip())
    if not re.match(rb"HTTP/1\.[01] 200\b", line):
        said = line[:60].decode(errors="replace") if line else "nothing"
        raise _Failure(f"it answers {said!r}, so it is no admin socket of memrep's")
    return body


def _in_words(error: OSError | ValueError, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens"
    if isinstance(error, PermissionError):
        return "permission denied: be root or in the group memrep"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
