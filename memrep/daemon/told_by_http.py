"""The servers of HTTP of one node: at the admin socket and at the port for HTTP, and who answers what there.

Everybody is told how the node is (pages.py). Who asks at the admin socket is told of clients and sessions as
well, and can change something, by desks of which each has what belongs together.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from memrep.daemon.admin import Admin, Desk
from memrep.daemon.clients import Clients
from memrep.daemon.config_desk import ConfigDesk
from memrep.daemon.drain_desk import DrainDesk
from memrep.daemon.front_page import FrontPage
from memrep.daemon.guard import Troubles
from memrep.daemon.host_header import HostCheck
from memrep.daemon.http_server import HttpServer
from memrep.daemon.lock_desk import LockDesk
from memrep.daemon.log import Log
from memrep.daemon.metrics_page import MetricsPage
from memrep.daemon.options_desk import OptionsDesk
from memrep.daemon.pages import Pages
from memrep.daemon.place import Place
from memrep.daemon.reactor import Reactor
from memrep.daemon.reload_task import ReloadTask
from memrep.daemon.session_desk import SessionDesk
from memrep.daemon.slow_desk import SlowDesk
from memrep.daemon.standby import Standby
from memrep.node.node import Node
from memrep.status.metric import Gathered


@attrs.frozen(kw_only=True)
class ToldByHttp:
    """What is told of, and who does what is asked for.

    Attributes:
        node: this node,
        reactor: which makes its turns,
        clients: and those who are connected.
        standby: takes it out of service.
        journal: its log.
        reloads: reads the options anew.
        hindrance: tells why no clients come in though the node serves; "" if they do.
        gather: gathers what is measured.
    """

    node: Node
    reactor: Reactor
    clients: Clients
    standby: Standby
    journal: Log
    reloads: ReloadTask
    hindrance: Callable[[], str]
    gather: Callable[[], Gathered]

    def servers(self, place: Place, troubles: Troubles) -> dict[str, HttpServer]:
        """Make the servers that there are to be at this place, by what they are."""
        options, report = self.node.options, self.node.report
        me = options.nodes[options.me - 1]
        front = FrontPage(report.status, report.last_hour, self.hindrance)
        pages = Pages(report.status, self.hindrance, front.tell, MetricsPage(self.gather).tell)
        desks: list[Desk] = [
            DrainDesk(me, self.standby, pages.why_not_ready),
            LockDesk(self.node, self.clients.address_of),
            SlowDesk(self.node),
            SessionDesk(self.node, self.reactor, self.journal.log),
            OptionsDesk(self.journal, self.reloads.reload),
            ConfigDesk(me, self.journal, self.reloads.reloader),
        ]
        admin = Admin(pages, lambda: self.clients.status(me), self._kill, self.journal.log, desks)
        socket, port = place.admin.sock, place.http
        served = {
            "the admin socket": ([] if socket is None else [socket], admin.handle),
            "the port for HTTP": (port.sockets, HostCheck(port.names, pages.handle).handle),
        }
        return {
            where: HttpServer(where, sockets, handle, troubles)
            for where, (sockets, handle) in served.items()
            if sockets
        }

    def _kill(self, whom: str) -> int:
        killed: list[int] = []
        self.reactor.turn(lambda: killed.append(self.clients.kill(whom)))
        return sum(killed)
