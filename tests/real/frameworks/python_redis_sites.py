"""Sites in Python whose sessions go over redis-py: each web server knows the nodes by one name, its own first.

The settings are the very files of deploy/, with nothing in them replaced but Redis' port.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tests.real.named import NamedNodes
from tests.real.processes import missing

from .sites import DJANGO_USERS, Site

COMMON = {"python/memrep_redis.py": "memrep_redis.py"}


class PythonRedisSite(Site):
    """Served by one thread for each web server, whose connections last.

    Args:
        cluster: the nodes.
        directory: where it has its own.
        library: where another version of redis-py than the installed one is; None for that.
    """

    program: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    def __init__(self, cluster: NamedNodes, directory: Path, library: Path | None = None) -> None:
        super().__init__(cluster.ports, directory)
        self._cluster = cluster
        paths = [self.directory, *([] if library is None else [library])]
        self.env |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "DJANGO_SETTINGS_MODULE": "settings"}

    def build(self) -> None:
        for package in ("redis", *self.packages):
            if find_spec(package) is None:
                missing(f"the Python package {package}")
        super().build()
        for file in self.settings.values():
            path = self.directory / file
            path.write_text(path.read_text().replace(":6379", f":{self._cluster.redis_port}"))

    def argv(self, port: int) -> list[str]:
        within = self._cluster.beginning_at(self.ports.index(port) % self._cluster.named)
        return [*within, sys.executable, str(self.directory / self.program), str(port)]


class DjangoRedis(PythonRedisSite):
    """Django's own cache."""

    name = "django"
    source = "django"
    program = "pages.py"
    packages: ClassVar[tuple[str, ...]] = ("django",)
    csrf_field = "csrfmiddlewaretoken"
    settings: ClassVar = COMMON | {
        "django/redis/memrep_settings.py": "memrep_settings.py",
        "django/memrep_sessions.py": "memrep_sessions.py",
    }

    def build(self) -> None:
        super().build()
        # Whoever makes the users needs no nodes, but the name of some.
        self.run(*self._cluster.beginning_at(0), sys.executable, "-m", "django", "shell", "-c", DJANGO_USERS)


class DjangoRedisPackage(DjangoRedis):
    """The package django-redis."""

    name = "django-redis"
    packages: ClassVar[tuple[str, ...]] = ("django", "django_redis")
    settings: ClassVar = COMMON | {
        "django/redis/django_redis_settings.py": "memrep_settings.py",
        "django/memrep_sessions.py": "memrep_sessions.py",
    }


class FlaskSession(PythonRedisSite):
    """The package Flask-Session."""

    name = source = "flask"
    program = "application.py"
    packages = ("flask", "flask_session")
    settings: ClassVar = COMMON | {"flask/memrep_sessions.py": "memrep_sessions.py"}
