"""Running a node: the nursery with its tasks, the signals, and an orderly end.

    reactor.run       serves every socket
    _tick             every 50 ms: heartbeats, views, expiry; signals: SIGTERM and SIGINT begin the drain
    keep_found        one for each peer: where it lives
    keep_dialled      one for each peer

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
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import attrs
import trio

from memrep.daemon.cgroup import Memory
from memrep.daemon.clients import Clients
from memrep.daemon.guard import Troubles, in_words
from memrep.daemon.listener import Listener
from memrep.daemon.local_address import bind_client_port, bind_link_port, is_private, sources_of_links
from memrep.daemon.log import Log, Notifier, keep_standard_files_open
from memrep.daemon.names import Endpoint
from memrep.daemon.options import ServeOptions
from memrep.daemon.peers import Peers
from memrep.daemon.reactor import Reactor
from memrep.daemon.signals import hear
from memrep.daemon.time_slice import Slice
from memrep.errors import UsageError
from memrep.node.node import Node
from memrep.node.shell import ProcessInfo, Shell, Start

_TICK_S: Final = 0.05

#: How long a node that alone holds everything waits for another one that fetches it; the unit's TimeoutStopSec=
#: is above it.
HANDOVER_S: Final = 60
_FINISH_S: Final = 0.75
_PART_S: Final = 0.25

#: Between the failure of a task and its next try.
_BREATH_S: Final = 0.05

#: If trio fails again within so many seconds the node refuses clients until it works.
_BRIEF_S: Final = 1.0

#: If a node that had to begin anew has to do so again within so many seconds, it makes a pause first, and a
#: longer one each time.
_STEADY_S: Final = 10.0
_PAUSE_MAX_S: Final = 5.0

#: How long the last lines of the log may take.
_LAST_WORDS_S: Final = 0.5

#: For links, those who have not shown yet who they are, and the program itself.
_SPARE_DESCRIPTORS: Final = 448


class Daemon:
    """A node, its sockets and its tasks.

    Args:
        options: what it was told.
        place: where it lives.
        journal: where its log lines go.
        signals: those that have come, until they are heeded.

    Attributes:
        distrusted: whether another one has to take its place; see `_distrust`.
    """

    def __init__(self, options: ServeOptions, place: Place, journal: Log, signals: deque[int]) -> None:
        self.distrusted = False
        self._options = options
        self._verbose = options.verbose
        self._end = trio.Event()
        self._ending = False
        self._started = False
        self._signals = signals
        self._ready = False
        me = options.node.me
        self._journal = journal
        self._troubles = Troubles(journal.log)
        self._notifier = Notifier()
        part = Slice(options.node.timing.fence)
        now, wall = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        self._node = Node(
            options.node,
            Start(inc=secrets.randbits(62), now=now, wall=wall),
            Shell(
                random_bytes=secrets.token_bytes,
                log=self._journal.log,
                process=ProcessInfo(
                    process=self._process,
                    settings=self._settings,
                    connections=self._connections,
                    spent=part.spent,
                    memory=place.memory.look,
                ),
                set_verbosity=self._set_verbosity,
                shutdown=self._stop if options.shutdown else None,
            ),
        )
        log = self._journal.log
        self._clients = Clients(
            self._node, place.listeners, options.connections, log, lambda: self._verbose, options.certificate
        )
        self._peers = Peers(self._node, options.nodes, me, place.links, place.sources, log)
        self._reactor = Reactor(self._node, self._end_turn, self._clients, self._distrust, part)
        self._clients.reactor = self._peers.reactor = self._reactor

    def _end_turn(self) -> None:
        for target, data in self._node.end_turn():
            if isinstance(target, int):
                self._peers.send(target, data)
            else:
                self._clients.reply(target, data)
        self._clients.follow()
        self._peers.close_superseded()
        self._peers.dial_afresh(self._node.staleness.dials_afresh())
        if self._clients.listening and not self._ready:
            self._ready = True
            self._notifier.tell("READY=1\nSTATUS=serving")

    def serve(self) -> None:
        """Serve until told to end, or until `distrusted`.

        Raises:
            OSError: the system does not allow what it takes to begin.
        """
        while not self._run_trio():
            # What is left of the tasks goes now, or trio would still believe itself at work.
            gc.collect()
            time.sleep(_BREATH_S)
        self._clients.give_up()
        self._peers.give_up()
        self._reactor.close()

    def _run_trio(self) -> bool:
        """Run the tasks; False if trio itself has failed. The node and its sockets do not depend on it."""
        began = time.monotonic()
        try:
            trio.run(self._run)
        except Exception as error:
            cause = error.__cause__ or error
            if not self._started:
                raise OSError(f"trio cannot begin: {in_words(cause)}") from error
            self._troubles.tell("trio has failed and is begun anew", cause)
            if time.monotonic() - began < _BRIEF_S:
                self._clients.refuse()  # until it works again
            return False
        return True

    async def _run(self) -> None:
        self._end = trio.Event()
        if self._ending:
            self._end.set()
        self._peers.begin_anew()
        async with trio.open_nursery() as nursery:
            self._started = True
            self._peers.open()
            nursery.start_soon(self._for_ever, "a tick", self._tick)
            nursery.start_soon(self._for_ever, "serving", self._reactor.run)
            for number, node in enumerate(self._options.nodes, start=1):
                if node != self._options.me:
                    find = partial(self._peers.keep_found, number)
                    dial = partial(self._peers.keep_dialled, number)
                    nursery.start_soon(self._for_ever, f"looking up {node}", find)
                    nursery.start_soon(self._for_ever, f"dialling {node}", dial)
            await self._end.wait()
            if not self.distrusted:
                await self._drain()
            nursery.cancel_scope.cancel()

    async def _for_ever(self, what: str, task: Callable[[], Awaitable[None]]) -> None:
        """Do this until the end; what fails is given up and begun anew."""
        while True:
            try:
                await task()
            except Exception as error:
                self._troubles.tell(f"{what} has failed and is begun anew", error)
            await trio.sleep(_BREATH_S)

    def _stop(self) -> None:
        self._ending = True
        self._end.set()

    def _distrust(self, error: Exception) -> None:
        """Something has failed in the midst of what the node itself does: memory may have run out.

        What it holds may be torn now, and a node must not answer from that. So another takes its place here, as
        after a restart: empty, with the doors shut until it has fetched everything. Where it alone holds
        everything that would be the loss of all, and it goes on with what it has.
        """
        if self._node.replaceable:
            if not self.distrusted:
                self._journal.log(f"a fault in memrep ({in_words(error)}): begins anew, as after a restart")
            self.distrusted = True
            self._stop()
        else:
            self._troubles.tell("a fault in memrep; goes on, for no other node holds everything", error)

    async def _tick(self) -> None:
        while True:
            self._heed_signals()
            self._reactor.turn(self._node.tick)
            self._peers.tick()
            self._clients.tick()
            self._notifier.tick()
            await trio.sleep(_TICK_S)

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number == signal.SIGHUP:
                self._journal.log("SIGHUP: nothing is read anew; restart one node at a time for that")
                continue
            if self._ending:
                self._journal.log("a second signal: stops at once")
                self._journal.close(_LAST_WORDS_S)
                os._exit(1)
            self._journal.log(f"{signal.Signals(number).name}: stops")
            self._stop()

    async def _hand_over(self) -> None:
        """Serve on until another node holds everything, if one is about to: what it lacks is only here."""
        if self._node.hands_over and not self.distrusted:
            self._journal.log("it alone holds everything: it stops when another node does, in a minute at most")
            with trio.move_on_after(HANDOVER_S):
                while self._node.hands_over:
                    await trio.sleep(0.01)

    async def _drain(self) -> None:
        self._notifier.tell("STOPPING=1\nSTATUS=serving on until another node holds everything")
        await self._hand_over()
        self._notifier.tell("STATUS=serving the clients that are connected")
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
        yield "turns_cut_short", self._reactor.cut_short
        yield "longest_turn_ms", f"{self._reactor.longest_turn * 1000:.0f}"

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
        yield "secret", "yes" if options.node.secret else "no"
        yield "shutdown_command", "yes" if options.shutdown else "no"
        yield "cold_start_ms", options.node.timing.cold_start
        yield "drain_ms", options.drain_ms


@attrs.frozen(kw_only=True)
class Place:
    """What a node needs of this machine. It is had at the start, and kept: it might not be had again.

    Attributes:
        listeners: where clients come in.
        links: where the other nodes come in.
        sources: the addresses from which the others may be called; none for any.
        memory: what the kernel lets this process have.
    """

    listeners: list[Listener]
    links: list[Listener]
    sources: list[Endpoint]
    memory: Memory

    @classmethod
    def of(cls, options: ServeOptions) -> Place:
        """What these options ask for.

        Raises:
            UsageError: a port cannot be had, or the system's limits do not allow what is asked.
            OSError: the system refuses something else.
        """
        _raise_descriptor_limit(options.connections)
        memory = Memory()
        memory.check(options.node.memory, options.connections)
        return cls(
            memory=memory,
            listeners=list(_bind_client_ports(options)),
            links=bind_link_port(options.me, options.listen) if len(options.nodes) > 1 else [],
            sources=sources_of_links(options.me.host),
        )

    def give_up(self) -> None:
        """The node is gone for good."""
        for listener in (*self.listeners, *self.links):
            listener.close()
        self.memory.close()


def _bind_client_ports(options: ServeOptions) -> Iterator[Listener]:
    yield from bind_client_port(options.listen, options.port)
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
    if options.node.users is None:
        todo.append("ask clients for a password (--auth-file)")
    if options.certificate is None:
        todo.append("encrypt what they send (--tls-cert)")
    if len(options.nodes) > 1 and not options.node.secret:
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


def _announce(options: ServeOptions, place: Place, log: Callable[[str], None]) -> None:
    others = [str(node) for node in options.nodes if node != options.me]
    log(
        f"memrep starts, process {os.getpid()}, clients on {' '.join(map(str, place.listeners))}"
        + (f", nodes on port {options.me.link_port}, with {' '.join(others)}" if others else "")
    )
    if warning := warning_of_strangers(options):
        log(warning)
    if options.certificate is not None and (warning := options.certificate.warning(datetime.now(UTC))):
        log(warning)


def serve(options: ServeOptions) -> None:
    """Run a node until SIGTERM, SIGINT or an enabled `shutdown`.

    Raises:
        UsageError: a port cannot be had, or the system's limits do not allow what is asked.
        OSError: the system refuses something else that it takes to begin.
    """
    keep_standard_files_open()
    signals = hear()
    journal = Log(str(options.me) if len(options.nodes) > 1 else "")
    try:
        place = Place.of(options)
        daemon = Daemon(options, place, journal, signals)
        journal.capture()
        _announce(options, place, journal.log)
        gc.freeze()  # what exists now lives as long as the process: no collection needs to look at it again
        began, pause = time.monotonic(), 0.0
        daemon.serve()
        while daemon.distrusted:
            pause = min(2 * pause + _BREATH_S, _PAUSE_MAX_S) if time.monotonic() - began < _STEADY_S else 0.0
            time.sleep(pause)
            gc.unfreeze()
            daemon = Daemon(options, place, journal, signals)
            gc.collect()
            began = time.monotonic()
            daemon.serve()
        place.give_up()
        journal.log("memrep has stopped")
    finally:
        journal.close(_LAST_WORDS_S)
