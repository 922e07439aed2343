"""Ports: whether the node's own can be had, by having each of them for a moment, as the node would.

That of the links is kept for a while, and listens: the other nodes that run already call it all the time, and
so tell whether the way from them to here is open (inward.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from memrep.daemon.listener import Listener, close_all
from memrep.daemon.local_address import bind_client_port, bind_http_port, bind_link_port
from memrep.daemon.options import ServeOptions
from memrep.doctor.finding import Finding
from memrep.errors import UsageError


class OwnPorts:
    """The node's own ports, looked at once.

    Args:
        options: what the node was told.

    Attributes:
        findings: what came of it.
        links: the port of the links, which listens until `close`; empty if it could not be had.
    """

    def __init__(self, options: ServeOptions) -> None:
        self.findings: list[Finding] = []
        self.links: list[Listener] = []
        self._have(options)

    def _have(self, options: ServeOptions) -> None:
        self._try("for clients", options.port, lambda: bind_client_port(options.listen, options.port))
        if options.redis_port:
            self._try(
                "for Redis' clients",
                options.redis_port,
                lambda: bind_client_port(options.redis_listen, options.redis_port),
            )
        if (http := options.http) is not None:
            self._try("for HTTP", http.port, lambda: bind_http_port(http.host, http.port))
        if len(options.nodes) > 1:
            port = options.me.link_port
            self.links = self._try(
                "for nodes", port, lambda: bind_link_port(options.me, options.listen), keep=True
            )
        if options.unix:
            self.findings.append(_directory(Path(options.unix)))
        if options.admin is not None and not options.admin.own_directory:  # that is made by the node
            self.findings.append(_directory(Path(options.admin.path)))

    def _try(
        self, use: str, port: int, have: Callable[[], list[Listener]], keep: bool = False
    ) -> list[Listener]:
        """Have a port and give it back, unless it is to be kept; note what came of that."""
        try:
            listeners = have()
        except UsageError as error:
            text, _, advice = str(error).partition("; ")
            self.findings.append(Finding("ports", "wrong", text, advice))
            return []
        except OSError as error:
            self.findings.append(Finding("ports", "wrong", f"{port} {use}: {error.strerror}"))
            return []
        where = " and ".join(map(str, listeners))
        self.findings.append(Finding("ports", "ok", f"{where} {use}: free"))
        if not keep:
            close_all(listeners)
            return []
        return listeners

    def close(self) -> None:
        """Give back what is left."""
        close_all(self.links)


def _directory(path: Path) -> Finding:
    """Tell whether a socket can be made under this path."""
    directory = path.parent
    if not directory.is_dir():
        return Finding(
            "ports", "wrong", f"{path}: its directory does not exist", "make it, or name another path"
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        return Finding(
            "ports", "wrong", f"{path}: this user may not write there", f"see the owner and mode of {directory}"
        )
    return Finding("ports", "ok", f"{path} can be made")
