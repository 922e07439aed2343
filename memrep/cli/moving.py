"""What `memrep import`, `dump` and `restore` have in common: which node, how fast, and what they tell.

They are processes of their own beside nodes that serve, and ask over the ports that clients have. What has
been done when a server stops answering stays done, is told, and may be done again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from memrep.cli import asking
from memrep.cli.asking import NoAnswerError
from memrep.cli.config_file import read_config
from memrep.daemon.files import read_file
from memrep.daemon.last_words import say
from memrep.errors import UsageError
from memrep.handlers.item import Item, LeftOut, Source, Target
from memrep.handlers.places import parse_server
from memrep.move.connection import UnansweredError
from memrep.move.node import NodePorts
from memrep.move.pace import Pace
from memrep.move.transfer import Tally, transfer

_WELL: Final = 0
_LEFT_OUT: Final = 1
_NOBODY: Final = 3

_REDIS_PORT: Final = 6379

_Function = TypeVar("_Function", bound=Callable[..., Any])

_NODE: Final = [
    click.option(
        "--node", metavar="HOST:PORT",
        help="The node, by its port for memcached's clients. Without it: the one that runs here.",
    ),
    click.option(
        "--redis", metavar="[HOST:]PORT", envvar="MEMREP_REDIS", show_envvar=True,
        help="Its port for Redis' clients (memrep serve --redis); else that of --config.",
    ),
    click.option("--user", metavar="NAME", default="", help="Who asks the node, if it has an --auth-file."),
    click.option("--password-file", metavar="FILE", help="A file with that user's password as its first line."),
    click.option(
        "--admin", metavar="PATH", envvar="MEMREP_ADMIN", show_envvar=True,
        help="The node's admin socket, which tells where it is.",
    ),
    click.option(
        "--config", metavar="FILE", envvar="MEMREP_CONFIG", show_envvar=True,
        help="The node's TOML file, which says where its socket and its port for Redis' clients are.",
    ),
]  # fmt: skip

_MOVE: Final = [
    click.option("--only-missing", is_flag=True, help="Leave what is there already as it is."),
    click.option("--dry-run", is_flag=True, help="Write nothing; tell what would be written."),
    click.option(
        "--rate", type=click.FloatRange(0.1, 1e6), metavar="N", help="Move at most so many sessions a second.",
    ),
]  # fmt: skip


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which node, as the options say it."""

    node: str | None
    redis: str | None
    user: str
    password_file: str | None
    admin: str | None
    config: str | None


class MoveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to move, as the options say it."""

    only_missing: bool
    dry_run: bool
    rate: float | None


def options(command: _Function) -> _Function:
    """Declare the options of both kinds."""
    for option in reversed([*_MOVE, *_NODE]):
        command = option(command)
    return command


def split(values: dict[str, Any]) -> tuple[NodeOptions, MoveOptions]:
    """Take the options of both kinds out of those that were given."""
    node = NodeOptions(**{name: values.pop(name) for name in NodeOptions.__struct_fields__})
    return node, MoveOptions(**{name: values.pop(name) for name in MoveOptions.__struct_fields__})


def ports(given: NodeOptions) -> NodePorts:
    """Return where the node is asked.

    Raises:
        NoAnswerError: it is not named, and none runs here.
        UsageError: an option has no sense.
    """
    password = first_line(given.password_file, "--password-file") if given.password_file else ""
    if bool(given.user) != bool(password):
        raise UsageError("--user and --password-file belong together; give both, or neither")
    name = given.node or asking.ask(asking.where(given.admin, None, given.config)).status.asked
    server = msgspec.structs.replace(parse_server(name, 11211), user=given.user, password=password)
    redis = given.redis or (str(read_config(given.config).get("redis") or "") if given.config else "")
    if not redis:
        return NodePorts(server)
    if redis.isdigit():
        redis = f"{server.host or '127.0.0.1'}:{redis}"
    redis = re.sub(r"^(0\.0\.0\.0|\[::\])(?=:)", "127.0.0.1", redis)  # what listens everywhere does so here
    at = parse_server(redis, _REDIS_PORT)
    return NodePorts(server, msgspec.structs.replace(at, user=given.user, password=password))


def first_line(path: str, option: str) -> str:
    """Return the first line of a file.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    try:
        line = read_file(Path(path)).decode().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path}: {error}; give a file that may be read") from None
    if not line:
        raise UsageError(f"{option} {path} has no first line")
    return line


def run(
    open_both: Callable[[ExitStack], tuple[Source, Target | None]],
    change: Callable[[Item], Item | LeftOut],
    given: MoveOptions,
    finish: Callable[[], None] = lambda: None,
) -> int:
    """Move everything, and tell what has come of it; return the exit status.

    Args:
        open_both: opens whence and where to, and says what is to be closed again.
        change: makes what is kept there of what is here.
        given: how.
        finish: is done at the end, if that is reached.
    """
    tally = Tally()
    try:
        with ExitStack() as stack:
            source, target = open_both(stack)
            _move(source, target, change, given, tally)
            finish()
    except NoAnswerError as error:
        say(f"memrep: {error}")
        return _NOBODY
    except UnansweredError as error:
        say(f"memrep: {error}; {tally.written:,} were done, and it may be done again")
        return _NOBODY
    click.echo(tally.line(given.dry_run))
    return _LEFT_OUT if tally.lost else _WELL


def _move(
    source: Source,
    target: Target | None,
    change: Callable[[Item], Item | LeftOut],
    given: MoveOptions,
    tally: Tally,
) -> None:
    pace = Pace(given.rate or 0)
    if not sys.stderr.isatty():
        transfer(source, change, target, pace, tally=tally)
        return
    with click.progressbar(length=source.count(), file=sys.stderr, show_pos=True, show_percent=True) as bar:

        def progress(so_far: Tally) -> None:
            bar.update(so_far.found - bar.pos)

        transfer(source, change, target, pace, progress, tally)
