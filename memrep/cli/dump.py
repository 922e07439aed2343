"""`memrep dump` and `memrep restore`: all that a node holds, into a file and back, or to the handler before.

A file is memrep's own: it keeps flags, databases and the time that each item has left. `--as files` and `--as
redis` write what PHP's own handlers read, so that a site can go back to them.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Any, Final

import click

from memrep import __version__
from memrep.cli import moving
from memrep.cli.moving import MoveOptions, NodeOptions
from memrep.cli.taking_in import LIFETIME_S
from memrep.cli.values import Seconds
from memrep.errors import UsageError
from memrep.handlers.forms import Form, form_of, recognised
from memrep.handlers.item import Item, LeftOut, Source, Target
from memrep.handlers.places import parse_server
from memrep.move.archive import Archive, ArchiveTarget, Made
from memrep.move.node import NodeSource, NodeTarget
from memrep.move.pace import wall_s
from memrep.move.php_files import PhpFilesTarget, parse_directory
from memrep.move.redis import RedisTarget
from memrep.move.resp import RedisClient

_ARCHIVE: Final = "memrep"


@click.command("dump")
@click.argument("where", metavar="FILE")
@click.option(
    "--as",
    "form",
    type=click.Choice([_ARCHIVE, "files", "redis"]),
    default=_ARCHIVE,
    show_default=True,
    help="As what: a file of memrep's own, PHP's files in a directory, keys of phpredis' at a server.",
)
@click.option(
    "--prefix", metavar="TEXT", help="With --as: take only keys that begin so; the rest is PHP's name."
)
@click.option(
    "--lifetime",
    type=Seconds(1, 31_536_000),
    default=LIFETIME_S,
    show_default=True,
    metavar="S",
    help="With --as files: session.gc_maxlifetime of the PHP that reads them.",
)
@click.option("--owner", metavar="USER", default="", help="With --as files: the user as which PHP runs.")
@click.option(
    "--lock-prefix",
    metavar="TEXT",
    default="memc.sess.key.lock.",
    show_default=True,
    help="As with memrep serve: locks are left out.",
)
@moving.options
def dump_command(**values: Any) -> int:
    """Write everything that a node holds into a file, while it serves.

    FILE is for its owner alone (0600), has a checksum, and is there under its name when it is whole. Each
    item keeps the time that it has left. Locks are left out. A node lists its keys at its port for Redis'
    clients, so it takes one (--redis).

    With --as the sessions are written where PHP's own handlers find them, for a site that goes back.

    \b
    Examples:
      memrep dump --redis 6379 ~/sessions.dump
      memrep dump --redis 6379 --as files /var/lib/php/sessions --owner www-data
      memrep dump --redis 6379 --as redis 'tcp://10.0.0.1:6379?database=0'

    Exit status: 0, 1 if sessions were left out that somebody may miss, 2 for a mistake in the command, 3 if
    nobody answers.
    """
    node, move = moving.split(values)
    if values["form"] == _ARCHIVE:
        return _dump(values, node, move)
    return _give_back(values, node, move)


def _dump(values: dict[str, Any], node: NodeOptions, move: MoveOptions) -> int:
    if move.only_missing or values["prefix"] is not None:
        raise UsageError("--only-missing and --prefix mean nothing with a file of memrep's own; leave them out")
    finishing: list[ArchiveTarget] = []

    def open_both(stack: ExitStack) -> tuple[Source, Target | None]:
        ports = moving.ports(node)
        source = stack.enter_context(closing(NodeSource(ports, (values["lock_prefix"].encode(),))))
        if move.dry_run:
            return source, None
        target = ArchiveTarget(values["where"], Made(wall_s(), str(ports.memcached), __version__))
        finishing.append(stack.enter_context(closing(target)))
        return source, target

    def finish() -> None:
        for target in finishing:
            target.finish()

    return moving.run(open_both, lambda item: item, move, finish)


def _give_back(values: dict[str, Any], node: NodeOptions, move: MoveOptions) -> int:
    prefix = None if values["prefix"] is None else values["prefix"].encode()
    seen: dict[bytes, float] = {}
    to = _form(values)

    def change(item: Item) -> Item | LeftOut:
        known = recognised(item, prefix)
        if isinstance(known, LeftOut):
            return known
        left_ms = float("inf") if known.left_ms is None else known.left_ms
        if seen.get(known.name, -1) >= left_ms:
            return LeftOut("under a name that another one has that lasts longer", is_loss=False)
        seen[known.name] = left_ms
        return Item(to.key(known.name), known.value, left_ms=known.left_ms)

    def open_both(stack: ExitStack) -> tuple[Source, Target | None]:
        source = NodeSource(moving.ports(node), (values["lock_prefix"].encode(),))
        stack.enter_context(closing(source))
        target = stack.enter_context(closing(_target(values, move)))
        return source, None if move.dry_run else target

    return moving.run(open_both, change, move)


def _form(values: dict[str, Any]) -> Form:
    if values["form"] == "files":
        return Form("files", b"")
    return form_of("redis", parse_server(values["where"], 6379).prefix)


def _target(values: dict[str, Any], move: MoveOptions) -> Target:
    if values["form"] == "files":
        directory = parse_directory(values["where"])
        return PhpFilesTarget(directory, values["lifetime"], values["owner"], move.only_missing)
    return RedisTarget(RedisClient(parse_server(values["where"], 6379)), move.only_missing)


@click.command("restore")
@click.argument("path", metavar="FILE")
@click.option(
    "--count-down",
    is_flag=True,
    help="Take off the time that has passed since the dump. Without it each item has what it had left then.",
)
@moving.options
def restore_command(**values: Any) -> int:
    """Write what `memrep dump` has written into a node, and so into all.

    The file is looked through first: one that is torn or changed is refused as a whole.

    \b
    Examples:
      memrep restore ~/sessions.dump --only-missing
      memrep restore ~/sessions.dump --dry-run

    Exit status: 0, 1 if items were left out that somebody may miss, 2 for a mistake in the command or a file
    that is not as it was written, 3 if nobody answers.
    """
    node, move = moving.split(values)

    def elapsed_ms(made: Made) -> int:
        return max(0, round((wall_s() - made.at) * 1000)) if values["count_down"] else 0

    def open_both(stack: ExitStack) -> tuple[Source, Target]:
        archive = stack.enter_context(closing(Archive(values["path"], elapsed_ms)))
        target = NodeTarget(moving.ports(node), move.only_missing, move.dry_run)
        return archive, stack.enter_context(closing(target))

    return moving.run(open_both, lambda item: item, move)
