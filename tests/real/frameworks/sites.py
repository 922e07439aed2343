"""Small real sites, one per framework, each on three web servers that share nothing but memrep.

All have the same pages, so that one `Visitor` can go through any of them: GET and POST /login, GET / which
counts a visit, and POST /order which counts an order if the form's CSRF token is right; the last two only for a
user who is logged in. Each page tells, as JSON, who the user is, both counts, and a fresh token.

A site's settings are the very files of deploy/, with the addresses in them replaced, so these cannot rot. What
a framework keeps elsewhere (the table of users, a key for cookies) is shared by the three web servers.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from functools import partial
from http.cookiejar import CookieJar
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from tests.real.generation import DEBIAN_13, INSTALLED, Generation
from tests.real.php import find_php
from tests.real.processes import CHECKOUT, HOST, Child, Family, PortLease, accepts, find_program, missing, until

HERE = Path(__file__).parent
DEPLOY = CHECKOUT / "deploy"
WEB_SERVERS = 3


class Refused(AssertionError):
    """The site answered with an error page; its status tells which."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status {status}: {text[:500]}")
        self.status = status


def with_addresses(settings: str, node_ports: Sequence[int]) -> str:
    """The settings for the nodes of a test in place of 10.1.1.1:11211 and so on, however they are spelled."""
    for number, port in enumerate(node_ports, 1):
        address = re.compile(rf"10\.{number}\.{number}\.{number}(\D{{1,14}})11211")
        settings, found = address.subn(rf"{HOST}\g<1>{port}", settings)
        assert found, f"node {number} is missing"
    return settings


