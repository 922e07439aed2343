"""Statistics of the process: what only the daemon knows, for `stats` and for metrics.

prometheus_client could tell of the process by itself, but reads the time of the last boot in /proc/stat and
tells nothing where there is no such file, which is so in the unit of deploy/ (ProcSubset=pid).
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.files import read_file
from memrep.daemon.log import Log
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import SPARE_DESCRIPTORS
from memrep.daemon.reactor import Reactor
from memrep.daemon.reload import Reloader
from memrep.disk.copy import NoSaver
from memrep.disk.saver import Saver
from memrep.events import Level
from memrep.status.facts import ProcessFigures

_SELF: Final = Path("/proc/self")

#: Where these stand behind the name of the program in its `stat` (proc(5)).
_START: Final = 19
_RESIDENT: Final = 21


def process(
    options: ServeOptions,
    clients: Clients,
    ports: ClientPorts,
    reactor: Reactor,
    saver: Saver | NoSaver,
) -> Iterator[tuple[str, object]]:
    """Tell of the process, its connections, its turns, and its copy on disk, for `stats`."""
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
    yield from saver.describe()


def settings(options: ServeOptions, level: Level) -> Iterator[tuple[str, object]]:
    """Tell what the daemon was told, for `stats settings`, and which log lines it tells now."""
    yield "self", options.me
    yield "inter", options.listen
    yield "tcpport", options.port
    yield "domain_socket", options.unix or "NULL"
    yield "maxconns", options.connections
    yield "maxconns_fast", "yes"
    yield "verbosity", int(level == Level.DEBUG)
    yield "ssl_enabled", "yes" if options.certificate is not None else "no"
    yield "secret", "yes" if options.node.secrets else "no"
    yield "shutdown_command", "yes" if options.shutdown else "no"
    yield "cold_start_ms", options.node.timing.cold_start
    yield "drain_ms", options.drain_ms


def figures(
    reactor: Reactor, journal: Log, reloader: Reloader, hindrance: str, at: Path = _SELF
) -> ProcessFigures:
    """Return what metrics tell of the process.

    Args:
        reactor: has the turns.
        journal: has the lines that could not be written.
        reloader: has the options, and knows how they were read last.
        hindrance: why no clients come in; "" if they do.
        at: where the kernel tells of this process.
    """
    certificate = reloader.options.certificate
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    started, resident = _told(at)
    return ProcessFigures(
        hindrance=hindrance,
        turns=reactor.turns,
        longest_turn_s=reactor.longest_turn,
        cpu_s=usage.ru_utime + usage.ru_stime,
        started=started,
        resident=resident,
        descriptors=_descriptors(at),
        descriptors_max=None if soft == resource.RLIM_INFINITY else soft,
        log_lines_lost=journal.lost_ever,
        certificates={} if certificate is None else {certificate.path: certificate.expires.timestamp()},
        reloaded=reloader.succeeded,
        reloaded_at=reloader.at,
    )


def _told(at: Path) -> tuple[float | None, int | None]:
    """Return when this process was started, seconds since 1970, and its memory, bytes."""
    try:
        told = read_file(at / "stat").rpartition(b")")[2].split()
    except OSError:
        return None, None
    since_boot = int(told[_START]) / os.sysconf("SC_CLK_TCK")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + since_boot, int(told[_RESIDENT]) * resource.getpagesize()


def _descriptors(at: Path) -> int | None:
    with suppress(OSError), os.scandir(at / "fd") as found:
        return sum(1 for _ in found) - 1  # the one that looks is none of them
    return None
