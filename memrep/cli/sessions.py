"""`memrep sessions`: finds sessions, shows one, ends those of a user.

Clients are better not shown the keys of others: who knows a session's key has the session. This goes by the
admin socket only, which is for this machine's root and the service's group.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError, RefusedError, Where
from memrep.daemon.last_words import say
from memrep.status.session_facts import KilledStatus, KillOrder, SessionsStatus
from memrep.status.session_list import killed_lines, session_lines, totals

_WELL: Final = 0
_NONE: Final = 1
_NOBODY: Final = 3

#: How long a node may take to look at all that it holds, s.
_SEARCH_S: Final = 60.0

#: Bytes of names that are sent at a time: a request has 8 KiB.
_NAMES_BYTES: Final = 4_096

_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")

_Read = TypeVar("_Read")

_form = click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to show it: as a table, or as the node's own JSON, which has the first 1,000.",
)  # fmt: skip

_prefix = click.option("--prefix", default="", metavar="TEXT", help="Look only at keys that begin so.")


@click.group("sessions")
def sessions_command() -> None:
    """Find, show and end sessions.

    An ID is what PHP calls a session (its cookie), or a whole key. PHP's handlers put something before it:
    php-memcached "memc.sess.key." or what --lock-prefix tells, phpredis "PHPREDIS_SESSION:", pecl-memcache
    nothing. Other prefixes need the whole key.

    \b
    Examples:
      memrep sessions find memc.sess.key.                  all of php-memcached's
      memrep sessions show 3kd0f9a7...                     since when, how large, until when
      memrep sessions count --match 'user_id|i:42;'        how many a user has
      memrep sessions kill --match 'user_id|i:42;' --yes   log that user out everywhere

    Exit status: 0, 1 if there is none, 2 for a mistake in the command, 3 if nobody answers.
    """


@sessions_command.command("find")
@click.argument("prefix", default="")
@_form
@asking.options
def find_command(prefix: str, form: str, admin: str | None, url: str | None, config: str | None) -> int:
    """Show the sessions whose ID or key begins with PREFIX.

    \b
    WRITTEN  how long ago
    READ     how long ago the asked node was asked for it
    ENDS IN  when it ends by itself
    LOCKED   whether PHP works on a request of it
    """
    place = asking.where(admin, url, config)
    return _shown(place, f"/sessions/find?prefix={_quoted(_bytes(prefix))}", form, session_lines)


@sessions_command.command("show")
@click.argument("name", metavar="ID")
@click.option("--value", is_flag=True, help="Write what it holds to standard output, and nothing else.")
@_form
@asking.options
def show_command(
    name: str, value: bool, form: str, admin: str | None, url: str | None, config: str | None
) -> int:
    """Show one session."""
    place = asking.where(admin, url, config)
    target = f"/sessions/show?id={_quoted(_bytes(name))}&value={value:d}"
    if value and form == "table":
        return _answered(lambda: _write_values(_fetch(place, f"GET {target}", _sessions)))
    return _shown(place, target, form, session_lines)


@sessions_command.command("count")
@click.option("--match", required=True, metavar="BYTES", help=r"What a value holds; \xNN is one byte.")
@_prefix
@_form
@asking.options
def count_command(
    match: str, prefix: str, form: str, admin: str | None, url: str | None, config: str | None
) -> int:
    """Count the items whose values hold BYTES.

    What a client has compressed or encrypted is not found.
    """
    place = asking.where(admin, url, config)
    target = f"/sessions/count?match={_quoted(_bytes(match))}&prefix={_quoted(_bytes(prefix))}"
    return _shown(place, target, form, totals)


@sessions_command.command("kill")
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--match", default="", metavar="BYTES", help=r"End all whose values hold this; \xNN is one byte.")
@_prefix
@click.option("--yes", is_flag=True, help="Do it, whatever --match finds; `memrep sessions count` tells first.")
@_form
@asking.options
def kill_command(
    names: tuple[str, ...],
    match: str,
    prefix: str,
    yes: bool,
    form: str,
    admin: str | None,
    url: str | None,
    config: str | None,
) -> int:
    """End sessions on all nodes, and free their locks.

    Each is deleted as by a client: when the answer comes all nodes have that. What is written while this goes
    on and does not hold BYTES any more is left alone. A page that is at work writes its session once more at
    its end; the answer tells how many were locked, so that one looks again.

    All items are looked at, those of an application's cache, too; --prefix says which keys.
    """
    if bool(names) == bool(match):
        raise click.UsageError("say which sessions to end: ID..., or --match BYTES")
    if match and not yes:
        raise click.UsageError("say --yes as well; `memrep sessions count --match BYTES` tells how many")
    if prefix and names:
        raise click.UsageError("--prefix goes with --match")
    orders = [KillOrder(match=_bytes(match), prefix=_text(prefix))] if match else _orders(names)
    place = asking.where(admin, url, config)
    return _answered(lambda: _kill(place, orders, form))


def _kill(place: Where, orders: list[KillOrder], form: str) -> int:
    outcomes = [_fetch(place, "POST /sessions/kill", _killed, order) for order in orders]
    killed = KilledStatus(
        node=outcomes[0].node,
        ended=sum(outcome.ended for outcome in outcomes),
        locked=sum(outcome.locked for outcome in outcomes),
        missing=[name for outcome in outcomes for name in outcome.missing],
        left=sum(outcome.left for outcome in outcomes),
    )
    click.echo(killed_lines(killed) if form == "table" else _json(msgspec.json.encode(killed)))
    return _WELL if killed.ended and not (killed.missing or killed.left) else _NONE


def _orders(names: tuple[str, ...]) -> list[KillOrder]:
    """Return orders that are each short enough for one request."""
    orders: list[list[str]] = [[]]
    size = 0
    for name in map(_text, names):
        size += 4 * len(name) + 4  # as JSON spells it, at most
        if size > _NAMES_BYTES and orders[-1]:
            orders.append([])
            size = 4 * len(name) + 4
        orders[-1].append(name)
    return [KillOrder(ids=some) for some in orders]


def _shown(place: Where, target: str, form: str, shows: Callable[[SessionsStatus], str]) -> int:
    def show() -> int:
        told = _fetch(place, f"GET {target}", _sessions)
        click.echo(shows(told) if form == "table" else _json(msgspec.json.encode(told)))
        return _WELL if told.total else _NONE

    return _answered(show)


def _write_values(told: SessionsStatus) -> int:
    for session in told.sessions:
        click.echo(session.value or b"", nl=False)
    return _WELL if told.sessions else _NONE


def _fetch(place: Where, request: str, read: Callable[[bytes], _Read], order: KillOrder | None = None) -> _Read:
    body = "" if order is None else msgspec.json.encode(order).decode()
    return asking.fetch(place, request, read, body, _SEARCH_S)


def _answered(act: Callable[[], int]) -> int:
    try:
        return act()
    except RefusedError as error:
        say(f"memrep: {error}")
        return _NONE
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY


def _sessions(body: bytes) -> SessionsStatus:
    return msgspec.json.decode(body, type=SessionsStatus)


def _killed(body: bytes) -> KilledStatus:
    return msgspec.json.decode(body, type=KilledStatus)


def _json(body: bytes) -> str:
    return msgspec.json.format(body).decode()


def _bytes(text: str) -> bytes:
    """Return the bytes that somebody has written, with \\xNN for those that cannot be typed."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode(errors="surrogateescape"))


def _text(text: str) -> str:
    """Return the same as JSON can hold it."""
    return _bytes(text).decode(errors="backslashreplace")


def _quoted(data: bytes) -> str:
    """Return bytes as a part of a query."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}" for byte in data)
