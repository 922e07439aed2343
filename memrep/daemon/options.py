"""What the daemon was told: the node's own options, and what only a process with sockets needs to know."""

from __future__ import annotations

import attrs

from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath
from memrep.daemon.certificate import Certificate
from memrep.events import Level
from memrep.node.options import NodeOptions


@attrs.frozen(kw_only=True)
class ServeOptions:
    """What `memrep serve` was told, checked.

    Attributes:
        node: what the node itself has to know.
        nodes: all nodes, sorted.
        me: this one.
        listen: the address for clients; this node's own unless told otherwise.
        port: the port for clients.
        unix: the path of a unix socket for clients, if any.
        admin: where the admin socket is to be; None for nowhere.
        http: where this node is told of by HTTP; None for nowhere.
        redis_listen: the address for clients of Redis' protocol,
        redis_port: and their port; 0 if they do not come in.
        connections: the most clients at a time.
        drain_ms: how long connected clients are served after SIGTERM.
        certificate: what clients are shown, who then speak TLS on the port; None if they do not.
        log_level: what matters less than this is not logged.
        log_json: whether log lines are JSON.
        shutdown: whether the `shutdown` command is obeyed.
        data_dir: the directory for what is saved; "" if nothing is.
    """

    node: NodeOptions
    nodes: list[Address]
    me: Address
    listen: str
    port: int
    unix: str = ""
    admin: AdminPath | None = None
    http: Address | None = None
    redis_listen: str = ""
    redis_port: int = 0
    connections: int = 1024
    drain_ms: int = 1_000
    certificate: Certificate | None = None
    log_level: Level = Level.INFO
    log_json: bool = False
    shutdown: bool = False
    data_dir: str = ""
