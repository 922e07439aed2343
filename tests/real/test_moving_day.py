"""The day of the move, played: visitors keep coming while web servers are switched, and nobody loses anything.

One by one behind a balancer that sticks, or half by half behind one that does not: in both a visitor who has
come to memrep once does not go back to the old store. What is in nobody's way comes by `import` at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from .cluster import Unreplicated
from .generation import both_generations
from .moving import SESSIONS, RedisServer, at, begin, files, memrep, settings_at
from .moving_day import Day, MovingNodes, Settings, site
from .named import NamedNodes
from .php import pecl_memcache, php_memcached_binary
from .processes import until

pytestmark = [pytest.mark.real, both_generations]


#: phpredis locks sessions only if it is told to, and as it comes it waits for 20 ms.
LOCKING: Final = {"redis.session.locking_enabled": "1", "redis.session.lock_retries": "-1"}


class Old(NamedTuple):
    """What people run before they come.

    Attributes:
        settings: what php.ini says on each web server.
        origin: what `memrep import` is told of it,
        words: and `--fallback` behind that.
        handler: which handler reads memrep afterwards.
    """

    settings: Settings
    origin: str
    words: str
    handler: str


@contextmanager
def old_store(kind: str, directory: Path) -> Iterator[Old]:
    """A store of this kind, with all visitors' sessions in it."""
    (directory / "old").mkdir()
    if kind.startswith("files"):
        handler = kind.partition(" ")[2]
        kept = files(directory / "old")
        begin(kept, directory)
        yield Old(lambda i: kept, f"files:{directory}/old", f"as={handler}", handler)
    elif kind == "redis":
        with RedisServer(directory, "--requirepass", "secret") as server:
            settings = server.settings("&auth=secret") | LOCKING
            begin(settings, directory)
            password = directory / "password"
            password.write_text("secret\n")
            password.chmod(0o600)
            yield Old(
                lambda i: settings, f"redis:127.0.0.1:{server.port}", f"password-file={password}", "redis"
            )
    else:
        with Unreplicated(3, directory / "old") as pool:
            ports = pool.ports
            settings = pecl_memcache(ports, 4) if kind == "memcache" else php_memcached_binary(ports)
            begin(settings, directory)
            servers = ",".join(f"tcp://127.0.0.1:{port}" for port in ports)
            yield Old(lambda i: settings, f"{kind}:{servers}", "", kind)


each_store = pytest.mark.parametrize(
    "kind", ["files memcache", "files redis", "memcache", "memcached", "redis"]
)


def after(nodes: MovingNodes, old: Old) -> dict[str, str]:
    settings = settings_at(nodes, old.handler)
    return settings | (LOCKING if old.handler == "redis" else {})


def finish(nodes: MovingNodes, old: Old, day: Day, directory: Path) -> None:
    """Bring over those who have not come, and forget the old store."""
    order = ["import", old.origin, "--only-missing", "--as", old.handler, *at(nodes)]
    if old.words.startswith("password-file="):
        order += ["--from-password-file", old.words.removeprefix("password-file=")]
    moved = memrep(*order)  # the nodes look for those who are missing by themselves
    assert (moved.code, moved.figure("written"), moved.figure("there already")) == (0, 0, SESSIONS), moved
    nodes.end_fallback()


@each_store
def test_web_servers_are_switched_one_by_one_behind_a_balancer_that_sticks(kind: str, tmp_path: Path) -> None:
    with (
        old_store(kind, tmp_path) as old,
        MovingNodes(3, tmp_path, [f"{old.origin} {old.words}"]) as nodes,
        Day(site(old.settings, tmp_path, nodes), sticks=True) as day,
    ):
        day.begin(2)
        day.go_on(5)
        for web in day.all:
            web.switch(after(nodes, old))
            day.go_on(5)
        finish(nodes, old, day, tmp_path)
        day.go_on(5)
        day.end()
        day.look_at_all()
        day.assert_nobody_lost_anything()


@pytest.mark.parametrize("tabs", [1, 2])
@each_store
def test_web_servers_are_switched_half_by_half_behind_a_balancer_that_does_not_stick(
    kind: str, tabs: int, tmp_path: Path
) -> None:
    """Where a visitor has two pages at work at a time, the balancer holds pages back for a moment."""
    with (
        old_store(kind, tmp_path) as old,
        MovingNodes(3, tmp_path, [f"{old.origin} {old.words}"]) as nodes,
        Day(site(old.settings, tmp_path, nodes), sticks=False, tabs=tabs) as day,
    ):
        day.begin(2)
        day.go_on(5)
        first, *others = day.all
        day.rotation = others
        first.switch(after(nodes, old))
        day.go_on(2)
        if tabs == 1:
            day.rotation = [first]
        else:
            with day.held():
                day.rotation = [first]
        for web in others:
            web.switch(after(nodes, old))
        day.rotation = day.all
        day.go_on(5)
        finish(nodes, old, day, tmp_path)
        day.go_on(5)
        day.end()
        day.look_at_all()
        day.assert_nobody_lost_anything()


