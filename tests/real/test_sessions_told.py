"""Sessions of real PHP are found, shown and ended by an operator, and the visitor begins anew at every node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .administered import Administered
from .parallel import Worker
from .php import pecl_memcache, php_memcached_binary, session_ids

pytestmark = pytest.mark.real


@pytest.mark.parametrize("handler", ["pecl-memcache", "php-memcached"])
def test_a_visitors_session_is_found_and_ended_everywhere_and_nobody_elses(
    handler: str, tmp_path: Path
) -> None:
    with Administered(2, tmp_path) as cluster:
        pecl = handler == "pecl-memcache"
        settings = pecl_memcache(cluster.ports, 2) if pecl else php_memcached_binary(cluster.ports)
        one, two = session_ids(2)
        with Worker(settings, tmp_path, "php", sessions=2) as php:
            for count in range(3):
                for session in range(2):
                    assert (php.visit(session).found or 0) == count
            found = json.loads(cluster.done(1, "sessions", "find", one[:8], "-w", "json"))
            (key,) = [session["key"] for session in found["sessions"]]
            assert key.endswith(one)
            value = cluster.done(0, "sessions", "show", one, "--value")
            assert value
            assert cluster.done(0, "sessions", "kill", one) == "ended 1\n"
            assert cluster.ask(1, "sessions", "show", one).returncode == 1
            assert not php.visit(0).found
            assert php.visit(1).found == 3
            everybody = json.loads(cluster.done(1, "sessions", "count", "--match", value[:3], "-w", "json"))
            assert everybody["total"] == 2
            assert cluster.done(1, "sessions", "kill", "--match", value[:3], "--yes") == "ended 2\n"
            assert not php.visit(0).found
            assert not php.visit(1).found
        log = (cluster.node(1).log).read_text()
        assert log.count("asked for by user") == 1
        assert two not in log


def test_very_many_are_ended_and_clients_are_served_meanwhile(tmp_path: Path) -> None:
    with Administered(2, tmp_path) as cluster:
        many = b"".join(b"set k%d 0 0 4 noreply\r\nu:42\r\n" % n for n in range(5_000))
        cluster.talk(0, many + b"mn", end=b"MN\r\n")
        cluster.talk(0, b"set other 0 0 4\r\nu:43", end=b"STORED\r\n")
        assert cluster.done(0, "sessions", "kill", "--match", "u:42", "--yes") == "ended 5,000\n"
        for i in range(2):
            assert cluster.stored(i, "k4999") == b"END\r\n"
            assert cluster.stored(i, "other") == b"VALUE other 0 4\r\nu:43\r\nEND\r\n"
