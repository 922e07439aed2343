"""`memrep serve`: options from arguments, environment and a TOML file, checked, in that order of precedence.

What is wrong with them raises a UsageError or one of click's, which main.py answers by one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from memrep.cli.config_file import read_config
from memrep.cli.given import checked, with_changeable
from memrep.cli.values import Seconds, Size
from memrep.daemon.origins import COMMAND_LINE, DEFAULT, ENVIRONMENT, FILE, Given
from memrep.daemon.reload import Source
from memrep.daemon.serve import serve
from memrep.errors import UsageError
from memrep.events import Level
from memrep.node.options import NodeOptions

_Value = TypeVar("_Value")

#: The defaults are those of the owners of the options.
_NODE: Final = NodeOptions()

_MEMORY_MIN_MB: Final = 1

#: Where the path of the config file is kept in a context.
_CONFIG: Final = "memrep.config"

#: Whence click has an option; the file's are defaults to it.
_ORIGINS: Final = {
    ParameterSource.COMMANDLINE: COMMAND_LINE,
    ParameterSource.ENVIRONMENT: ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: FILE,
}


def _load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Make a TOML file's values the defaults of the other options."""
    if path is None:
        return
    config = read_config(path)
    unknown = sorted(set(config) - OPTION_NAMES)
    if unknown:
        known = " ".join(sorted(OPTION_NAMES))
        raise UsageError(f"--config {path}: there is no option {unknown[0]!r}; the options are {known}")
    for name, value in config.items():
        if not isinstance(value, str | int | float):
            parts = ",".join(map(str, value)) if isinstance(value, list) else "..."
            raise UsageError(f'--config {path}: {name} must be one value; write {name} = "{parts}"')
    spelled = {param.name.rstrip("_"): param.name for param in ctx.command.params if param.name}
    ctx.meta[_CONFIG] = path
    ctx.default_map = {spelled[name]: str(value) for name, value in config.items()}


