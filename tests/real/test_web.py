"""The tutorial: a visit counter behind a balancer, over three web servers that share nothing else.

nginx hands each request to the next web server, without stickiness; each web server is an nginx
server with a php-fpm pool of its own, and all have the same session.save_path with three memrep
nodes in it. The visitor has one cookie. Every page view must count one more than the last, whichever
web server answers and whichever nodes are alive.
"""

import itertools
import os
import pwd
import urllib.request
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Self

import pytest

from .cluster import Cluster
from .generation import USED, both_generations
from .php import HERE, find_php, pecl_memcache
from .processes import HOST, Child, Family, PortLease, accepts, find_program, until

pytestmark = [pytest.mark.real, both_generations]

WEB_SERVERS = ["web1", "web2", "web3"]

SERVER = """
    server {
        listen 127.0.0.1:@PORT@;
        location / {
            fastcgi_pass 127.0.0.1:@FPM@;
            fastcgi_param SCRIPT_FILENAME @SCRIPT@;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
        }
    }
"""

POOL = """
[@NAME@]
listen = 127.0.0.1:@FPM@
pm = static
pm.max_children = 2
catch_workers_output = yes
env[WEB_SERVER] = @NAME@
@USER@
@SETTINGS@
"""


def filled(template: str, **words: object) -> str:
    """The template with each @WORD@ replaced."""
    for word, text in words.items():
        template = template.replace(f"@{word}@", str(text))
    return template


class Site(Family):
    """nginx and php-fpm: a balancer and three web servers with these session settings."""

    def __init__(self, settings: dict[str, str], directory: Path) -> None:
        super().__init__()
        self._settings = settings
        self._directory = directory
        self._lease = PortLease(1 + 2 * len(WEB_SERVERS))
        self.balancer, *ports = self._lease.ports
        self._web_ports, self._fpm_ports = ports[: len(WEB_SERVERS)], ports[len(WEB_SERVERS) :]

    def __enter__(self) -> Self:
        try:
            self._start_php()
            self._start_nginx()
            for port in self._lease.ports:
                until(partial(accepts, port), 15, f"the site listens on port {port}")
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()

    def _start_php(self) -> None:
        find_php(self._settings["session.save_handler"])
        fpm = USED.generation.command("php-fpm")
        # Started by root, php-fpm wants to be told that its workers may stay root.
        root = os.geteuid() == 0
        user = f"user = {user_name()}" if root else ""
        settings = "\n".join(f'php_admin_value[{key}] = "{value}"' for key, value in self._settings.items())
        pools = [
            filled(POOL, NAME=name, FPM=port, USER=user, SETTINGS=settings)
            for name, port in zip(WEB_SERVERS, self._fpm_ports, strict=True)
        ]
        config = self._config("php-fpm.conf", POOLS="\n".join(pools))
        as_root = ["--allow-to-run-as-root"] if root else []
        self.add(Child("php-fpm", [*fpm, "--nodaemonize", *as_root, "-y", config], self._directory))

    def _start_nginx(self) -> None:
        nginx = find_program("nginx")
        servers = [
            filled(SERVER, PORT=web, FPM=fpm, SCRIPT=HERE / "visits.php")
            for web, fpm in zip(self._web_ports, self._fpm_ports, strict=True)
        ]
        config = self._config(
            "nginx.conf",
            BALANCER=self.balancer,
            # The workers would become "nobody", who may not enter a test's directory.
            USER=f"user {user_name()};" if os.geteuid() == 0 else "",
            UPSTREAMS="\n".join(f"        server {HOST}:{port} max_fails=0;" for port in self._web_ports),
            SERVERS="\n".join(servers),
        )
        prefix = str(self._directory)
        self.add(Child("nginx", [nginx, "-p", prefix, "-e", "stderr", "-c", config], self._directory))

    def _config(self, name: str, **words: object) -> str:
        template = (HERE / f"{name}.in").read_text()
        path = self._directory / name
        path.write_text(filled(template, DIRECTORY=self._directory, **words))
        return str(path)


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
        self.answered_by: list[str] = []

    def visit(self, when: str) -> None:
        with self._browser.open(self._url, timeout=30) as response:
            text = response.read().decode()
        due = next(self._due)
        print(f"{text:12} {when}")
        web_server, _, count = text.partition(" ")
        assert count == str(due), f"{text!r} instead of visit {due}, {when}"
        self.answered_by.append(web_server)

    def tour(self, when: str) -> None:
        """One visit to each web server."""
        for _ in WEB_SERVERS:
            self.visit(when)

    @property
    def sessions(self) -> int:
        return len(self._cookies)


def user_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def test_the_visit_counter_survives_whatever_happens_to_the_nodes(tmp_path: Path) -> None:
    with (
        Cluster(3, tmp_path) as cluster,
        Site(pecl_memcache(cluster.ports, cluster.count), tmp_path) as site,
    ):
        visitor = Visitor(site)
        visitor.tour("all nodes serve")
        for i in range(cluster.count):
            cluster.stop(i)
            visitor.visit(f"node {i} stopped")
            cluster.start(i)
            visitor.visit(f"node {i} starts")
            cluster.wait_healed()
            visitor.tour(f"node {i} is back")
        for survivor in range(cluster.count):
            victims = [i for i in range(cluster.count) if i != survivor]
            for victim in victims:
                cluster.kill(victim)
            visitor.tour(f"only node {survivor} was not killed")
            for victim in victims:
                cluster.start(victim)
            visitor.visit("two nodes start")
            cluster.wait_healed()
            visitor.tour("all nodes are back")
        assert visitor.answered_by == [
            name for name, _ in zip(itertools.cycle(WEB_SERVERS), visitor.answered_by, strict=False)
        ]
        assert visitor.sessions == 1
