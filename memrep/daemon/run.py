"""Running a node: the nursery with its tasks, the signals, and an orderly end.

    reactor.run       serves every socket
    _tick             every 50 ms: heartbeats, views, expiry
    keep_dialled      one for each peer
    _wait_for_signal  SIGTERM or SIGINT, then the drain

The drain: nobody new is accepted, clients that are connected are served on for a while, because a PHP request
that has read its data will want to write it; then the writes on their way are finished, the peers are told,
and they go on without this node in the same instant.
"""

from __future__ import annotations

import gc
import os
import resource
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Final

import attrs
import trio

from memrep.daemon.certificate import Certificate
from memrep.daemon.clients import Clients
from memrep.daemon.journal import Journal, Notifier, keep_standard_files_open
from memrep.daemon.listener import Listener
from memrep.daemon.machine import address_of, bind_link_port, is_private, port_error, source_of_links
from memrep.daemon.peers import Peers
from memrep.daemon.reactor import Reactor
from memrep.daemon.signals import HEARD, ignore_the_rest
from memrep.errors import UsageError
from memrep.habits import Habits
from memrep.node import Node
from memrep.nodes import Address
from memrep.options import NodeOptions
from memrep.replication.presence import Timing
from memrep.report import Facts
from memrep.users import Users

_TICK_S: Final = 0.05
_FINISH_S: Final = 0.75
_PART_S: Final = 0.25

#: How long the last lines of the log may take.
_LAST_WORDS_S: Final = 0.5

#: For links, those who have not shown yet who they are, and the program itself.
_SPARE_DESCRIPTORS: Final = 448


@attrs.frozen(kw_only=True)
class ServeOptions:
    """What `memrep serve` was told, checked.

    Attributes:
        nodes: all nodes, sorted.
        me: this one.
        listen: the address for clients; this node's own unless told otherwise.
        port: the port for clients.
        unix: the path of a unix socket for clients, if any.
        memory: the limit for entries, bytes.
        connections: the most clients at a time.
        item_max: the largest item, bytes.
        failure_timeout_ms: silence after which a peer is left out.
        cold_start_ms: how long a node without data waits for all the others before it begins without them.
        drain_ms: how long connected clients are served after SIGTERM.
        habits: which of PHP's habits are provided for.
        users: the clients that are let in; None for all.
        flush_all: whether clients may end everything at once.
        strict: whether a node without a majority in reach serves nobody.
        secret: what nodes prove to each other that they know; empty if there is none.
        certificate: what clients are shown, who then speak TLS on the port; None if they do not.
        verbose: whether to log each client's connection.
        shutdown: whether the `shutdown` command is obeyed.
    """

    nodes: list[Address]
    me: Address
    listen: str
    port: int
    unix: str = ""
    memory: int = 64 << 20
    connections: int = 1024
    item_max: int = 1 << 20
    failure_timeout_ms: int = 600
    cold_start_ms: int = 10_000
    drain_ms: int = 1_000
    strict: bool = False
    habits: Habits = attrs.Factory(Habits)
    users: Users | None = None
    flush_all: bool = True
    secret: bytes = attrs.field(default=b"", repr=False)
    certificate: Certificate | None = None
    verbose: bool = False
    shutdown: bool = False


