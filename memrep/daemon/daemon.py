"""A running node: its turns, its tasks, and what happens when one of these fails.

    HttpServer.serve  a task at the admin socket, one at the port for HTTP: from the first moment to the last
    Host.run          the loop: serves every socket, ticks, and has the others as its guests
    ReloadTask.keep   a task that reads options anew when they are others
    _tick             every 50 to 200 ms: heartbeats, views, expiry; SIGTERM and SIGINT begin the end (drain.py)
    Whereabouts.keep  a task for each peer: where it lives
    Dialler.keep      a task for each peer: a link to it
    Standby.keep      takes the node out of service when an operator asks for that

Rule: no failure of the system ends a node. A task that fails is begun anew, and so is trio itself; the node and
its sockets depend on neither. Only a fault of the node's own doing makes it doubtful, see `distrust`.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import chain
from typing import Final

import attrs
import trio

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.drain import HANDOVER_S, Drain
from memrep.daemon.fallback import Fallback
from memrep.daemon.guard import Troubles, in_words
from memrep.daemon.host import BREATH_S, Host
from memrep.daemon.log import LAST_WORDS_S, Log
from memrep.daemon.notifier import Notifier
from memrep.daemon.options import ServeOptions
from memrep.daemon.peers import Peers
from memrep.daemon.place import Place
from memrep.daemon.process_stats import figures, process, settings
from memrep.daemon.reactor import Reactor
from memrep.daemon.reload import Reloader
from memrep.daemon.reload_task import ReloadTask
from memrep.daemon.signals import ENDING
from memrep.daemon.standby import Standby
from memrep.daemon.time_slice import Slice
from memrep.daemon.told_by_http import ToldByHttp
from memrep.disk.copy import LAST_S
from memrep.events import BEGINS_ANEW, FAULT, SIGNAL_IGNORED, STOPS, STOPS_AT_ONCE, Level
from memrep.node.node import Node
from memrep.node.shell import ProcessInfo, Shell, Start
from memrep.protocol.connection import Connection
from memrep.protocol.negotiation import REDIS
from memrep.status.metric import Gathered
from memrep.status.service_facts import DRAINING

#: Between two ticks while clients are parted from: the end of each is held back for a moment.
_PARTING_S: Final = 0.05


class Daemon:
    """A node, its sockets and its tasks.

    Args:
        reloader: what it was told, and may be told anew.
        place: where it lives.
        journal: where its log lines go.
        signals: those that have come, until they are heeded.

    Attributes:
        distrusted: whether another one has to take its place; see `distrust`.
    """

    def __init__(self, reloader: Reloader, place: Place, journal: Log, signals: deque[int]) -> None:
        self.distrusted = False
        self._reloader = reloader
        options = reloader.options
        self._end = trio.Event()
        self._ending = self._started = self._ready = self._has_ticked = False
        self._signals = signals
        self._journal = journal
        self._troubles = Troubles(journal.log)
        self._notifier = Notifier(time.monotonic())
        part = Slice(options.node.timing.fence)
        loaded = place.copy.load(options.node)
        now, wall = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        self._node = Node(
            options.node,
            Start(inc=secrets.randbits(62), now=now, wall=wall, snapshot=loaded.snapshot),
            Shell(
                random_bytes=secrets.token_bytes,
                log=self._journal.log,
                process=ProcessInfo(
                    process=lambda: process(
                        reloader.options, self._clients, self._ports, self._reactor, self._saver
                    ),
                    settings=lambda: settings(reloader.options, journal.level),
                    connections=lambda: chain(self._ports.describe(), self._clients.describe()),
                    spent=part.spent,
                    clients=lambda: len(self._clients),
                    clients_max=lambda: reloader.options.connections,
                    log_lost=lambda: journal.lost,
                    reload_refused=lambda: "; ".join(reloader.refused),
                    disk_trouble=lambda: self._saver.failing,
                    memory=place.memory.look,
                    old_store_silent=lambda: self._fallback.silent,
                ),
                set_verbosity=self._set_verbosity,
                shutdown=self._stop if options.shutdown else None,
                look_up=lambda key: self._fallback.look_up(key),  # noqa: PLW0108 (it is made later)
            ),
        )
        log = self._journal.log
        self._saver = loaded.attach(self._node, log)
        self._reactor = Reactor(self._node, self, part)
        self._host = Host(self._reactor, self._tick, self._troubles)
        self._fallback = Fallback(self._node, self._reactor, place.old_store, log)
        self._clients = Clients(self._node, self._reactor, options.connections, log, self._journal.verbose)
        doors = {"": place.listeners, REDIS: place.redis}
        self._ports = ClientPorts(self._node, self._reactor, self._clients, doors, options.certificate, log)
        self._peers = Peers(self._node, self._reactor, options.nodes, place.links, place.sources, log)
        self._drain = Drain(self._node, self._reactor, self._clients, self._ports, self._peers)
        self._standby = Standby(self._node, self._drain, self._begin_end, log)
        self._reloads = ReloadTask(
            reloader,
            place.fit,
            self._take,
            log,
            lambda **lines: self._notifier.tell(**lines) if self._ready and not self._ending else None,
        )
        self._told_by_http = ToldByHttp(
            node=self._node,
            reactor=self._reactor,
            clients=self._clients,
            standby=self._standby,
            journal=journal,
            reloads=self._reloads,
            hindrance=self._hindrance,
            gather=self._gather,
        ).servers(place, self._troubles)
        self._resolver = place.resolver

    @property
    def resumes(self) -> bool:
        """Tell whether it was drained, and another one is to take its place (standby.py)."""
        return self._standby.resumes and not self._ending

    # --- turns

    def end_turn(self) -> None:
        """Send what there is to send, close what is to be closed."""
        if self._node.in_step():
            self._node.tick()
            self._has_ticked = True
            self._host.hasten()
        for target, data in self._node.end_turn():
            if isinstance(target, int):
                self._peers.send(target, data)
            else:
                self._clients.answer(target, data)
        self._ports.follow()
        self._peers.close_superseded()
        for node in self._node.staleness.dials_afresh():
            self._peers.diallers[node].dial_afresh()
        if self._ports.listening and not self._ready:
            self._ready = True
            self._notifier.tell(READY="1", STATUS=self._node.report.line())

    def unread(self, connection: Connection) -> bool:
        """Tell whether something of this client lies in its socket."""
        return self._clients.unread(connection)

    def fence(self) -> None:
        """Hang up on those who wait to be accepted."""
        self._ports.fence()

    def distrust(self, error: Exception) -> None:
        """Take an error that has happened in the midst of what the node itself does: memory may have run out.

        What it holds may be torn now, and a node must not answer from that. So another takes its place here, as
        after a restart: empty, with its ports shut until it has fetched everything. Where it alone holds
        everything that would be the loss of all, and it goes on with what it has.
        """
        if self._node.replaceable:
            if not self.distrusted:
                self._journal.log(BEGINS_ANEW(error=in_words(error)))
            self.distrusted = True
            self._stop()
        else:
            self._troubles.tell("a fault in memrep; goes on, for no other node holds everything", error, FAULT)

    # --- tasks

    def serve(self) -> None:
        """Serve until told to end, or until `distrusted`.

        Raises:
            OSError: the system does not allow what it takes to begin.
        """
        while not self._run_tasks():
            self._host.wait(BREATH_S)
        self._ports.close()
        self._clients.give_up()
        self._peers.give_up()
        self._saver.finish(0 if self.distrusted else LAST_S)
        self._host.close()
        self._reactor.close()

    def _run_tasks(self) -> bool:
        """Serve until the tasks have ended; False if trio itself has failed. No socket depends on it."""
        try:
            self._host.run(self._run)
        except Exception as error:
            cause = error.__cause__ or error
            if not self._started:
                raise OSError(f"trio cannot begin: {in_words(cause)}") from error
            self._troubles.tell("trio has failed and is begun anew", cause)
            return False
        return True

    async def _run(self) -> None:
        self._end = trio.Event()
        if self._ending or self._standby.has_left:
            self._end.set()
        self._peers.begin_anew()
        trio.socket.set_custom_hostname_resolver(self._resolver)
        async with trio.open_nursery() as nursery:
            self._started = True
            for what, server in self._told_by_http.items():
                nursery.start_soon(self._for_ever, what, server.serve)
            nursery.start_soon(self._for_ever, "looking after options", self._reloads.keep)
            await self._take_part()
            await self._stand_by()
            nursery.cancel_scope.cancel()  # only now: the drain is told of by HTTP, too

    async def _take_part(self) -> None:
        """Be a node among the others until this one is to end, or has left."""
        async with trio.open_nursery() as nursery:
            self._peers.open()
            for dialler in self._peers.diallers.values():
                where = dialler.where
                nursery.start_soon(self._for_ever, f"looking up {where.address}", where.keep)
                nursery.start_soon(self._for_ever, f"dialling {where.address}", dialler.keep)
            nursery.start_soon(self._for_ever, "draining", self._standby.keep)
            nursery.start_soon(self._for_ever, "asking the old store", self._fallback.keep)
            await self._end.wait()
            if self._standby.has_left:
                await self._drain.part()
            else:
                self._standby.give_way()
                if not self.distrusted:
                    await self._end_in_order()
            nursery.cancel_scope.cancel()

    async def _end_in_order(self) -> None:
        self._notifier.tell(STOPPING="1", STATUS="serving on until another node holds everything")
        await self._drain.hand_over(HANDOVER_S, self._journal.log)
        self._notifier.tell(STATUS="serving the clients that are connected")
        await self._drain.end(self._reloader.options.drain_ms)

    async def _stand_by(self) -> None:
        """Let others ask this node, if it has left, until another one is to take its place."""
        if not self._standby.has_left:
            return
        self._peers.give_up()
        self._reactor.turn(self._node.rest)
        while not (self._ending or self._standby.resumes):
            self._end = trio.Event()
            await self._end.wait()

    async def _for_ever(self, what: str, task: Callable[[], Awaitable[None]]) -> None:
        """Do this until the end; what fails is given up and begun anew."""
        while True:
            try:
                await task()
            except Exception as error:
                self._troubles.tell(f"{what} has failed and is begun anew", error)
            await trio.sleep(BREATH_S)

    def _stop(self) -> None:
        self._ending = True
        self._reactor.errands.append(self._begin_end)

    def _begin_end(self) -> None:
        self._end.set()

    def _tick(self) -> float:
        """Do what is due by the clock; return in how many seconds to do it again."""
        self._heed_signals()
        if not self._has_ticked:
            self._reactor.turn(self._node.tick)
        self._has_ticked = False
        if not self._standby.has_left:
            self._peers.tick(time.monotonic())
        self._ports.tick()
        self._clients.tick()
        self._saver.tick(time.monotonic())
        if self._notifier.wanted:
            status = "" if self._ending else self._node.report.line()
            self._notifier.tick(time.monotonic(), status, starting=not (self._ready or self._ending))
        return _PARTING_S if len(self._clients.partings) else self._node.pause / 1000

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number == signal.SIGHUP:
                self._reactor.errands.append(self._reloads.wish)
                continue
            if number not in ENDING:
                self._journal.log(SIGNAL_IGNORED(signal=signal.Signals(number).name))
                continue
            if self._ending:
                self._journal.log(STOPS_AT_ONCE())
                self._journal.close(LAST_WORDS_S)
                os._exit(1)
            self._journal.log(STOPS(why=signal.Signals(number).name))
            self._stop()

    def _take(self, options: ServeOptions) -> None:
        """Make these the options of this node; those that were settled at the start are as they were."""
        before = self._reloader.options
        self._reactor.turn(lambda: self._node.take(options.node))
        self._clients.limit = options.connections
        if options.certificate is not None:
            self._ports.show(options.certificate)
            if warning := options.certificate.warning(datetime.now(UTC)):
                self._journal.log(warning)
        if options.log_level != before.log_level:
            self._journal.level = options.log_level
        self._journal.form = attrs.evolve(self._journal.form, json=options.log_json)

    # --- what only the daemon knows

    def _set_verbosity(self, level: int) -> None:
        usual = min(self._reloader.options.log_level, Level.INFO)
        self._journal.level = Level.DEBUG if level > 0 else usual

    def _hindrance(self) -> str:
        """Tell why nobody new should come, whatever the node itself says of its state; "" if nothing is why."""
        if self._ending:
            return "leaving: was told to stop"
        if self._standby.state == DRAINING:
            return "draining: an operator takes it out of service"
        return "" if self._ports.listening else "waiting: its ports for clients are shut"

    def _gather(self) -> Gathered:
        report = self._node.report
        process = figures(self._reactor, self._journal, self._reloader, self._hindrance())
        return Gathered(report.status(), report.figures(), process)
