"""The tutorial with pound: a visit counter behind a balancer that keeps a visitor at one web server, or not.

With `Session Type COOKIE` pound sends a visitor to the web server that he was at before, for as long as that
one lives; sites that keep sessions on each server need it. Here it may be on or off, and is nothing that
anything depends on: the web server that the visitor sticks to may be gone, its node as well, or both.
"""

import itertools
import os
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Self

import pytest

from .cluster import Cluster
from .generation import DEBIAN_13
from .php import HERE, find_php, pecl_memcache
from .processes import HOST, Child, Family, PortLease, accepts, until

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("debian_13")]

WEB_SERVERS = ["web1", "web2", "web3"]

STICKY = """
        Session
            Type COOKIE
            ID "PHPSESSID"
            TTL 300
        End
"""

POUND = """
Daemon 0
Supervisor 0
# How soon a web server that is gone is looked for again, and given up.
Alive 1
ConnTO 1
ListenHTTP
    Address {host}
    Port {port}
    Service
        Balancer iwrr
{session}
{backends}
    End
End
"""


class Site(Family):
    """pound, and three web servers of which each can be killed by itself."""

    def __init__(self, settings: dict[str, str], sticky: bool, directory: Path) -> None:
        super().__init__()
        self._settings = settings
        self._sticky = sticky
        self._directory = directory
        self._lease = PortLease(1 + len(WEB_SERVERS))
        self.balancer, *ports = self._lease.ports
        self._ports = dict(zip(WEB_SERVERS, ports, strict=True))

    def __enter__(self) -> Self:
        try:
            for name in WEB_SERVERS:
                self.start(name)
            self._start_pound()
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()

    def start(self, name: str) -> None:
        """Start this web server; return when it serves."""
        php = find_php(self._settings["session.save_handler"])
        options = [f'-d{key}="{value}"' for key, value in self._settings.items()]
        argv = [*php, *options, "-S", f"{HOST}:{self._ports[name]}", str(HERE / "visits.php")]
        self.add(Child(name, argv, self._directory, env=os.environ | {"WEB_SERVER": name}))
        until(partial(accepts, self._ports[name]), 15, f"{name} listens")

    def kill(self, name: str) -> None:
        """End this web server at once."""
        self.children[name].kill()

    def wait_taken_back(self, name: str) -> None:
        """Return when pound, which has given this web server up, sends visitors there again."""
        until(
            lambda: name in [Visitor(self).visit() for _ in WEB_SERVERS], 30, f"pound sends visitors to {name}"
        )

    def _start_pound(self) -> None:
        backends = "\n".join(
            f"        Backend\n            Address {HOST}\n            Port {port}\n        End"
            for port in self._ports.values()
        )
        config = self._directory / "pound.cfg"
        session = STICKY if self._sticky else ""
        config.write_text(POUND.format(host=HOST, port=self.balancer, session=session, backends=backends))
        pid = self._directory / "pound.pid"
        argv = [*DEBIAN_13.command("pound"), "-e", "-f", str(config), "-p", str(pid)]
        self.add(Child("pound", argv, self._directory))
        until(partial(accepts, self.balancer), 15, "pound listens")


class Visitor:
    """A browser: it keeps its cookie, and checks that each visit counts one more."""

    def __init__(self, site: Site) -> None:
        self._url = f"http://{HOST}:{site.balancer}/"
        self._cookies = CookieJar()
        # No proxies: those of the environment are not meant for loopback.
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self._due = itertools.count(1)

    def visit(self) -> str:
        """Look at the page; which web server has shown it."""
        with self._browser.open(self._url, timeout=30) as response:
            text: str = response.read().decode()
        web_server, _, count = text.partition(" ")
        assert count == str(next(self._due)), text
        return web_server

    def tour(self) -> list[str]:
        """As many visits as there are web servers; who has shown them."""
        return [self.visit() for _ in WEB_SERVERS]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(3, tmp_path) as nodes:
        yield nodes


@pytest.mark.parametrize("sticky", [True, False], ids=["sticky", "round robin"])
def test_the_visit_counter_survives_web_servers_and_nodes_alike(
    sticky: bool, cluster: Cluster, tmp_path: Path
) -> None:
    with Site(pecl_memcache(cluster.ports, cluster.count), sticky, tmp_path) as site:
        visitor = Visitor(site)
        visitor.visit()  # whose answer brings the cookie
        assert len(set(visitor.tour())) == (1 if sticky else len(WEB_SERVERS))
        for i in range(cluster.count):
            cluster.kill(i)
            visitor.tour()
            cluster.start(i)
            visitor.tour()
            cluster.wait_healed()
            at = visitor.visit()
            site.kill(at)
            assert at not in visitor.tour()
            site.start(at)
            site.wait_taken_back(at)
            visitor.tour()
        for i in (0, 1):
            cluster.kill(i)
        site.kill(visitor.visit())
        visitor.tour()
