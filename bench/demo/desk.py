"""The desk: the page, what it asks for twice a second, and the orders of whoever looks at it.

It listens on loopback, and heeds nobody who was sent by a page from elsewhere: an order has to name this very
port as its origin, and carry a header that no form of another page can send.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from bench.demo.servers import Stage
from bench.demo.visitor import Visitor
from tests.real.processes import HOST

_PAGE: Final = Path(__file__).with_name("page")
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SHOP_TIMEOUT_S: Final = 30.0


class Desk(ThreadingHTTPServer):
    """Serves the page.

    Args:
        listener: a socket that listens, maybe in another network than this process's.
        stage: what orders are given to.
        visitors: who visits, by what keeps the sessions.
    """

    daemon_threads = True

    def __init__(self, listener: socket, stage: Stage, visitors: dict[str, Visitor]) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.stage = stage
        self.visitors = visitors
        self.ended = threading.Event()

    @property
    def origin(self) -> str:
        """Return what the page's address begins with."""
        return f"http://{HOST}:{self.server_address[1]}"

    def state(self, since: dict[str, int]) -> dict[str, Any]:
        """Return all that the page shows; of the visitors the pages behind these numbers."""
        told = self.stage.told()
        return {
            "conditions": self.stage.conditions,
            "visitors": {name: one.told(since.get(name, 0)) for name, one in self.visitors.items()},
            "status": None if told is None else json.loads(told),
        }


class _Handler(BaseHTTPRequestHandler):
    server: Desk
    server_version = "memrep-demo"
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page asks twice a second."""

    def do_GET(self) -> None:
        """Answer with a file, the state, or a page of one of the sites."""
        url = urlsplit(self.path)
        if not self._is_meant():
            return
        if url.path == "/favicon.ico":
            self._answer(204, b"")
        elif url.path in _FILES:
            name, kind = _FILES[url.path]
            self._answer(200, (_PAGE / name).read_bytes(), kind)
        elif url.path == "/state":
            since = {name: int(of[0]) for name, of in parse_qs(url.query).items() if of[0].isdigit()}
            self._answer(200, json.dumps(self.server.state(since)).encode(), "application/json")
        elif (name := url.path.removeprefix("/shop/")) in self.server.stage.sites:
            self._shop(name)
        else:
            self._answer(404, b"there is nothing here\n")

    def do_POST(self) -> None:
        """Carry out an order: /do/CONDITION/SERVER, or /do/back/SERVER."""
        if not self._is_meant():
            return
        if self.headers.get("Origin") != self.server.origin or self.headers.get("X-Demo") != "1":
            self._answer(403, b"orders come from the page itself\n")
            return
        _, _, order = self.path.partition("/do/")
        what, _, digits = order.partition("/")
        if not (digits.isdigit() and int(digits) < len(self.server.stage.conditions)):
            self._answer(404, b"there is no such server\n")
            return
        what = what.replace("-", " ")
        done = (
            self.server.stage.bring_back(int(digits))
            if what == "back"
            else self.server.stage.strike(int(digits), what)
        )
        self._answer(200 if done else 409, b"done\n" if done else b"not now\n")

    def _is_meant(self) -> bool:
        """Tell whether this desk is asked by its own name, and not by one that leads to loopback by deceit."""
        if f"http://{self.headers.get('Host', '')}" == self.server.origin:
            return True
        self._answer(421, f"this is {self.server.origin}\n".encode())
        return False

    def _shop(self, name: str) -> None:
        """Hand a visit on to a site, whose cookie belongs to this path only."""
        request = urllib.request.Request(f"http://{HOST}:{self.server.stage.sites[name].balancer}/")
        if cookie := self.headers.get("Cookie"):
            request.add_header("Cookie", cookie)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_SHOP_TIMEOUT_S) as response:
                said, cookies = response.read(), response.headers.get_all("Set-Cookie") or []
        except urllib.error.HTTPError as error:
            with error:
                self._answer(error.code, b"an error page\n")
            return
        except OSError:
            self._answer(502, b"no web server answers\n")
            return
        web_server, _, count = said.decode(errors="replace").partition(" ")
        text = f"{web_server}: this is your visit number {count}\n".encode()
        self._answer(200, text, cookies=[one.replace("path=/", f"path=/shop/{name}") for one in cookies])

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str = "text/plain; charset=utf-8",
        cookies: tuple[str, ...] | list[str] = (),
    ) -> None:
        self.send_response(status)
        for name, text in _HEADERS.items():
            self.send_header(name, text)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
