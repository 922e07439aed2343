"""Statistics of the process: the lines of memcached's `stats` that only the daemon knows."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import SPARE_DESCRIPTORS
from memrep.daemon.reactor import Reactor


def process(
    options: ServeOptions, clients: Clients, ports: ClientPorts, reactor: Reactor
) -> Iterator[tuple[str, object]]:
    """Tell of the process, its connections and its turns, for `stats`."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield "pid", os.getpid()
    yield "rusage_user", f"{usage.ru_utime:.6f}"
    yield "rusage_system", f"{usage.ru_stime:.6f}"
    yield "max_connections", options.connections
    yield "curr_connections", len(clients)
    yield "connection_structures", len(clients)
    yield "reserved_fds", SPARE_DESCRIPTORS
    yield "listen_disabled_num", 0  # who is one too many is sent away, nobody waits
    yield "time_in_listen_disabled_us", 0
    yield "accepting_conns", int(ports.listening)
    yield "turns", reactor.turns
    yield "turns_cut_short", reactor.cut_short
    yield "longest_turn_ms", f"{reactor.longest_turn * 1000:.0f}"


def settings(options: ServeOptions, verbose: bool) -> Iterator[tuple[str, object]]:
    """Tell what the daemon was told, for `stats settings`; -v may have been changed since."""
    yield "self", options.me
    yield "inter", options.listen
    yield "tcpport", options.port
    yield "domain_socket", options.unix or "NULL"
    yield "maxconns", options.connections
    yield "maxconns_fast", "yes"
    yield "verbosity", int(verbose)
    yield "ssl_enabled", "yes" if options.certificate is not None else "no"
    yield "secret", "yes" if options.node.secret else "no"
    yield "shutdown_command", "yes" if options.shutdown else "no"
    yield "cold_start_ms", options.node.timing.cold_start
    yield "drain_ms", options.drain_ms