@pytest.mark.parametrize("back", ["files", "redis"])
def test_the_way_back_costs_nobody_anything_while_pages_are_held(back: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with (
        NamedNodes(2, tmp_path) as nodes,
        RedisServer(tmp_path) as server,
        Day(site(lambda i: settings_at(nodes, "memcache"), tmp_path, nodes), sticks=False, tabs=2) as day,
    ):
        day.begin(0)
        day.go_on(5)
        settings = files(kept) if back == "files" else server.settings() | LOCKING
        where = [str(kept), "--owner", "root"] if back == "files" else [f"127.0.0.1:{server.port}"]
        with day.held():
            gone = memrep("dump", "--as", back, *where, *at(nodes))
            assert (gone.code, gone.figure("written")) == (0, SESSIONS - 4), gone
            for web in day.all:
                web.switch(settings)
        day.go_on(5)
        day.end()
        day.look_at_all()
        day.assert_nobody_lost_anything()


# --- what may go wrong, without PHP

SID = "0123456789abcdefghijklmnop"


def stats(nodes: MovingNodes, name: str) -> list[int]:
    return [int(nodes.stats(i, "")[f"fallback_{name}"]) for i in range(nodes.count)]


@contextmanager
def pool_and_nodes(directory: Path, count: int = 3) -> Iterator[tuple[Unreplicated, MovingNodes]]:
    """A memcached with one session, and nodes that look into it."""
    (directory / "old").mkdir()
    with Unreplicated(1, directory / "old") as pool:
        pool.talk(0, f"set {SID} 2 1000 4\r\ncart".encode(), b"STORED\r\n")
        with MovingNodes(count, directory, [f"memcache:127.0.0.1:{pool.ports[0]}"]) as nodes:
            yield pool, nodes


def test_of_nodes_that_look_at_the_same_time_one_takes_it_over(tmp_path: Path) -> None:
    with pool_and_nodes(tmp_path) as (_, nodes), ThreadPoolExecutor(9) as threads:
        shown = set(threads.map(lambda i: nodes.stored(i % 3, SID), range(9)))
        assert shown == {f"VALUE {SID} 2 4\r\ncart\r\nEND\r\n".encode()}
        assert sum(stats(nodes, "taken")) == 1


def test_who_has_logged_out_stays_so_whatever_the_old_store_holds(tmp_path: Path) -> None:
    with pool_and_nodes(tmp_path) as (pool, nodes):
        nodes.talk(0, f"delete {SID}".encode(), b"DELETED\r\n")
        origin = f"memcache:127.0.0.1:{pool.ports[0]}"
        for is_looking in (True, False):
            moved = memrep("import", origin, "--only-missing", *at(nodes))
            assert (moved.code, moved.figure("written")) == (0, 0), moved
            assert {nodes.stored(i, SID) for i in range(3)} == {b"END\r\n"}
            assert b"cart" in pool.stored(0, SID)
            if is_looking:
                nodes.end_fallback()


def test_an_old_store_that_hangs_is_left_alone_and_asked_again_when_it_answers(tmp_path: Path) -> None:
    with pool_and_nodes(tmp_path, 1) as (pool, nodes):
        log = nodes.node(0).log
        pool.freeze(0)
        for number in range(5):
            assert nodes.stored(0, f"{SID}{number}") == b"END\r\n"
        assert stats(nodes, "unanswered") == [5]
        told = "the old store does not answer at"
        assert log.read_text().count(told) == 1
        pool.thaw(0)
        until(lambda: "the old store answers again" in log.read_text(), 30, "the old store is asked again")
        assert b"cart" in nodes.stored(0, SID)


def test_an_old_store_that_is_dead_holds_nobody_up(tmp_path: Path) -> None:
    with pool_and_nodes(tmp_path, 1) as (pool, nodes):
        pool.kill(0)
        for number in range(20):
            assert nodes.stored(0, f"{SID}{number}") == b"END\r\n"
        assert stats(nodes, "unanswered") == [20]
        assert nodes.node(0).log.read_text().count("the old store does not answer at") == 1