class Site(Family):
    """Three web servers of one framework; entered with all of them serving."""

    name: ClassVar[str]
    #: The directory beside this file that it is made from.
    source: ClassVar[str]
    csrf_field: ClassVar[str] = "_token"
    #: Files of deploy/, and where they go in the site's directory.
    settings: ClassVar[dict[str, str]]

    def __init__(self, node_ports: Sequence[int], directory: Path) -> None:
        super().__init__()
        self._node_ports = node_ports
        self.directory = directory / self.name
        self.env = dict(os.environ) | {"SITE": str(self.directory)}
        self._lease = PortLease(WEB_SERVERS)
        self.ports = self._lease.ports

    def __enter__(self) -> Self:
        try:
            self.build()
            for port in self.ports:
                self.add(Child(f"{self.name}-{port}", self.argv(port), self.directory, env=self.env))
            for port in self.ports:
                until(partial(accepts, port), 15, f"{self.name} listens on port {port}")
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()

    def build(self) -> None:
        """Lay out the site's directory."""
        shutil.copytree(HERE / self.source, self.directory)
        for source, target in self.settings.items():
            text = self.at_the_nodes((DEPLOY / source).read_text())
            path = self.directory / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def at_the_nodes(self, settings: str) -> str:
        """These settings, with the nodes of the test where they name those of deploy/."""
        return with_addresses(settings, self._node_ports) if "10.1.1.1" in settings else settings

    def argv(self, port: int) -> list[str]:
        """The command of a web server on this port."""
        raise NotImplementedError

    def run(self, *argv: str) -> None:
        """Run a command of the site's own to its end."""
        done = subprocess.run(
            argv, check=False, cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


class PhpSite(Site):
    """Served by PHP's own web server: one process, which keeps nothing from one request to the next."""

    generation: ClassVar[Generation] = INSTALLED
    extension: ClassVar[str]
    #: What must be installed under /usr/share, and the Debian package that it comes with.
    needs: ClassVar[dict[str, str]]

    def build(self) -> None:
        for path, package in self.needs.items():
            if not self.generation.has(f"/usr/share/{path}"):
                missing(package)
        super().build()

    def argv(self, port: int) -> list[str]:
        php = find_php(self.extension, self.generation)
        return [*php, "-S", f"{HOST}:{port}", str(self.directory / "index.php")]


class Laravel(PhpSite):
    name = source = "laravel"
    extension = "memcached"
    needs: ClassVar = {"php/Illuminate/Foundation": "php-laravel-framework"}
    settings: ClassVar = {
        "laravel/env": ".env",
        "laravel/cache.php": "config/cache.php",
        "laravel/MemrepServiceProvider.php": "MemrepServiceProvider.php",
        "php/FailoverMemcached.php": "FailoverMemcached.php",
    }

    def build(self) -> None:
        super().build()
        for directory in ("bootstrap/cache", "storage/logs", "storage/framework"):
            (self.directory / directory).mkdir(parents=True)


class Laravel10(Laravel):
    """The same site on a later Laravel, and a later PHP."""

    name = "laravel-10"
    generation = DEBIAN_13


class Symfony(PhpSite):
    name = source = "symfony"
    extension = "memcached"
    needs: ClassVar = {
        "php/Symfony/Bundle/FrameworkBundle": "php-symfony-framework-bundle",
        "php/Symfony/Bundle/SecurityBundle": "php-symfony-security-bundle",
        "php/Symfony/Component/Yaml": "php-symfony-yaml",
    }
    settings: ClassVar = {
        "symfony/memrep.yaml": "memrep.yaml",
        "symfony/MemrepSessionHandler.php": "MemrepSessionHandler.php",
        "php/FailoverMemcached.php": "FailoverMemcached.php",
    }


class PhpIni(PhpSite):
    """A site whose sessions are PHP's own, by deploy/php/memcache.ini."""

    extension = "memcache"

    def __init__(self, node_ports: Sequence[int], directory: Path) -> None:
        super().__init__(node_ports, directory)
        # The empty entry in front is PHP's own list of directories.
        self.env["PHP_INI_SCAN_DIR"] = f":{self.directory / 'ini'}"


class SymfonyNative(PhpIni):
    name = "symfony-native"
    source = "symfony"
    needs = Symfony.needs
    settings: ClassVar = {
        "symfony/native.yaml": "memrep.yaml",
        "php/memcache.ini": "ini/memrep-sessions.ini",
    }


class WordPress(PhpIni):
    """WordPress with its database, and a plugin with a native PHP session."""

    name = source = "wordpress"
    needs: ClassVar = {"wordpress/wp-settings.php": "wordpress"}
    settings: ClassVar = {"php/memcache.ini": "ini/memrep-sessions.ini"}

    def build(self) -> None:
        mariadbd = find_program("mariadbd")
        super().build()
        for part in ("wp-includes", "wp-admin", "wp-settings.php"):
            (self.directory / part).symlink_to(Path("/usr/share/wordpress", part))
        plugins = self.directory / "wp-content/mu-plugins"
        plugins.mkdir(parents=True)
        (self.directory / "wp-content/themes").mkdir()
        self._start_database(mariadbd)
        self.run(*find_php("mysqli"), "install.php")
        # From now on it answers every page.
        (self.directory / "story.php").rename(plugins / "story.php")

    def _start_database(self, mariadbd: str) -> None:
        """An empty datadir is enough for a server without users: no mariadb-install-db, which takes seconds."""
        data = self.directory / "database"
        data.mkdir()
        socket = data / "socket"
        self.env["DB_SOCKET"] = str(socket)
        options = {
            "datadir": data,
            "socket": socket,
            "innodb-log-file-size": "4M",
            "innodb-buffer-pool-size": "16M",
            "innodb-flush-log-at-trx-commit": 0,
        }
        argv = [mariadbd, "--no-defaults", "--skip-networking", "--skip-grant-tables"]
        argv += [f"--{name}={value}" for name, value in options.items()]
        self.add(Child("mariadbd", [*argv, *(["--user=root"] if os.geteuid() == 0 else [])], self.directory))
        until(socket.exists, 30, "the database listens")


class Django(Site):
    """Served by one thread for each web server, which remembers what it thinks of the nodes."""

    name = source = "django"
    csrf_field = "csrfmiddlewaretoken"
    settings: ClassVar = {
        "django/memrep_settings.py": "memrep_settings.py",
        "django/memrep_cache.py": "memrep_cache.py",
        "django/memrep_sessions.py": "memrep_sessions.py",
    }

    def __init__(self, node_ports: Sequence[int], directory: Path) -> None:
        super().__init__(node_ports, directory)
        self.env |= {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(self.directory)}

    def build(self) -> None:
        for package in ("django", "pymemcache"):
            if find_spec(package) is None:
                missing(f"the Python package {package}")
        super().build()
        self.run(sys.executable, "-m", "django", "shell", "-c", DJANGO_USERS)

    def argv(self, port: int) -> list[str]:
        return [sys.executable, str(self.directory / "pages.py"), str(port)]


DJANGO_USERS = """
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_user("ada", password="lovelace")
"""


class Visitor:
    """A browser that turns to another web server each time, and knows what every page has to say."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._asked = 0
        # No proxies: those of the environment are not meant for loopback.
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        self.visits = 0
        self.orders = 0
        self._token = ""

    @property
    def next_port(self) -> int:
        """The web server that will be asked for the next page."""
        return self.site.ports[self._asked % len(self.site.ports)]

    def login(self) -> None:
        self._token = self._ask("login")["token"]
        self._ask("login", name="ada", password="lovelace")
        self.visit()

    def visit(self) -> None:
        """Look at the page, whose form the next order will come from."""
        page = self._ask("")
        self.visits += 1
        self._check(page)
        self._token = page["token"]

    def order(self) -> None:
        """Send the form that was rendered some time ago, and was not sent yet."""
        page = self._ask("order", order="one book")
        self.orders += 1
        self._check(page)

    def tour(self) -> None:
        """Send the form of before and look around, once at each web server."""
        self.order()
        for _ in range(WEB_SERVERS - 1):
            self.visit()

    def tries_a_forged_form(self) -> None:
        genuine, self._token = self._token, "forged"
        try:
            self._ask("order", order="one book")
        except Refused as refused:
            assert refused.status in (403, 419), refused
        else:
            raise AssertionError("a forged token was accepted")
        finally:
            self._token = genuine

    def _check(self, page: dict[str, str]) -> None:
        told = {name: page[name] for name in ("user", "visits", "orders")}
        assert told == {"user": "ada", "visits": self.visits, "orders": self.orders}

    def _ask(self, path: str, **form: str) -> dict[str, str]:
        """What the page says; with a form, what it answers to it."""
        url = f"http://{HOST}:{self.next_port}/{path}"
        self._asked += 1
        fields = form | {self.site.csrf_field: self._token}
        body = urllib.parse.urlencode(fields).encode() if form else None
        request = urllib.request.Request(url, body, {"Accept": "application/json"})
        try:
            with self._browser.open(request, timeout=30) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None
        try:
            page: dict[str, str] = json.loads(text)
        except ValueError:
            raise AssertionError(f"not a page of this site: {text[:500]}") from None
        return page
