"""What memrep holds goes into a file and back, and to the handlers that were there before."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from redis import Redis

from .generation import both_generations
from .moving import (
    SESSIONS,
    RedisServer,
    assert_all_go_on,
    at,
    files,
    memrep,
    settings_at,
    visitors,
)
from .named import NamedNodes
from .processes import HOST

pytestmark = [pytest.mark.real, both_generations]

each_handler = pytest.mark.parametrize("handler", ["memcache", "memcached", "redis"])


def begin_at(nodes: NamedNodes, handler: str, directory: Path) -> None:
    """Let all visitors come twice, and leave the lock of one who is still there."""
    with visitors(settings_at(nodes, handler), directory, "before", nodes) as php:
        assert_all_go_on(php, 0)
        assert_all_go_on(php, 1)


@each_handler
def test_phps_files_go_on_with_what_memrep_held(handler: str, tmp_path: Path) -> None:
    kept = tmp_path / "sessions"
    kept.mkdir()
    with NamedNodes(2, tmp_path) as nodes:
        begin_at(nodes, handler, tmp_path)
        gone = memrep("dump", "--as", "files", str(kept), "--owner", "root", *at(nodes))
        assert (gone.code, gone.figure("written")) == (0, SESSIONS), gone
        again = memrep("dump", "--as", "files", str(kept), "--owner", "root", "--only-missing", *at(nodes))
        assert (again.figure("written"), again.figure("there already")) == (0, SESSIONS), again
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    with visitors(files(kept), tmp_path, "after") as php:
        assert_all_go_on(php, 2)


@each_handler
def test_redis_goes_on_with_what_memrep_held(handler: str, tmp_path: Path) -> None:
    with NamedNodes(2, tmp_path) as nodes, RedisServer(tmp_path) as server:
        begin_at(nodes, handler, tmp_path)
        settings = server.settings()
        gone = memrep("dump", "--as", "redis", settings["session.save_path"], *at(nodes))
        assert (gone.code, gone.figure("written")) == (0, SESSIONS), gone
        with visitors(settings, tmp_path, "after") as php:
            assert_all_go_on(php, 2)
        with Redis(HOST, server.port) as client:
            assert all(0 < client.ttl(key) <= 1440 for key in client.scan_iter())


@each_handler
def test_sessions_go_on_at_other_nodes_by_a_dump(handler: str, tmp_path: Path) -> None:
    dump = tmp_path / "sessions.dump"
    with NamedNodes(2, tmp_path) as nodes:
        begin_at(nodes, handler, tmp_path)
        made = memrep("dump", str(dump), *at(nodes))
        assert (made.code, made.figure("written")) == (0, SESSIONS), made
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    (tmp_path / "new").mkdir()
    with NamedNodes(2, tmp_path / "new") as nodes:
        restored = memrep("restore", str(dump), *at(nodes))
        assert (restored.code, restored.figure("written")) == (0, SESSIONS), restored
        with visitors(settings_at(nodes, handler), tmp_path, "after", nodes) as php:
            assert_all_go_on(php, 2)
            again = memrep("restore", str(dump), "--only-missing", *at(nodes))
            assert (again.figure("written"), again.figure("there already")) == (0, SESSIONS), again
            assert_all_go_on(php, 3)


def test_a_dump_keeps_flags_times_and_databases_and_leaves_locks_out(tmp_path: Path) -> None:
    dump = tmp_path / "sessions.dump"
    (tmp_path / "new").mkdir()
    with NamedNodes(1, tmp_path) as nodes:
        nodes.talk(0, b"set one 4294967295 1000 3\r\n\0\r\n", b"STORED\r\n")
        nodes.talk(0, b"set two 0 0 0\r\n", b"STORED\r\n")
        nodes.talk(0, b"set one.lock 768 15 1\r\n1", b"STORED\r\n")
        with Redis(nodes.redis_address(0), nodes.redis_port, db=5) as client:
            client.set("elsewhere", "far", px=500_000)
            client.set("one_LOCK", "host|17")
        with Redis(nodes.redis_address(0), nodes.redis_port) as client:
            client.set("with a blank", "b", ex=700)
            client.set("k" * 300, "long", ex=800)
            client.set("three", "x", ex=5_184_000)  # longer than memcached's 30 days
        made = memrep("dump", str(dump), *at(nodes))
        assert (made.figure("written"), made.figure("locks")) == (6, 2), made
    with NamedNodes(1, tmp_path / "new") as nodes:
        assert memrep("restore", str(dump), *at(nodes)).line.startswith("6 found, 6 written")
        assert nodes.stored(0, "one") == b"VALUE one 4294967295 3\r\n\0\r\n\r\nEND\r\n"
        with Redis(nodes.redis_address(0), nodes.redis_port) as client:
            assert client.ttl("two") == -1
            assert 990 < client.ttl("one") <= 1000
            assert 5183900 < client.ttl("three") <= 5184001
            assert (client.get("with a blank"), client.get("k" * 300)) == (b"b", b"long")
            assert 690 < client.ttl("with a blank") <= 700
            assert 790 < client.ttl("k" * 300) <= 800
        with Redis(nodes.redis_address(0), nodes.redis_port, db=5) as client:
            assert (client.get("elsewhere"), client.keys()) == (b"far", [b"elsewhere"])


def test_a_node_without_a_port_for_redis_clients_says_how_to_give_it_one(tmp_path: Path) -> None:
    with NamedNodes(1, tmp_path) as nodes:
        refused = memrep("dump", str(tmp_path / "none"), *at(nodes)[:2])
    assert (refused.code, "--redis PORT" in refused.line) == (2, True), refused
    assert not [path for path in tmp_path.iterdir() if "none" in path.name]
