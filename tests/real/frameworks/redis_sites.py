"""The same sites by way of Redis' protocol: they know one name, by which the nodes are, and one port.

Each web server sees an /etc/hosts of its own, in which its own node comes first (named.py).
"""

import shutil
from pathlib import Path
from typing import ClassVar

from tests.real.generation import DEBIAN_13
from tests.real.named import NAME, NamedNodes

from .sites import HERE, PhpIni, PhpSite, Symfony


class RedisSite(PhpSite):
    """Three web servers, each of which begins at another node."""

    extension = "redis"

    def __init__(self, nodes: NamedNodes, directory: Path) -> None:
        super().__init__(nodes.ports, directory)
        self._redis_port = nodes.redis_port
        self._within = nodes.beginning_at

    def at_the_nodes(self, settings: str) -> str:
        for spelled in (f"{NAME}:", f"'{NAME}', "):
            settings = settings.replace(f"{spelled}6379", f"{spelled}{self._redis_port}")
        return settings

    def argv(self, port: int) -> list[str]:
        return [*self._within(self.first_node(port)), *super().argv(port)]

    def first_node(self, port: int) -> int:
        """The node that the web server on this port has first."""
        return self.ports.index(port)


class Laravel(RedisSite):
    name = "laravel"
    source = "laravel"
    needs: ClassVar = {"php/Illuminate/Foundation": "php-laravel-framework"}
    settings: ClassVar = {"laravel/redis.env": ".env"}

    def build(self) -> None:
        super().build()
        shutil.copytree(HERE / "laravel-redis", self.directory, dirs_exist_ok=True)
        for directory in ("bootstrap/cache", "storage/logs", "storage/framework"):
            (self.directory / directory).mkdir(parents=True)


class Laravel10(Laravel):
    """The same site on a later Laravel, a later PHP, and a later phpredis."""

    name = "laravel-10"
    generation = DEBIAN_13


class LaravelPredis(Laravel):
    """The same site with the client that is written in PHP."""

    name = "laravel-predis"
    needs: ClassVar = Laravel.needs | {"php/Predis": "php-predis"}

    def at_the_nodes(self, settings: str) -> str:
        settings = super().at_the_nodes(settings)
        return settings.replace("&read_timeout", "&read_write_timeout") + "REDIS_CLIENT=predis\n"


class SymfonyRedis(RedisSite):
    name = source = "symfony"
    needs = Symfony.needs
    settings: ClassVar = {
        "symfony/redis.yaml": "memrep.yaml",
        "symfony/MemrepRedisSessionHandler.php": "MemrepRedisSessionHandler.php",
    }


class SymfonyNative(RedisSite, PhpIni):
    """Sessions are PHP's own, by deploy/php/phpredis.ini; they are locked."""

    name = "symfony-native"
    source = "symfony"
    needs = Symfony.needs
    settings: ClassVar = {
        "symfony/redis-native.yaml": "memrep.yaml",
        "symfony/MemrepNativeSessionHandler.php": "MemrepNativeSessionHandler.php",
        "php/phpredis.ini": "ini/memrep-sessions.ini",
    }
