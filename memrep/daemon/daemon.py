"""A running node: its turns, its tasks, and what happens when one of these fails.

    Host.run          the loop: serves every socket, ticks, and has the others as its guests
    _tick             every 50 to 200 ms: heartbeats, views, expiry; SIGTERM and SIGINT begin the end (drain.py)
    Whereabouts.keep  a task for each peer: where it lives
    Dialler.keep      a task for each peer: a link to it

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
from typing import Final

import trio

from memrep.daemon.client_ports import ClientPorts
from memrep.daemon.clients import Clients
from memrep.daemon.drain import drain, hand_over
from memrep.daemon.guard import Troubles, in_words
from memrep.daemon.host import BREATH_S, Host
from memrep.daemon.log import LAST_WORDS_S, Log, Notifier
from memrep.daemon.options import ServeOptions
from memrep.daemon.peers import Peers
from memrep.daemon.place import Place
from memrep.daemon.process_stats import process, settings
from memrep.daemon.reactor import Reactor
from memrep.daemon.time_slice import Slice
from memrep.node.node import Node
from memrep.node.shell import Lines, ProcessInfo, Shell, Start
from memrep.protocol.connection import Connection
from memrep.protocol.negotiation import REDIS

#: Between two ticks while clients are parted from: the end of each is held back for a moment.
_PARTING_S: Final = 0.05


class Daemon:
    """A node, its sockets and its tasks.

    Args:
        options: what it was told.
        place: where it lives.
        journal: where its log lines go.
        signals: those that have come, until they are heeded.

    Attributes:
        distrusted: whether another one has to take its place; see `distrust`.
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
        self._reactor = Reactor(self._node, self, part)
        self._host = Host(self._reactor, self._tick, self._troubles)
        self._clients = Clients(self._node, self._reactor, options.connections, log, lambda: self._verbose)
        self._ports = ClientPorts(
            self._node,
            self._reactor,
            self._clients,
            {"": place.listeners, REDIS: place.redis},
            options.certificate,
            log,
        )
        self._peers = Peers(self._node, self._reactor, options.nodes, place.links, place.sources, log)

    # --- turns

    def end_turn(self) -> None:
        """Send what there is to send, close what is to be closed."""
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
            self._notifier.tell("READY=1\nSTATUS=serving")

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
                self._journal.log(f"a fault in memrep ({in_words(error)}): begins anew, as after a restart")
            self.distrusted = True
            self._stop()
        else:
            self._troubles.tell("a fault in memrep; goes on, for no other node holds everything", error)

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
        if self._ending:
            self._end.set()
        self._peers.begin_anew()
        async with trio.open_nursery() as nursery:
            self._started = True
            self._peers.open()
            for dialler in self._peers.diallers.values():
                where = dialler.where
                nursery.start_soon(self._for_ever, f"looking up {where.address}", where.keep)
                nursery.start_soon(self._for_ever, f"dialling {where.address}", dialler.keep)
            await self._end.wait()
            if not self.distrusted:
                await self._end_in_order()
            nursery.cancel_scope.cancel()

    async def _end_in_order(self) -> None:
        self._notifier.tell("STOPPING=1\nSTATUS=serving on until another node holds everything")
        await hand_over(self._node, self._journal.log)
        self._notifier.tell("STATUS=serving the clients that are connected")
        drain_ms = self._options.drain_ms
        await drain(self._node, self._reactor, self._clients, self._ports, self._peers, drain_ms)

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
        self._reactor.turn(self._node.tick)
        self._peers.tick(time.monotonic())
        self._ports.tick()
        self._clients.tick()
        self._notifier.tick()
        return _PARTING_S if len(self._clients.partings) else self._node.pause / 1000

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number == signal.SIGHUP:
                self._journal.log("SIGHUP: nothing is read anew; restart one node at a time for that")
                continue
            if self._ending:
                self._journal.log("a second signal: stops at once")
                self._journal.close(LAST_WORDS_S)
                os._exit(1)
            self._journal.log(f"{signal.Signals(number).name}: stops")
            self._stop()

    # --- what only the daemon knows

    def _set_verbosity(self, level: int) -> None:
        self._verbose = level > 0

    def _process(self) -> Lines:
        return process(self._options, self._clients, self._ports, self._reactor)

    def _connections(self) -> Lines:
        yield from self._ports.describe()
        yield from self._clients.describe()

    def _settings(self) -> Lines:
        return settings(self._options, self._verbose)
