"""What `memrep serve` was given, checked: what is settled at the start, and what a running node takes anew.

What is wrong raises a UsageError, at the start as later.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Final

import attrs

from memrep.addresses import Address, parse_address, parse_nodes
from memrep.daemon.admin_socket import find_admin_path
from memrep.daemon.certificate import Certificate, read_certificate
from memrep.daemon.http_port import parse_http
from memrep.daemon.local_address import check_listen, check_own_name, find_self
from memrep.daemon.options import ServeOptions
from memrep.daemon.private_files import read_auth_file, read_password, read_secrets
from memrep.daemon.redis_address import parse_redis_announce, parse_redis_port
from memrep.errors import UsageError
from memrep.events import Level
from memrep.handlers.old_store import OldStore, parse_old_store
from memrep.node.options import NodeOptions
from memrep.php.options import PhpOptions
from memrep.replication.membership.timing import Timing

_ITEM_MIN: Final = 1 << 10


def checked(values: Mapping[str, object]) -> ServeOptions:
    """Return the options as they were given, checked as a whole.

    Args:
        values: a value for each option that serve.py declares.

    Raises:
        UsageError: they do not fit together, or not this machine.
    """
    given = SimpleNamespace(**values)
    myself = parse_address(given.self, "--self") if given.self else None
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
    listen = check_listen(given.listen, me.host)
    port = given.port or me.port
    redis_listen, redis_port = parse_redis_port(given.redis, listen, (port, me.link_port))
    prefixes = tuple(prefix.encode() for prefix in given.lock_prefix.split(",") if prefix)
    settled = ServeOptions(
        nodes=addresses,
        me=me,
        listen=listen,
        port=port,
        redis_listen=redis_listen,
        redis_port=redis_port,
        unix=given.unix,
        data_dir=given.data_dir,
        admin=find_admin_path(given.admin, me),
        http=parse_http(given.http, (port, me.link_port, redis_port)),
        shutdown=given.enable_shutdown,
        node=NodeOptions(
            nodes=[str(address) for address in addresses],
            me=addresses.index(me) + 1,
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
        ),
    )
    return with_changeable(settled, values)


def with_changeable(options: ServeOptions, values: Mapping[str, object]) -> ServeOptions:
    """Return options with what is given of those that may change while the node runs (daemon/reloadable.py).

    Args:
        options: the others are as in these.
        values: a value for each option.

    Raises:
        UsageError: it does not fit together, or a file cannot be read.
    """
    given = SimpleNamespace(**values)
    if not _ITEM_MIN <= given.item_size_max <= given.memory << 19:
        raise UsageError(f"-I {given.item_size_max} must be from 1k to half of -m ({given.memory} MB)")
    return attrs.evolve(
        options,
        connections=given.connections,
        drain_ms=round(given.drain * 1000),
        certificate=_certificate(given.tls_cert, given.tls_key, given.tls_ca),
        log_level=Level.DEBUG if given.verbose else Level[given.log_level.upper()],
        log_json=given.log_format == "json",
        node=attrs.evolve(
            options.node,
            memory=given.memory << 20,
            item_max=given.item_size_max,
            slow_ms=round(given.slow_log * 1000),
            users=read_auth_file(given.auth_file) if given.auth_file else None,
            secrets=read_secrets(given.secret_file) if given.secret_file else (),
            old_store=_old_store(given.fallback) if given.fallback else None,
        ),
    )


def _old_store(text: str) -> OldStore:
    old = parse_old_store(text)
    return old.with_password(read_password(old.password_file, "--fallback")) if old.password_file else old


def _certificate(cert: str | None, key: str | None, ca: str | None) -> Certificate | None:
    if cert:
        return read_certificate(cert, key or None, ca or None)
    if key or ca:
        option = "--tls-key" if key else "--tls-ca"
        raise UsageError(f"{option} needs --tls-cert; give the certificate, too, or leave both out")
    return None
