"""`memrep import`: takes in the sessions of what keeps them today, with the time that each has left."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Any, Final

import click
import msgspec

from memrep.cli import moving
from memrep.cli.moving import MoveOptions, NodeOptions
from memrep.cli.values import Seconds
from memrep.errors import UsageError
from memrep.handlers.forms import LARAVEL, Form, converted, form_of
from memrep.handlers.item import Item, LeftOut, Source
from memrep.handlers.places import Place, parse_place
from memrep.move.lines import Lines
from memrep.move.memcached import Memcacheds
from memrep.move.node import NodeTarget
from memrep.move.php_files import PHP_PREFIX, PhpFiles, parse_directory
from memrep.move.redis import Redises

#: session.gc_maxlifetime, if php.ini does not set it.
LIFETIME_S: Final = 1_440

_FORMS: Final = ["memcache", "memcached", "redis", LARAVEL]


@click.command("import")
@click.argument("origin", metavar="FROM")
@click.option(
    "--as",
    "form",
    type=click.Choice(_FORMS),
    help="The session.save_handler that reads them in memrep; without it the one of FROM.",
)
@click.option(
    "--prefix",
    metavar="TEXT",
    help="What that handler puts before a session's name; without it what it does if php.ini says nothing.",
)
@click.option("--from-prefix", metavar="TEXT", help="The same of the handler in FROM.")
@click.option(
    "--lifetime",
    type=Seconds(1, 31_536_000),
    default=LIFETIME_S,
    show_default=True,
    metavar="S",
    help="For files: session.gc_maxlifetime of the PHP that wrote them, by which their time ends.",
)
@click.option("--from-user", metavar="NAME", default="", help="Who asks the Redis in FROM, if it has users.")
@click.option("--from-password-file", metavar="FILE", help="A file with its password as its first line.")
@moving.options
def import_command(**values: Any) -> int:
    """Take in the sessions of what keeps them today.

    FROM is what php.ini says: session.save_handler, a colon, session.save_path. Nothing is changed there, and
    it may go on serving. Each session keeps the time that it has left; PHP's locks are left out. It may be
    repeated: what is there is written over, or left as it is with --only-missing, which is what to do
    once PHP writes to memrep.

    \b
    files:/var/lib/php/sessions     PHP's files, also files:2;/path
    memcache:tcp://10.0.0.1:11211,tcp://10.0.0.2:11211
    memcached:10.0.0.1:11211,10.0.0.2:11211
    redis:tcp://10.0.0.1:6379?database=0
                                    Redis and Valkey
    laravel-files:/srv/site/storage/framework/sessions
    lines:-                         standard input: ID, TAB, base64 of the value, TAB, unixtime of its end

    \b
    Examples:
      memrep import files:/var/lib/php/sessions --as memcache --dry-run
      memrep import memcache:tcp://10.0.0.1:11211,tcp://10.0.0.2:11211
      memrep import redis:tcp://10.0.0.1:6379 --only-missing --rate 500

    Exit status: 0, 1 if sessions were left out that somebody may miss, 2 for a mistake in the command or what
    refuses to be read, 3 if nobody answers.
    """
    node, move = moving.split(values)
    return _import(values, node, move)


def _import(values: dict[str, Any], node: NodeOptions, move: MoveOptions) -> int:
    place = parse_place(values["origin"])
    handler = values["form"] or place.handler
    if handler not in _FORMS:
        raise UsageError(
            f"{place.handler} has no keys; say with --as what reads them in memrep: {', '.join(_FORMS)}"
        )
    if handler == LARAVEL and values["prefix"] is None:
        raise UsageError("--as laravel takes --prefix, which is REDIS_PREFIX and CACHE_PREFIX (docs/moving.md)")
    before = _form(place, values["from_prefix"])
    to = before if values["prefix"] is None and handler == place.handler else form_of(handler, values["prefix"])
    if place.servers and values["from_password_file"]:
        proof = {
            "user": values["from_user"],
            "password": moving.first_line(values["from_password_file"], "--from-password-file"),
        }
        servers = tuple(msgspec.structs.replace(server, **proof) for server in place.servers)
        place = msgspec.structs.replace(place, servers=servers)
    database = place.servers[0].database if handler == place.handler == "redis" else 0

    def change(item: Item) -> Item | LeftOut:
        return converted(msgspec.structs.replace(item, database=database), place.handler, to)

    def open_both(stack: ExitStack) -> tuple[Source, NodeTarget]:
        # The node first: it answers at once, while a source may take a while to list what it has.
        target = stack.enter_context(closing(NodeTarget(moving.ports(node), move.only_missing, move.dry_run)))
        return stack.enter_context(closing(_source(place, before, values["lifetime"]))), target

    return moving.run(open_both, change, move)


def _form(place: Place, given: str | None) -> Form:
    """Return the form of what is taken in."""
    own = next((server.prefix for server in place.servers if server.prefix), None)
    return form_of(place.handler, own if given is None else given)


def _source(place: Place, form: Form, lifetime_s: float) -> Source:
    match place.handler:
        case "memcache" | "memcached":
            return Memcacheds(place.servers, form)
        case "redis":
            return Redises(place.servers, form)
        case "lines":
            return Lines(place.path)
    prefix = "" if place.handler == "laravel-files" else PHP_PREFIX
    return PhpFiles(parse_directory(place.path), lifetime_s, prefix)
