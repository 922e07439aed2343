"""The command line: options from arguments, environment and a TOML file, checked, in that order of precedence.

Every mistake is answered by one line that says what to do, and exit status 2.
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import click

from memrep import __version__
from memrep.addresses import Address, parse_address, parse_nodes
from memrep.daemon.certificate import Certificate, read_certificate
from memrep.daemon.files import read_file
from memrep.daemon.guard import in_words, remedy
from memrep.daemon.local_address import check_listen, check_own_name, find_self
from memrep.daemon.log import say
from memrep.daemon.options import ServeOptions
from memrep.daemon.private_files import read_auth_file, read_secret
from memrep.daemon.redis_address import parse_redis_announce, parse_redis_port
from memrep.daemon.serve import serve
from memrep.errors import UsageError
from memrep.node.options import NodeOptions
from memrep.php.options import PhpOptions
from memrep.replication.membership.timing import Timing

#: The defaults are those of the owners of the options.
_NODE: Final = NodeOptions()

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_ITEM_MIN: Final = 1 << 10
_MEMORY_MIN_MB: Final = 1


class Seconds(click.FloatRange):
    """A number of seconds within bounds; nan, which no bound keeps out, is none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, with k, m or g behind it if wanted (as memcached's -I)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in bytes."""
        found = re.fullmatch(r"(\d+)([kmg]?)", str(value).lower())
        if found is None:
            self.fail(f"{value!r} is no size; write 512k or 2m", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


def _load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Make a TOML file's values the defaults of the other options."""
    if path is None:
        return
    try:
        config = tomllib.loads(read_file(Path(path)).decode())
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}; give a file that memrep may read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is no valid TOML: {error}") from None
    unknown = sorted(set(config) - OPTION_NAMES)
    if unknown:
        known = " ".join(sorted(OPTION_NAMES))
        raise UsageError(f"--config {path}: there is no option {unknown[0]!r}; the options are {known}")
    for name, value in config.items():
        if not isinstance(value, str | int | float):
            parts = ",".join(map(str, value)) if isinstance(value, list) else "..."
            raise UsageError(f'--config {path}: {name} must be one value; write {name} = "{parts}"')
    spelled = {param.name.rstrip("_"): param.name for param in ctx.command.params if param.name}
    ctx.default_map = {spelled[name]: str(value) for name, value in config.items()}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="memrep")
def cli() -> None:
    """Web sessions that survive the loss of any node.

    A memrep node runs on each web server and speaks memcached's protocol. A write to any node is held by all
    of them before it is acknowledged, and a read is served by any.
    """


@cli.command("serve", context_settings={"auto_envvar_prefix": "MEMREP"})
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
    "prove to each other that they know it. Without it a node believes who calls from an address in --nodes.",
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
@click.option("-v", "--verbose", is_flag=True, help="Log clients' connections, too.")
@click.option(
    "--config", metavar="FILE", envvar="MEMREP_CONFIG", is_eager=True, expose_value=False,
    callback=_load_config,
    help="Read options from a TOML file; its keys are the long names with _ for -.",
)  # fmt: skip
def serve_command(**values: Any) -> None:
    """Run a node in the foreground, until SIGTERM.

    Each option can also be given in the environment (MEMREP_NODES, MEMREP_MEMORY, ...) or in --config; the
    command line counts before the environment, that before the file.

    Exit status: 0 after SIGTERM, SIGINT or an enabled shutdown, 2 if something has to be changed first.
    """
    serve(_checked(SimpleNamespace(**values)))


def _checked(given: SimpleNamespace) -> ServeOptions:
    """Return the options as they were given, checked as a whole.

    Args:
        given: a value for each option that is declared above.

    Raises:
        UsageError: they do not fit together, or not this machine.
    """
    myself = parse_address(given.self_, "--self") if given.self_ else None
    if given.nodes is None:
        me = myself or Address(given.listen or "127.0.0.1", given.port or 11211)
        addresses = [me]
    else:
        addresses = parse_nodes(given.nodes)
        me = find_self(addresses, myself)
        check_own_name(addresses, me, given.listen)
    if len(addresses) > 1 and given.port not in (None, me.port):
        raise UsageError(
            f"-p {given.port} is not the port of {me} in --nodes; leave -p out, or correct --nodes"
        )
    if not _ITEM_MIN <= given.item_size_max <= given.memory << 19:
        raise UsageError(f"-I {given.item_size_max} must be from 1k to half of -m ({given.memory} MB)")
    listen = check_listen(given.listen, me.host)
    port = given.port or me.port
    redis_listen, redis_port = parse_redis_port(given.redis, listen, (port, me.link_port))
    prefixes = tuple(prefix.encode() for prefix in given.lock_prefix.split(",") if prefix)
    return ServeOptions(
        nodes=addresses,
        me=me,
        listen=listen,
        port=port,
        redis_listen=redis_listen,
        redis_port=redis_port,
        unix=given.unix,
        connections=given.connections,
        drain_ms=round(given.drain * 1000),
        certificate=_certificate(given.tls_cert, given.tls_key, given.tls_ca),
        verbose=given.verbose,
        shutdown=given.enable_shutdown,
        node=NodeOptions(
            nodes=[str(address) for address in addresses],
            me=addresses.index(me) + 1,
            memory=given.memory << 20,
            item_max=given.item_size_max,
            timing=Timing.scaled(round(given.failure_timeout * 1000), round(given.cold_start * 1000)),
            strict=given.partition == "majority",
            php_options=PhpOptions(on=given.php, prefixes=prefixes),
            flush_all=not given.disable_flush_all,
            lists=not given.disable_dumping,
            redis_port=redis_port,
            redis_lists=not given.redis_no_keys,
            redis_address=parse_redis_announce(given.redis_announce, redis_port),
            redis_masters=tuple(name.encode() for name in given.redis_masters.split(",") if name),
            redis_cluster=given.redis_cluster,
            users=read_auth_file(given.auth_file) if given.auth_file else None,
            secret=read_secret(given.secret_file) if given.secret_file else b"",
        ),
    )


def _certificate(cert: str | None, key: str | None, ca: str | None) -> Certificate | None:
    if cert:
        return read_certificate(cert, key or None, ca or None)
    if key or ca:
        option = "--tls-key" if key else "--tls-ca"
        raise UsageError(f"{option} needs --tls-cert; give the certificate, too, or leave both out")
    return None


#: The keys that a config file may have.
OPTION_NAMES: Final = frozenset(
    (param.name or "").rstrip("_") for param in serve_command.params if param.name != "config"
)


def main() -> None:
    """Run the console script: one line and exit status 2 for a mistake of the operator's."""
    try:
        cli.main(standalone_mode=False)
    except UsageError as error:
        say(f"memrep: {error}")
        sys.exit(2)
    except click.ClickException as error:
        say(f"memrep: {error.format_message()} (see memrep serve --help)")
        sys.exit(2)
    except (OSError, MemoryError) as error:  # only at the start: a node that runs lets none of them out
        say(f"memrep: the system refuses what a node needs to start: {in_words(error)}; {remedy(error)}")
        sys.exit(2)
    except ImportError as error:  # some modules are loaded only when they are needed
        say(
            f"memrep: a part of Python cannot be loaded: {error}; install Python and memrep anew if it stays so"
        )
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
