"""`memrep drain` and `memrep resume`: take a node out of service, and let it in again.

A node drains by itself. So whoever asks for it looks how far it has come, and may stop looking; and what it was
told to do within S it does within S, whether anybody looks or not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError, RefusedError, Where
from memrep.cli.values import Seconds
from memrep.daemon.last_words import say
from memrep.status.service_facts import (
    DRAINED,
    DRAINING,
    IN_SERVICE,
    LAME_DUCK_S,
    WAIT_S,
    DrainOrder,
    ServiceStatus,
)

_WELL: Final = 0
_NOT_DONE: Final = 1
_NOBODY: Final = 3

_POLL_S: Final = 0.1

#: How much longer than it may take a drain is looked at.
_SLACK_S: Final = 2.0

#: How long one waits until a node serves again, unless told otherwise, s.
_RESUME_S: Final = 60.0

_form = click.option(
    "-w", "--write-out", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How to tell what has come of it: in a line, or as the node's own JSON.",
)  # fmt: skip


@click.command("drain")
@click.option(
    "--wait", type=Seconds(0, 3_600), default=WAIT_S, show_default=True, metavar="S",
    help="Seconds that all of it may take. Clients that stay connected are served for as long.",
)  # fmt: skip
@click.option(
    "--lame-duck", type=Seconds(0, 3_600), default=LAME_DUCK_S, show_default=True, metavar="S",
    help="Seconds at the beginning in which clients are still let in, while /ready says 503: so long a load "
    "balancer has to look at that.",
)  # fmt: skip
@click.option(
    "--force", is_flag=True,
    help="Do it though users will notice. Of a node that alone holds the sessions all of them are lost.",
)  # fmt: skip
@_form
@asking.options
def drain_command(
    wait: float,
    lame_duck: float,
    force: bool,
    form: str,
    admin: str | None,
    url: str | None,
    config: str | None,
) -> int:
    """Take this node out of service, while its process goes on.

    No user notices: clients are sent to other nodes, those who are connected are served to the end of their
    requests, what was written is held by the others, and then they go on without this node. It can still be
    asked how it is, and nothing starts it again but `memrep resume` and a restart.

    Nothing is done where `memrep check safe-to-stop` says no, unless forced; and if it turns out on the way
    that it may not leave it serves on.

    \b
    Examples:
      memrep drain && systemctl stop memrep    before work on this server
      memrep drain --wait 20                   as a hook before the end of a container
      memrep drain --wait 120                  where clients stay connected for long

    Exit status: 0 it is drained, 1 it may not be, or it has come to nothing, 2 a mistake in the command, 3 no
    node answers.
    """
    order = msgspec.json.encode(DrainOrder(wait, lame_duck, force)).decode()
    place = asking.where(admin, url, config)
    return _shown(lambda: _done(place, "/drain", order, _has_drained, wait + _SLACK_S), DRAINED, form)


@click.command("resume")
@click.option(
    "--wait", type=Seconds(0, 3_600), default=_RESUME_S, show_default=True, metavar="S",
    help="Seconds to wait until it serves.",
)  # fmt: skip
@_form
@asking.options
def resume_command(wait: float, form: str, admin: str | None, url: str | None, config: str | None) -> int:
    """Let a node serve again that was drained.

    It begins as after a restart: it fetches everything from the others, and lets clients in when it has it. A
    drain that is under way is taken back.

    \b
    Examples:
      memrep resume
      memrep resume && memrep status --wait full    before the next server

    Exit status: 0 it serves, 1 it does not yet, 2 a mistake in the command, 3 no node answers.
    """
    place = asking.where(admin, url, config)
    return _shown(lambda: _done(place, "/resume", "", _serves, wait), IN_SERVICE, form)


def _read(body: bytes) -> ServiceStatus:
    return msgspec.json.decode(body, type=ServiceStatus)


def _has_drained(told: ServiceStatus) -> bool:
    return told.state != DRAINING


def _serves(told: ServiceStatus) -> bool:
    return told.state == IN_SERVICE and told.ready


def _shown(act: Callable[[], ServiceStatus], goal: str, form: str) -> int:
    """Do it, and tell what has come of it."""
    try:
        told = act()
    except RefusedError as error:
        say(f"memrep: {error}")
        return _NOT_DONE
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    click.echo(_in_words(told) if form == "table" else msgspec.json.format(msgspec.json.encode(told)).decode())
    return _WELL if told.state == goal and (told.ready or goal == DRAINED) else _NOT_DONE


def _done(
    place: Where, path: str, order: str, over: Callable[[ServiceStatus], bool], for_s: float
) -> ServiceStatus:
    """Ask for it, and look until it is over.

    Raises:
        NoAnswerError: the node does not answer, or not any more.
        RefusedError: it will not.
    """
    told = asking.fetch(place, f"POST {path}", _read, order)
    return told if over(told) else _watched(place, over, for_s)


def _watched(place: Where, over: Callable[[ServiceStatus], bool], for_s: float) -> ServiceStatus:
    """Return how it is when it is over, or when so many seconds have passed.

    Raises:
        NoAnswerError: the node does not answer any more.
    """
    last: ServiceStatus | NoAnswerError = NoAnswerError("it was not asked")
    for last in asking.again(partial(asking.fetch, place, "GET /drain", _read, ""), _POLL_S, for_s):
        if isinstance(last, ServiceStatus) and over(last):
            return last
    if isinstance(last, NoAnswerError):
        raise last
    return last


def _in_words(told: ServiceStatus) -> str:
    if told.state == DRAINED:
        return f"{told.node} is drained; `memrep resume` lets it serve again"
    if told.state == DRAINING:
        return f"{told.node} is still draining; `memrep status` says more"
    if told.ready:
        return f"{told.node} serves" + (f", and is not drained: {told.why}" if told.why else "")
    return f"{told.node} does not serve yet: {told.why}"
