"""What php.ini says is understood as it stands there; a mistake is answered by one line."""

from __future__ import annotations

import pytest

from memrep.errors import UsageError
from memrep.handlers.places import Place, Server, parse_place, parse_server


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("files:/var/lib/php/sessions", Place("files", path="/var/lib/php/sessions")),
        ("files:2;0600;/srv/s", Place("files", path="2;0600;/srv/s")),
        (
            "memcache:tcp://10.0.0.1:11211?persistent=1&weight=2,tcp://10.0.0.2:11212",
            Place("memcache", (Server("10.0.0.1", 11211), Server("10.0.0.2", 11212))),
        ),
        (
            "memcached:one:11211:20,/run/m.sock",
            Place("memcached", (Server("one", 11211), Server("", 0, "/run/m.sock"))),
        ),
        ("redis:tcp://[::1]:6379", Place("redis", (Server("::1", 6379),))),
        (
            "redis:tcp://one:6379?auth=pw&database=3&prefix=app:",
            Place("redis", (Server("one", 6379, password="pw", database=3, prefix="app:"),)),
        ),
        ("valkey:one", Place("redis", (Server("one", 6379),))),
        ("lines:-", Place("lines", path="-")),
        ("laravel-files:/srv/s", Place("laravel-files", path="/srv/s")),
    ],
)
def test_a_save_path_is_read_as_php_reads_it(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("query", ["auth[user]=u&auth[pass]=p", "auth[]=u&auth[]=p"])
def test_a_user_is_named_as_phpredis_names_him(query: str) -> None:
    assert parse_server(f"unix:///run/r.sock?{query}", 6379) == Server(
        "", 0, "/run/r.sock", user="u", password="p"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/var/lib/php/sessions", "does not say whence"),
        ("mysql:x", "does not say whence"),
        ("files:", "does not say whence"),
        ("memcache:,", "names no server"),
        ("memcache:one:0", "no HOST:PORT"),
        ("memcache:one:65536", "no HOST:PORT"),
        ("redis:tls://one:6379", "TLS is not spoken here"),
        ("redis:one?database=x", "is no number"),
    ],
)
def test_a_mistake_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_place(text)


def test_a_server_is_spelled_as_people_write_it() -> None:
    servers = [Server("::1", 1), Server("one", 2), Server("", 0, "/run/x")]
    assert [str(server) for server in servers] == ["[::1]:1", "one:2", "/run/x"]