class Daemon:
    """A node, its sockets and its tasks.

    Args:
        options: what it was told.
        journal: where its log lines go.
    """

    def __init__(self, options: ServeOptions, journal: Journal) -> None:
        self._options = options
        self._verbose = options.verbose
        self._end = trio.Event()
        self._ready = False
        me = options.nodes.index(options.me) + 1
        self._journal = journal
        self._notifier = Notifier()
        _raise_descriptor_limit(options.connections)
        listeners = list(_bind_client_ports(options))
        link_port = bind_link_port(options.me, options.listen) if len(options.nodes) > 1 else None
        self._node = Node(
            NodeOptions(
                nodes=[str(node) for node in options.nodes],
                me=me,
                memory=options.memory,
                item_max=options.item_max,
                timing=Timing.scaled(options.failure_timeout_ms, options.cold_start_ms),
                strict=options.strict,
                habits=options.habits,
                users=options.users,
                flush_all=options.flush_all,
                own_host=address_of(options.me.host),
                secret=options.secret,
            ),
            inc=secrets.randbits(62),
            now=time.monotonic_ns() // 1_000_000,
            wall=time.time_ns() // 1_000_000,
            chance=secrets.token_bytes,
            log=self._journal.log,
            facts=Facts(process=self._process, settings=self._settings, connections=self._connections),
            set_verbosity=self._set_verbosity,
            shutdown=self._end.set if options.shutdown else None,
        )
        log = self._journal.log
        self._clients = Clients(
            self._node, listeners, options.connections, log, lambda: self._verbose, options.certificate
        )
        source = source_of_links(options.me.host)
        self._peers = Peers(self._node, options.nodes, me, link_port, source, log)
        self._reactor = Reactor(self._node, self._end_turn, self._clients)
        self._clients.reactor = self._peers.reactor = self._reactor
        if warning := warning_of_strangers(options):
            log(warning)
        if options.certificate is not None and (warning := options.certificate.warning(datetime.now(UTC))):
            log(warning)

    def _end_turn(self) -> None:
        while True:
            for node, data in self._node.finish():
                self._peers.send(node, data)
            self._clients.follow()
            if not self._node.unfinished:
                break
        self._peers.close_superseded()
        if self._clients.listening and not self._ready:
            self._ready = True
            self._notifier.tell("READY=1\nSTATUS=serving")

    async def run(self) -> None:
        """Serve until told to end."""
        options = self._options
        others = [str(node) for node in options.nodes if node != options.me]
        self._journal.log(
            f"memrep starts, process {os.getpid()}, clients on {options.listen}:{options.port}"
            + (f", nodes on port {options.me.link_port}, with {' '.join(others)}" if others else "")
        )
        with trio.open_signal_receiver(*HEARD) as signals:
            async with trio.open_nursery() as nursery:
                self._peers.open()
                nursery.start_soon(self._tick)
                nursery.start_soon(self._reactor.run)
                for number, node in enumerate(options.nodes, start=1):
                    if node != options.me:
                        nursery.start_soon(self._peers.keep_dialled, number)
                nursery.start_soon(self._wait_for_signal, signals)
                await self._end.wait()
                await self._drain()
                nursery.cancel_scope.cancel()
        self._clients.give_up()
        self._journal.log("memrep has stopped")

    async def _tick(self) -> None:
        while True:
            self._reactor.turn(self._node.tick)
            self._peers.tick()
            self._clients.tick()
            self._notifier.tick()
            await trio.sleep(_TICK_S)

    async def _wait_for_signal(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                self._journal.log("SIGHUP: nothing is read anew; restart one node at a time for that")
                continue
            if self._end.is_set():
                self._journal.log("a second signal: stops at once")
                self._journal.close(_LAST_WORDS_S)
                os._exit(1)
            self._journal.log(f"{signal.Signals(number).name}: stops")
            self._end.set()

    async def _drain(self) -> None:
        self._notifier.tell("STOPPING=1\nSTATUS=serving the clients that are connected")
        self._reactor.turn(self._clients.shut)
        with trio.move_on_after(self._options.drain_ms / 1000):
            while len(self._clients):
                await trio.sleep(0.005)
        with trio.move_on_after(_FINISH_S):
            done: list[bool] = []
            while not any(done):
                self._reactor.turn(lambda: done.append(self._node.leave()))
                await trio.sleep(0.001)
            while self._peers.unsent:
                await trio.sleep(0.001)
        self._reactor.turn(self._clients.close_all)
        with trio.move_on_after(_PART_S):
            while len(self._clients.partings):
                await trio.sleep(0.002)

    # --- what only the daemon knows

    def _set_verbosity(self, level: int) -> None:
        self._verbose = level > 0

    def _process(self) -> Iterator[tuple[str, object]]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield "pid", os.getpid()
        yield "rusage_user", f"{usage.ru_utime:.6f}"
        yield "rusage_system", f"{usage.ru_stime:.6f}"
        yield "max_connections", self._options.connections
        yield "curr_connections", len(self._clients)
        yield "connection_structures", len(self._clients)
        yield "reserved_fds", _SPARE_DESCRIPTORS
        yield "listen_disabled_num", 0  # who is one too many is sent away, nobody waits
        yield "time_in_listen_disabled_us", 0
        yield "accepting_conns", int(self._clients.listening)
        yield "turns", self._reactor.turns

    def _connections(self) -> Iterator[tuple[str, object]]:
        return self._clients.describe()

    def _settings(self) -> Iterator[tuple[str, object]]:
        options = self._options
        yield "self", options.me
        yield "inter", options.listen
        yield "tcpport", options.port
        yield "domain_socket", options.unix or "NULL"
        yield "maxconns", options.connections
        yield "maxconns_fast", "yes"
        yield "verbosity", int(self._verbose)
        yield "ssl_enabled", "yes" if options.certificate is not None else "no"
        yield "secret", "yes" if options.secret else "no"
        yield "shutdown_command", "yes" if options.shutdown else "no"
        yield "cold_start_ms", options.cold_start_ms
        yield "drain_ms", options.drain_ms


def _bind_client_ports(options: ServeOptions) -> Iterator[Listener]:
    family = socket.AF_INET6 if ":" in options.listen else socket.AF_INET
    try:
        yield Listener(family, (options.listen, options.port))
    except OSError as error:
        raise port_error(options.listen, options.port, error, "for clients") from None
    if options.unix:
        try:
            yield Listener(socket.AF_UNIX, options.unix)
        except OSError as error:
            raise UsageError(
                f"--unix {options.unix}: {error.strerror}; its directory must exist, be writable, and hold "
                "nothing else under that name"
            ) from None


def warning_of_strangers(options: ServeOptions) -> str:
    """What is open to whom, and what to do about it; "" if only this machine and private networks reach it."""
    if is_private(options.listen):
        return ""
    todo = ["let a firewall admit only the pool (deploy/nftables.conf)"]
    if options.users is None:
        todo.append("ask clients for a password (--auth-file)")
    if options.certificate is None:
        todo.append("encrypt what they send (--tls-cert)")
    if len(options.nodes) > 1 and not options.secret:
        todo.append("let nodes prove who they are (--secret-file)")
    return f"warning: strangers can reach {options.listen}: " + ", ".join(todo)


def _raise_descriptor_limit(connections: int) -> None:
    """As many descriptors as the clients may need; one line if the system does not allow that."""
    needed = connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed <= hard or (soft < needed and hard == resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif hard < needed and hard != resource.RLIM_INFINITY:
        raise UsageError(
            f"-c {connections} needs {needed} file descriptors, the system allows {hard}; "
            "raise LimitNOFILE (systemd) or `ulimit -n`, or lower -c"
        )


def serve(options: ServeOptions) -> None:
    """Run a node until SIGTERM, SIGINT or an enabled `shutdown`.

    Raises:
        UsageError: a port cannot be had, or the system's limits do not allow what is asked.
    """
    keep_standard_files_open()
    ignore_the_rest()
    journal = Journal(str(options.me) if len(options.nodes) > 1 else "")
    try:
        daemon = Daemon(options, journal)
        journal.capture()
        gc.freeze()  # what exists now lives as long as the process: no collection needs to look at it again
        trio.run(daemon.run)
    finally:
        journal.close(_LAST_WORDS_S)