class _Rereadable(click.Command):
    """A command that keeps its arguments, to be read once more with what stands in files then."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)


@click.command("serve", cls=_Rereadable, context_settings={"auto_envvar_prefix": "MEMREP"})
@click.option(
    "--nodes",
    metavar="LIST",
    help="All nodes, as in php.ini's save_path: tcp://10.1.1.1:11211,tcp://10.2.2.2:11211. The same on every "
    "server, in any order. Without it: one node, on 127.0.0.1:11211, that replicates nothing.",
)
@click.option(
    "--self",
    "self_",
    envvar="MEMREP_SELF",
    metavar="HOST:PORT",
    help="Which of --nodes this one is. Found by itself if just one of them is an address of this machine.",
)
@click.option(
    "-l", "--listen", metavar="ADDR",
    help="Address for clients and nodes; 0.0.0.0 or :: for all of this machine. One that strangers can reach "
    "must be given here, and draws a warning that says what to protect. [default: own one of --nodes]",
)  # fmt: skip
@click.option(
    "-p", "--port", type=click.IntRange(1, 55_535), help="Port for clients. [default: own one of --nodes]"
)
@click.option("--unix", metavar="PATH", default="", help="Serve clients on this unix socket, too.")
@click.option(
    "--data-dir", metavar="DIR", default="",
    help="Keep a copy of everything in this directory, at most two seconds behind, so that sessions outlive a "
    "power cut of all nodes. No write waits for it. It must be memrep's alone (chmod 700).",
)  # fmt: skip
@click.option(
    "--admin", metavar="PATH",
    help="Tell of this node by HTTP on this unix socket, in whatever state it is; none for nowhere. [default: "
    "$RUNTIME_DIRECTORY/admin.sock, else HOST_PORT.sock in $XDG_RUNTIME_DIR/memrep or /tmp/memrep-UID]",
)  # fmt: skip
@click.option(
    "--http", metavar="[ADDR:]PORT", default="",
    help="Tell of this node by HTTP on this port, too, for what watches it from elsewhere: a page for people, "
    "/healthz while it works at all, /ready while clients may come, /status as JSON, /metrics for Prometheus "
    "(pip install prometheus_client). Whoever reaches it may read, nobody can change anything, and it tells of "
    "no session. The docs use 31211. [default address: 127.0.0.1]",
)  # fmt: skip
@click.option(
    "--redis", metavar="[ADDR:]PORT", default="",
    help="Serve clients of Redis' protocol on this port, too (phpredis, Laravel, Django; Redis' own is 6379): "
    "the same sessions. [default address: that of --listen]",
)  # fmt: skip
@click.option(
    "--redis-no-keys", is_flag=True,
    help="Refuse KEYS, SCAN and RANDOMKEY: who knows a session's key has the session.",
)  # fmt: skip
@click.option(
    "--redis-announce", metavar="HOST[:PORT]", default="",
    help="Where SENTINEL and CLUSTER tell Redis' clients to find this node. [default: its host in --nodes, and "
    "the port of --redis, which is to be the same on every server]",
)  # fmt: skip
@click.option(
    "--redis-masters", metavar="NAME[,NAME]", default=b",".join(_NODE.redis_masters).decode(),
    show_default=True, help="What Redis' clients that ask a Sentinel call the master.",
)  # fmt: skip
@click.option(
    "--redis-cluster", is_flag=True, default=_NODE.redis_cluster,
    help="Be a Redis Cluster, for clients that fail over only there. The same on every server.",
)  # fmt: skip
@click.option(
    "--fallback", metavar="FROM [as=HANDLER ...]", default="",
    help="While web servers are moved: look for a session that is not here in the store that was before, once, "
    "and take it over. FROM as for `memrep import`; docs/moving.md has the words behind it. The same on every "
    "server; left out and reloaded when all sessions have come over.",
)  # fmt: skip
@click.option(
    "-m", "--memory", type=click.IntRange(_MEMORY_MIN_MB), default=_NODE.memory >> 20,
    show_default=True, metavar="MB",
    help="Memory for items, in megabytes, all costs counted. Give every node the same.",
)  # fmt: skip
@click.option(
    "-c",
    "--connections",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Most clients at a time.",
)
@click.option(
    "-I",
    "--item-size-max",
    type=Size(),
    default=f"{_NODE.item_max >> 20}m",
    show_default=True,
    help="Largest item, e.g. 512k or 4m.",
)
@click.option(
    "--failure-timeout", type=Seconds(0.2, 60), default=_NODE.timing.silence / 1000,
    show_default=True, metavar="S",
    help="Seconds of silence after which the others go on without a node.",
)  # fmt: skip
@click.option(
    "--cold-start", type=Seconds(0.1, 3600), default=_NODE.timing.cold_start / 1000,
    show_default=True, metavar="S",
    help="Seconds for which nodes without data wait for all others before they begin without them.",
)  # fmt: skip
@click.option(
    "--drain", type=Seconds(0, 3600), default=1.0, show_default=True, metavar="S",
    help="Seconds for which connected clients are still served after SIGTERM.",
)  # fmt: skip
@click.option(
    "--slow-log", type=Seconds(0.001, 60), default=_NODE.slow_ms / 1000, show_default=True, metavar="S",
    help="Remember the last commands that have waited for so many seconds, for `memrep slow`.",
)  # fmt: skip
@click.option(
    "--partition", type=click.Choice(["available", "majority"]), default="available", show_default=True,
    help="Nodes that reach no majority of --nodes serve on, each side by itself (available), or refuse clients "
    "until they do (majority). The same on every server.",
)  # fmt: skip
@click.option(
    "--php/--no-php", default=_NODE.php_options.on, show_default=True,
    help="Provide for PHP's session handlers: recognise their copies, and let a session's lock belong to the "
    "connection that took it.",
)  # fmt: skip
@click.option("--pecl-walk", hidden=True, expose_value=False, help="Of earlier versions; it means nothing now.")
@click.option(
    "--lock-prefix", default=b",".join(_NODE.php_options.prefixes).decode(),
    show_default=True, metavar="PREFIX[,PREFIX]",
    help="How the keys of php-memcached's locks begin: memcached.sess_prefix and lock.",
)  # fmt: skip
@click.option(
    "--auth-file", metavar="FILE", default="",
    help="Ask clients for a user and password of this file's lines user:password (memcached's -Y): by SASL "
    "PLAIN in the binary protocol, by a first `set` in the text protocol.",
)  # fmt: skip
@click.option(
    "--tls-cert", metavar="FILE",
    help="Speak TLS with clients on the port (1.2 or later; the unix socket stays plain), and show them this "
    "certificate: PEM, with those that vouch for it behind it.",
)  # fmt: skip
@click.option("--tls-key", metavar="FILE", help="The key of --tls-cert, in PEM, if it is not in the same file.")
@click.option(
    "--tls-ca", metavar="FILE",
    help="Serve only clients that show a certificate of these authorities (PEM). Without it TLS hides what "
    "is sent, but admits everybody.",
)  # fmt: skip
@click.option(
    "--secret-file", metavar="FILE",
    help="One line of 16 bytes or more, the same on every server, readable by memrep only (chmod 600): nodes "
    "prove to each other that they know it. While it is changed up to "
    "three: the first is proved, any is taken. Without it a node believes who calls from an address in "
    "--nodes.",
)  # fmt: skip
@click.option(
    "-F", "--disable-flush-all", is_flag=True,
    help="Refuse flush_all, which ends every session on every node (memcached's -F).",
)  # fmt: skip
@click.option(
    "-X", "--disable-dumping", is_flag=True,
    help="Refuse stats cachedump and lru_crawler metadump (memcached's -X). Without it the answer is an empty "
    "list: who knows a session's key has the session.",
)  # fmt: skip
@click.option(
    "-W", "--disable-watch", is_flag=True,
    help="Refuse watch, which shows keys (memcached's -W). It is refused without it, too.",
)  # fmt: skip
@click.option("--enable-shutdown", is_flag=True, help="Obey the shutdown command of clients.")
@click.option(
    "--log-level", type=click.Choice([level.word for level in Level]), default=Level.INFO.word,
    show_default=True,
    help="What matters less is not logged; warning and above wants a person. See docs/log.md, and memrep log.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Lines for people, or one object of JSON a line, with the event and what is known of it as data.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="The same as --log-level debug: clients' connections, too.")
@click.option(
    "--config", metavar="FILE", envvar="MEMREP_CONFIG", is_eager=True, expose_value=False,
    callback=_load_config,
    help="Read options from a TOML file; its keys are the long names with _ for -.",
)  # fmt: skip
@click.pass_context
def serve_command(ctx: click.Context, /, **values: Any) -> None:
    """Run a node in the foreground, until SIGTERM.

    Each option can also be given in the environment (MEMREP_NODES, MEMREP_MEMORY, ...) or in --config; the
    command line counts before the environment, that before the file.

    Exit status: 0 after SIGTERM, SIGINT or an enabled shutdown, 2 if something has to be changed first, 4 if
    something is missing that may come by itself: an address, a name, a port that is taken, memory.
    """
    source = Source(given_by(ctx), partial(read_anew, ctx.obj), with_changeable, checked)
    serve(checked(named(values)), source)


def named(values: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return what was given by the names of options, as they stand in a config file."""
    return {name.rstrip("_"): value for name, value in values.items()}


def given_by(ctx: click.Context) -> Given:
    """Return what was given, with where each came from."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    origins = named({name: _ORIGINS.get(source, DEFAULT) for name, source in sources.items() if source})
    return Given(named(ctx.params), origins, ctx.meta.get(_CONFIG, ""))


def read_anew(arguments: tuple[str, ...]) -> Given:
    """Return what is given now, by these arguments, the environment and the config file.

    Raises:
        UsageError: something is no value of its option, or the file cannot be read.
    """
    try:
        with serve_command.make_context("memrep serve", list(arguments)) as ctx:
            return given_by(ctx)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None


#: The keys that a config file may have.
OPTION_NAMES: Final = frozenset(
    (param.name or "").rstrip("_") for param in serve_command.params if param.name != "config"
)
