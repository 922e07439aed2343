"""A site behind a balancer: web servers that share nothing but their nodes, and a visitor with one cookie.

nginx hands each request to the next web server, without stickiness; each web server is an nginx server with a
php-fpm of its own. The page is a visit counter (visits.php). Every page view must count one more than the last,
whichever web server answers.
"""

from __future__ import annotations

import os
import pwd
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Final, Self

import attrs

from .generation import USED
from .php import HERE, find_php
from .processes import HOST, Child, Family, PortLease, accepts, find_program, until

#: How long a page may take, s: longer than any client of a node waits.
PAGE_TIMEOUT_S: Final = 30

SERVER = """
    server {
        listen 127.0.0.1:@PORT@;
        add_header Web-Server @NAME@ always;    # on the page of an error, too
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


def filled(template: str, **words: object) -> str:
    """The template with each @WORD@ replaced."""
    for word, text in words.items():
        template = template.replace(f"@{word}@", str(text))
    return template


class Site(Family):
    """nginx and php-fpm: a balancer, and web servers with these session settings.

    Args:
        settings: those of PHP.
        directory: for configurations and logs.
        within: for each web server the command within which its PHP runs, and so what it sees of the machine.
    """

    def __init__(
        self, settings: dict[str, str], directory: Path, within: Sequence[Sequence[str]] = ((), (), ())
    ) -> None:
        super().__init__()
        self._settings = settings
        self._directory = directory
        self._within = within
        self.web_servers = [f"web{number}" for number in range(1, len(within) + 1)]
        self._lease = PortLease(1 + 2 * len(within))
        self.balancer, *ports = self._lease.ports
        self._web_ports, self._fpm_ports = ports[: len(within)], ports[len(within) :]

    def __enter__(self) -> Self:
        try:
            find_php(self._settings["session.save_handler"])
            for name, port, within in zip(self.web_servers, self._fpm_ports, self._within, strict=True):
                self._start_php(name, port, within)
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

    def _start_php(self, name: str, port: int, within: Sequence[str]) -> None:
        # Started by root, php-fpm wants to be told that its workers may stay root.
        root = os.geteuid() == 0
        config = self._config(
            "php-fpm.conf",
            name,
            NAME=name,
            FPM=port,
            USER=f"user = {user_name()}" if root else "",
            SETTINGS="\n".join(f'php_admin_value[{key}] = "{value}"' for key, value in self._settings.items()),
        )
        argv = [*within, *USED.generation.command("php-fpm"), "--nodaemonize", "-y", config]
        argv += ["--allow-to-run-as-root"] if root else []
        self.add(Child(f"php-fpm-{name}", argv, self._directory))

    def _start_nginx(self) -> None:
        nginx = find_program("nginx")
        servers = [
            filled(SERVER, NAME=name, PORT=web, FPM=fpm, SCRIPT=HERE / "visits.php")
            for name, web, fpm in zip(self.web_servers, self._web_ports, self._fpm_ports, strict=True)
        ]
        config = self._config(
            "nginx.conf",
            "site",
            BALANCER=self.balancer,
            # The workers would become "nobody", who may not enter a test's directory.
            USER=f"user {user_name()};" if os.geteuid() == 0 else "",
            UPSTREAMS="\n".join(f"        server {HOST}:{port} max_fails=0;" for port in self._web_ports),
            SERVERS="\n".join(servers),
        )
        prefix = str(self._directory)
        self.add(Child("nginx", [nginx, "-p", prefix, "-e", "stderr", "-c", config], self._directory))

    def _config(self, template: str, name: str, **words: object) -> str:
        path = self._directory / f"{name}-{template}"
        path.write_text(filled((HERE / f"{template}.in").read_text(), DIRECTORY=self._directory, **words))
        return str(path)


@attrs.frozen
class Page:
    """What a visitor was shown: by which web server, and the count; None for the page of an error."""

    web_server: str
    count: int | None


class Visitor:
    """A browser: it keeps its cookie, and checks that each visit counts one more.

    Where a visit may fail it may have been counted or not, which the next page tells; any other count is a
    visitor who was logged out, or was shown the session of another one.

    Attributes:
        pages: what it was shown.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._url = f"http://{HOST}:{site.balancer}/"
        self._cookies = CookieJar()
        # No proxies: those of the environment are not meant for loopback.
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self._counted = 0  # as the last page told,
        self._unknown = 0  # and the visits since then of which nobody knows
        self.pages: list[Page] = []

    @property
    def session(self) -> str:
        """The id of its one session."""
        (cookie,) = self._cookies
        return str(cookie.value)

    @property
    def answered_by(self) -> list[str]:
        """The web servers, in order."""
        return [page.web_server for page in self.pages]

    def visit(self, when: str) -> Page:
        """A visit that must not fail."""
        page = self.try_to_visit(when)
        assert page.count is not None, f"an error page, {when}"
        return page

    def try_to_visit(self, when: str) -> Page:
        """A visit that may be answered with the page of an error, by status 500."""
        try:
            with self._browser.open(self._url, timeout=PAGE_TIMEOUT_S) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 500, f"status {error.code}, {when}"
                self.pages.append(Page(error.headers["Web-Server"], None))
            self._unknown += 1
            return self.pages[-1]
        web_server, _, count = text.partition(" ")
        due = range(self._counted + 1, self._counted + self._unknown + 2)
        assert count.isdigit() and int(count) in due, f"{text!r} instead of visit {due[0]}, {when}"
        self._counted, self._unknown = int(count), 0
        self.pages.append(Page(web_server, int(count)))
        return self.pages[-1]

    def tour(self, when: str) -> None:
        """One visit to each web server."""
        for _ in self._site.web_servers:
            self.visit(when)


class Audience:
    """Visitors who come again and again, all at the same time."""

    def __init__(self, site: Site, count: int) -> None:
        self.visitors = [Visitor(site) for _ in range(count)]
        self._failures: list[BaseException] = []

    @contextmanager
    def visiting(self, when: str, at_least: int = 0) -> Iterator[list[Page]]:
        """All visit while this lasts, and so often each; filled is a list of the errors that they are shown."""
        before = [len(visitor.pages) for visitor in self.visitors]
        over = threading.Event()
        threads = [
            threading.Thread(target=self._visit, args=(visitor, when, len(visitor.pages) + at_least, over))
            for visitor in self.visitors
        ]
        for thread in threads:
            thread.start()
        errors: list[Page] = []
        try:
            yield errors
        finally:
            over.set()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]
        shown = [page for visitor, n in zip(self.visitors, before, strict=True) for page in visitor.pages[n:]]
        errors += [page for page in shown if page.count is None]
        print(f"{when}: {len(shown)} pages, {len(errors)} errors")

    def _visit(self, visitor: Visitor, when: str, pages: int, over: threading.Event) -> None:
        try:
            while not over.is_set() or len(visitor.pages) < pages:
                visitor.try_to_visit(when)
        except BaseException as failure:
            self._failures.append(failure)


def user_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
